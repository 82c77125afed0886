package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const preface = `# Faults

Written by ` + "`make faults`" + ` on %s; do not edit. Each line happened to a real gateway of this kind. Every scenario runs the real nabat,
nabat-dispatch and mosquitto, and compares every number that the gateway gave to an event with what dispatch has stored: what is missing there is lost,
what is there twice is doubled, what was stored after a later one of its lane is reordered. Rows that somebody refuses for good are parked, shown, and
counted apart.

"Seen to fail" is what happened to the same scenario, with small numbers, in programs that were built from the same sources without the protection. The
change is beside the scenario in cmd/nabat-faults; one that does not fit the sources any more is an error.

`

const elsewhere = `## Shown elsewhere

Faults that need a kernel, a power switch, a screen or a region of their own:

| fault | test |
|---|---|
| power cut at any moment, with and without honest flushes; unsynced writes dropped | ` + "`TestPowerCutsReplayedLoseNothing`, `TestPowerCutsOfARunningGuestLoseNothing`, and `TestPowerCutsWithoutSyncedCommitsLoseRecords`, `TestPowerCutsWithoutBarriersLoseRecords`" + ` as their controls (hw/guest) |
| a button held down at boot, a button that bounces at 1 kHz, a chip that disappears | ` + "`TestGatewayHearsEveryPress`, `TestWallOverTheKernelsPins`" + ` (hw/guest); ` + "`TestEveryPressIsOneTapWhateverTheContactBounces`" + ` (gateway/press); ` + "`TestSimulatedWall`" + ` (hw/board) |
| kill during a migration of the gateway's journal | ` + "`TestKilledMigrationStartsAgain`" + ` (gateway/journal) |
| a disk that takes seconds for a flush, a sector that cannot be read, a salvage that is interrupted | ` + "`TestStalledDiskDropsRoutineEventsWithAGapAndKeepsAlarms`, `TestBadSectorCountsAsDamage`, `TestInterruptedSalvageLosesNothing`" + ` (gateway/journal) |
| 1,000 gateways that reconnect at once, a broker and a dispatch process lost in the middle | ` + "`TestARegionLosesABrokerAndADispatchProcess`" + ` (cmd/nabat-dispatch) |
| a copied disk: two gateways under one name | ` + "`TestACopiedDiskIsSeen`" + ` (sync/dispatch/store), ` + "`TestAForkedJournalDeliversNothing`" + ` (sync/central) |
| commands: two keys, floods, lost and damaged counters, a full disk | ` + "`TestKeysChangeWithoutAVisit`, `TestAFloodDoesNotTakeTheProcessor`, `TestALostCounterNeedsAFreshWord`, `TestOnAFullDiskNothingIsAccepted`" + ` (sync/command) |
| a page that shows yesterday's state after the link died | ` + "`TestBrowserIdleLobbyBehindACutCableClaimsNothing`" + ` (gateway/web) |

Not shown: the kernel's own stepping of a clock (the programs are built with a shifted one), a power cut inside a lockdown, and everything about sound,
which this version does not have.
`

// markdown returns the page for docs.
func markdown(results []result) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, preface, time.Now().UTC().Format("2006-01-02"))
	group := ""
	for _, r := range results {
		g, name, _ := strings.Cut(r.scenario.name, "/")
		if g != group {
			group = g
			fmt.Fprintf(&b, "## %s\n\n| fault | what was done | protection | lost, doubled, reordered | without it | seen to fail |\n|---|---|---|---|---|---|\n", title(g))
		}
		verdict := fmt.Sprintf("%d, %d, %d of %d", len(r.tally.lost), len(r.tally.doubled), len(r.tally.reordered), r.tally.events)
		if r.err != nil {
			verdict = "**failed**: " + shorten(firstLine(r.err))
		}
		cells := []string{
			fmt.Sprintf("**%s**: %s", name, r.scenario.fault), strings.Join(r.did, "; "), r.scenario.protection, verdict, changed(r.scenario), r.seen(),
		}
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if last(results, r) {
			b.WriteByte('\n')
		}
	}
	b.WriteString(elsewhere)
	return b.Bytes()
}

// last reports whether r is the last of its group.
func last(results []result, r result) bool {
	i := slices.IndexFunc(results, func(x result) bool { return x.scenario.name == r.scenario.name })
	g, _, _ := strings.Cut(r.scenario.name, "/")
	return i+1 == len(results) || !strings.HasPrefix(results[i+1].scenario.name, g+"/")
}

func title(group string) string {
	if group == "https" {
		return "HTTPS"
	}
	return strings.ToUpper(group[:1]) + group[1:]
}

// changed says what the control's programs are like, in words or by the files
// that were changed for it.
func changed(sc scenario) string {
	if sc.bare != "" {
		return sc.bare
	}
	var files []string
	for _, c := range sc.without {
		if !slices.Contains(files, c.file) {
			files = append(files, c.file)
		}
	}
	return "taken out of " + strings.Join(files, ", ")
}

// seen says how the scenario failed without its protection.
func (r result) seen() string {
	switch {
	case !r.tried:
		return "not tried in this run"
	case r.control == nil:
		return "**it did not fail**"
	}
	return shorten(firstLine(r.control))
}

// cell keeps a text inside its cell.
func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ")
}

// shorten keeps long lists of ids, and folders of this run, out of the table.
func shorten(s string) string {
	const most = 160
	folders := regexp.MustCompile(`/\S*nabat-faults-\d+/\d+/`)
	s, _, _ = strings.Cut(s, " ([")
	s = folders.ReplaceAllString(s, "")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
