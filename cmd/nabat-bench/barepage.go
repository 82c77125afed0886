package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// bareSSE is the least that can bring a word to a page: a server that hands
// each word to every stream, and a page that writes it down in big letters.
type bareSSE struct {
	address string
	server  *http.Server
	served  chan error

	mu      sync.Mutex // guards streams
	streams map[chan string]bool
}

// barePage marks what it painted as the lobby page does: two frames later.
const barePage = `<!doctype html><html lang="ru"><meta charset="utf-8"><title>floor</title>
<body style="margin:0;background:#111;color:#fff;font:bold 160px sans-serif"><p id="idle">.</p><div id="cards"></div>
<script>
const cards = document.getElementById("cards");
new EventSource("/events").onmessage = (e) => {
	cards.textContent = e.data;
	requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("nabat-painted")));
};
</script></body></html>`

func serveBareSSE(ctx context.Context) (*bareSSE, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the floor's page: %w", err)
	}
	b := &bareSSE{address: ln.Addr().String(), served: make(chan error, 1), streams: make(map[chan string]bool)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, barePage)
	})
	mux.HandleFunc("GET /events", b.events)
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go func() { b.served <- b.server.Serve(ln) }()
	return b, nil
}

func (b *bareSSE) events(w http.ResponseWriter, r *http.Request) {
	words := make(chan string, 16)
	b.mu.Lock()
	b.streams[words] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.streams, words)
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	for rc.Flush() == nil {
		select {
		case word := <-words:
			fmt.Fprintf(w, "data: %s\n\n", word)
		case <-r.Context().Done():
			return
		}
	}
}

// say hands a word to every stream and returns when it began.
func (b *bareSSE) say(word string) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	begun := time.Now()
	for words := range b.streams {
		words <- word
	}
	return begun
}

func (b *bareSSE) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.streams)
}

func (b *bareSSE) stop() error {
	err := b.server.Close()
	if served := <-b.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
