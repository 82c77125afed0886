package store

import (
	"context"
	"slices"

	"nabat/sync/command"
)

// overtakenReason is what is noted of a command that is not signed anew because
// of a later one.
const overtakenReason = "a later command about the same took its place"

// overtakes reports whether the later command must stay the last word, so that
// the earlier one, which waits for its answer, must not be carried out after it.
func overtakes(earlier, later Command) bool {
	done, waits := later.State == CommandAccepted, later.State == CommandPending
	switch earlier.Claims.Verb {
	case command.Responding:
		return (done || waits) && later.Claims.Alert == earlier.Claims.Alert &&
			(later.Claims.Verb == command.Responding || later.Claims.Verb == command.Arrived)
	case command.DrillStart:
		return (done || waits) && later.Claims.Verb == command.DrillEnd
	case command.DrillEnd: // one that waits may still find the drill that it is about
		return done && later.Claims.Verb == command.DrillStart
	case command.Acknowledge, command.Arrived, command.Clear, command.Announce, command.ConfigPull, command.Keys:
		return false // mean the same before and after any other
	}
	return false
}

// withoutOvertaken settles those of the waiting commands of a gateway that a
// later one overtakes, and returns the others.
func (s *Store) withoutOvertaken(ctx context.Context, t tx, key int64, list []Command) ([]Command, error) {
	if !slices.ContainsFunc(list, func(c Command) bool {
		return slices.Contains([]command.Verb{command.Responding, command.DrillStart, command.DrillEnd}, c.Claims.Verb)
	}) {
		return list, nil
	}
	later, err := s.commandsWhere(ctx, t, "WHERE c.gateway = $1 AND c.at >= $2", key, micros(list[0].At))
	if err != nil {
		return nil, err
	}
	var left []Command
	for _, c := range list {
		if !slices.ContainsFunc(later, func(l Command) bool { return issuedLater(l, c) && overtakes(c, l) }) {
			left = append(left, c)
			continue
		}
		if _, err := t.exec(ctx, "UPDATE command SET refused = counter, reason = $3, answered = $4 WHERE gateway = $1 AND id = $2",
			key, c.Claims.ID, overtakenReason, s.now()); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// issuedLater compares by time, and by id where two were issued at once: ids
// grow with time.
func issuedLater(a, b Command) bool {
	return a.At.After(b.At) || a.At.Equal(b.At) && a.Claims.ID > b.Claims.ID
}
