package gate

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"nabat/sync/event"
)

// answerTime is how long a client may take to read an answer.
const answerTime = 30 * time.Second

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // nothing that is answered here can fail to marshal
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime)) // a recorder in a test has none
	w.Header().Set("Content-Type", event.JSONType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // whoever went away asks again
}

// refuse answers with an error that names the remedy.
func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, struct {
		Error string `json:"error"`
	}{why})
}

// later refuses for a while.
func later(w http.ResponseWriter, status int, wait time.Duration, why string) {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	refuse(w, status, why)
}
