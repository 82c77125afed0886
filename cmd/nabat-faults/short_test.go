//go:build !race

package main

import (
	"os"
	"strings"
	"testing"
)

// The real programs run here, which the race detector does not look into.
// One scenario of each kind: all of them, with their controls, are make faults.
func TestShortForm(t *testing.T) {
	if testing.Short() {
		t.Log("the faults are left out of the short tests")
		return
	}
	pattern := "^(power/stopped-while|disk/damaged|disk/second|network/(flapping|broker-forgets)|https/(captive|one-refused|dispatch-killed|both)|content/(undecodable|configuration)|load/press|command/(retained|expired|unsigned|replayed|counter))"
	if os.Geteuid() != 0 {
		t.Log("not root: what needs a file system of its own is left out")
	} else {
		pattern = strings.Replace(pattern, "disk/damaged", "disk/(full|damaged)", 1)
		pattern = strings.Replace(pattern, "disk/(full|damaged)|disk/second", "disk/(full|damaged|second)", 1)
	}
	if err := suiteOf(t.Context(), []string{"-short", "-j", "3", "-run", pattern}, t.Output(), t.Output()); err != nil {
		t.Fatal(err)
	}
}
