package main

import (
	"context"
	"slices"
)

// scenario is one fault that real gateways failed on, and what Nabat does
// about it.
type scenario struct {
	// name is "group/fault"; the group is a heading of the table.
	name string
	// fault says what happens, protection what Nabat has against it.
	fault, protection string
	// short scenarios belong to the everyday tests; they look at world.short for
	// their numbers.
	short bool
	// root scenarios mount file systems.
	root bool
	// with is built in always: what no test may do to the machine that it runs
	// on, such as setting its clock.
	with []change
	// without takes the protection out. The scenario must fail then.
	without []change
	// bare says in words what without leaves, for the table.
	bare string
	// run does it. An error means that Nabat did not survive; what was lost,
	// doubled or reordered is counted by world.settle.
	run func(ctx context.Context, w *world) error
}

// change replaces one piece of a source file by another, for a build without a
// protection. File is relative to the module, or to Go's own sources with the
// prefix "$GOROOT/". Old must occur exactly once: a change that does not fit any
// more is an error, so that the controls cannot rot unseen.
type change struct {
	file, old, replacement string
}

// scenarios lists all of them, in the order of the table.
func scenarios() []scenario {
	return slices.Concat(
		powerScenarios(),
		diskScenarios(),
		networkScenarios(),
		webScenarios(),
		clockScenarios(),
		contentScenarios(),
		loadScenarios(),
		commandScenarios(),
	)
}
