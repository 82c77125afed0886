package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
)

// The child of the kill test is this test binary with these variables set.
const (
	childPath  = "NABAT_JOURNAL_TEST_CHILD"
	childFirst = "NABAT_JOURNAL_TEST_FIRST"
)

// TestKilledChild is the child: it appends as fast as it can, says which
// events are durable, reads and advances, and waits to be killed.
func TestKilledChild(t *testing.T) {
	path := os.Getenv(childPath)
	if path == "" {
		return // this process is not a child
	}
	var n uint64
	if _, err := fmt.Sscan(os.Getenv(childFirst), &n); err != nil {
		t.Fatal(err)
	}
	j, err := Open(Options{Path: path, Consumers: []string{"mqtt"}, Ballast: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = j.Run(context.Background()) }()
	window := make(chan struct{}, 64)
	go deliver(j)
	for {
		window <- struct{}{}
		n++
		e := raise(n)
		if n%3 == 0 {
			e = routine(int(n))
			e.Number = n
		}
		j.Append(e, func(ref alert.Ref, err error) {
			// One write for each line: a kill cannot tear it on a pipe.
			fmt.Fprintf(os.Stdout, "saved %d %s %d %v\n", e.Number, ref.Epoch, ref.Seq, err)
			<-window
		})
	}
}

// deliver moves both cursors, as a consumer on a good link would.
func deliver(j *Journal) {
	for {
		next := [lanes]<-chan struct{}{j.Appended(Alarm), j.Appended(Routine)}
		for _, l := range Lanes() {
			c := j.Cursor("mqtt", l)
			rows, err := c.Read(context.Background(), 50)
			if err == nil && len(rows) > 1 {
				c.Advance(rows[len(rows)/2])
			}
			c.Rewind()
		}
		select {
		case <-next[Alarm]:
		case <-next[Routine]:
		}
	}
}

// TestKillNineLosesNoAcknowledgedRow kills a writing child at random moments,
// many times over the same file.
func TestKillNineLosesNoAcknowledgedRow(t *testing.T) {
	path := file(t)
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	saved := make(map[alert.Ref]uint64) // what the children said, by name
	var highest uint64
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		cmd.Env = append(os.Environ(), childPath+"="+path, fmt.Sprintf("%s=%d", childFirst, highest))
		cmd.Stderr = t.Output()
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lives := time.Duration(5+rand.IntN(60)) * time.Millisecond
		lines := bufio.NewScanner(out)
		var kill *time.Timer
		for lines.Scan() {
			var number, seq uint64
			var epoch string
			n, err := fmt.Sscanf(lines.Text(), "saved %d %s %d <nil>", &number, &epoch, &seq)
			if n != 3 || err != nil && !strings.HasSuffix(lines.Text(), "<nil>") {
				continue
			}
			if kill == nil { // the first line starts the clock, so that every child gets to write
				kill = time.AfterFunc(lives, func() { _ = cmd.Process.Kill() })
			}
			ref := alert.Ref{Epoch: epoch, Seq: seq}
			if old, twice := saved[ref]; twice {
				t.Fatalf("round %d: %v was given to events %d and %d", round, ref, old, number)
			}
			saved[ref] = number
			highest = max(highest, number)
		}
		if kill == nil {
			t.Fatalf("round %d: the child ended without an acknowledgement", round)
		}
		kill.Stop()
		if cmd.Wait() == nil {
			t.Fatalf("round %d: the child was not killed", round)
		}
		highest += 64 // events that were committed and not acknowledged keep their numbers
	}

	r, err := OpenReader(path)
	must(t, err)
	defer r.Close()
	rep, err := r.Verify(t.Context(), nil)
	if err != nil || !rep.OK() || len(rep.Twice) > 0 {
		t.Errorf("Verify after %d kills: %+v, %v", rounds, rep, err)
	}
	found := make(map[alert.Ref]uint64)
	must(t, r.Tail(t.Context(), 1<<30, false, func(row Row) error {
		e, err := row.Event()
		found[row.Ref] = e.Number
		return err
	}))
	for ref, number := range saved {
		if got, ok := found[ref]; !ok {
			t.Errorf("event %d was acknowledged as %v and is gone", number, ref)
		} else if got != number {
			t.Errorf("%v is event %d, the child said %d", ref, got, number)
		}
	}
	t.Logf("%d kills, %d acknowledged rows, %d in the file", rounds, len(saved), len(found))
}
