// Command wall is everything around a gateway in a guest: it presses buttons on
// simulated GPIO lines, runs the real nabat and a real broker, and holds what
// dispatch hears against what the hand did. It exits 0 when all of it agrees.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

func main() {
	presses := flag.Int("presses", 1000, "how many presses of random length and spacing")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of everything random")
	limit := flag.Duration("limit", 15*time.Minute, "give up after this time")
	flag.Parse()
	ctx, stop := context.WithTimeout(context.Background(), *limit)
	err := run(ctx, os.Stdout, *presses, *seed)
	stop()
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
}

// scene is one thing that the gateway has to get right.
type scene struct {
	name string
	play func(context.Context, *hall) error
}

// run plays all scenes in order; the gateway starts within the first one.
func run(ctx context.Context, out io.Writer, presses int, seed uint64) (err error) {
	fmt.Fprintf(out, "seed %d\n", seed)
	// A program of the hall that ends by itself ends the play, with its reason.
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	h := &hall{out: out, rand: rand.New(rand.NewPCG(seed, 2)), presses: presses, end: end}
	defer func() {
		if e := h.close(); err == nil {
			err = e
		}
		if err != nil {
			h.dumpLogs()
		}
	}()
	if err := h.open(ctx); err != nil {
		return err
	}
	for _, s := range []scene{
		{"a button held while the gateway starts counts once", heldAtStart},
		{"the lamp lights for a press", lampLights},
		{"presses of random length and spacing", randomPresses},
		{"bounces around a press make no second one", bouncedPresses},
		{"bounce storms are no press", bounceStorms},
		{"a kilohertz on the line is a fault and no press", chatter},
		{"a removed chip is a fault and no press", removedChip},
		{"the gateway ends when it is told to", orderlyEnd},
	} {
		began := time.Now()
		if err := s.play(ctx, h); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(out, "PASS %s (%.1f s)\n", s.name, time.Since(began).Seconds())
	}
	return nil
}
