//go:build !race

package main

import (
	"os"
	"testing"
)

// The real programs run here, which the race detector does not look into.
// One scenario of each kind: all of them, with their controls, are make faults.
func TestShortForm(t *testing.T) {
	if testing.Short() {
		t.Log("the faults are left out of the short tests")
		return
	}
	disks := "damaged|second"
	if os.Geteuid() == 0 {
		disks += "|full"
	} else {
		t.Log("not root: what needs a file system of its own is left out")
	}
	pattern := "^(power/stopped-while|disk/(" + disks + ")|network/(flapping|broker-forgets)|https/(captive|one-refused|dispatch-killed|both)|" +
		"content/(undecodable|configuration)|load/press|command/(retained|expired|unsigned|replayed|counter))"
	if err := suiteOf(t.Context(), []string{"-short", "-j", "3", "-run", pattern}, t.Output(), t.Output()); err != nil {
		t.Fatal(err)
	}
}
