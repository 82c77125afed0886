package main

import (
	"fmt"
	"io"
	"runtime"
)

// version is set by the linker; a build without it says so.
var version = "unversioned" //nolint:gochecknoglobals // the linker can set nothing else

type versionVerb struct{}

// Run prints the version and what it was built for.
func (versionVerb) Run(stdout io.Writer) error {
	_, err := fmt.Fprintf(stdout, "nabat-dispatch %s %s/%s %s\n", version, runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}
