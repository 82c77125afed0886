package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

type journalVerb struct {
	Tail    journalTail    `cmd:"" help:"Print the newest events."`
	Export  journalExport  `cmd:"" help:"Print every event as a line of JSON."`
	Verify  journalVerify  `cmd:"" help:"Check every row, number and page of the file."`
	Cursors journalCursors `cmd:"" help:"Print how far each link has come, and what waits for it."`
}

// journalPath finds the file to read.
type journalPath struct {
	local
	File string `help:"Read this journal file, instead of the gateway's." type:"path"`
}

// with opens the journal for reading and closes it after f.
func (p journalPath) with(f func(*journal.Reader) error) (err error) {
	path := p.File
	if path == "" {
		dir, err := p.dataDir()
		if err != nil {
			return err
		}
		path = filepath.Join(dir, journalFile)
	}
	r, err := journal.OpenReader(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return f(r)
}

type journalTail struct {
	journalPath
	Lines  int  `short:"n" default:"20" help:"How many events."`
	Follow bool `short:"f" help:"Go on with new events until Ctrl-C."`
}

// Run prints the newest events, one a line.
func (v journalTail) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(func(r *journal.Reader) error {
		err := r.Tail(ctx, v.Lines, v.Follow, func(row journal.Row) error {
			e, err := row.Event()
			if err != nil {
				return err
			}
			place := ""
			if e.Place != nil {
				place = e.Place.ID
			}
			_, err = fmt.Fprintf(stdout, "%s  %-22s %s-%d  %s %s %s %s%s\n", row.At.Wall.Local().Format(time.DateTime), row.Type.Short(), row.Ref.Epoch, row.Ref.Seq, place, e.Kind, e.Point, e.Detail, words(e))
			return err
		})
		if v.Follow && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	})
}

type journalExport struct{ journalPath }

// Run prints every event as JSON.
func (v journalExport) Run(ctx context.Context, stdout io.Writer, aside notes) error {
	return v.with(func(r *journal.Reader) error {
		out := bufio.NewWriterSize(stdout, 1<<16)
		rows, err := r.Export(ctx, out)
		if err := errors.Join(err, out.Flush()); err != nil {
			return err
		}
		fmt.Fprintf(aside, "%d events\n", rows)
		return nil
	})
}

type journalVerify struct {
	journalPath
	JSON bool `name:"json" help:"Print the findings as JSON."`
}

// errUnsound is returned when the verification found something.
var errUnsound = errors.New("the journal is damaged: stop the gateway, copy the file away, and start again; the gateway salvages what is readable")

// Run checks the whole file, with progress on a terminal.
func (v journalVerify) Run(ctx context.Context, stdout io.Writer, aside notes) error {
	return v.with(func(r *journal.Reader) error {
		shown := time.Now()
		report, err := r.Verify(ctx, func(done, all int64) {
			if time.Since(shown) > time.Second {
				shown = time.Now()
				fmt.Fprintf(aside, "%d of %d rows\n", done, all)
			}
		})
		if err != nil {
			return err
		}
		if v.JSON {
			return errors.Join(json.NewEncoder(stdout).Encode(report), soundness(report))
		}
		fmt.Fprintf(stdout, "%d rows, %d damaged, %d gaps, %d findings about the file\n", report.Rows, len(report.Damaged), len(report.Gaps), len(report.Structure))
		for _, line := range report.Damaged {
			fmt.Fprintln(stdout, "damaged:", line)
		}
		for _, g := range report.Gaps {
			fmt.Fprintf(stdout, "missing: %s-%d to %d\n", g.Epoch, g.From, g.Through)
		}
		for _, line := range report.Structure {
			fmt.Fprintln(stdout, "file:", line)
		}
		return soundness(report)
	})
}

func soundness(r journal.Report) error {
	if r.OK() {
		return nil
	}
	return errUnsound
}

// words tells of an announcement what it said, and where.
func words(e alert.Event) string {
	if e.Text == nil {
		return ""
	}
	return fmt.Sprintf(" %s %q", strings.Join(e.Zones, ","), e.Text.In(alert.Russian))
}

type journalCursors struct {
	journalPath
	JSON bool `name:"json" help:"Print JSON for programs."`
}

// Run prints the place of every link in every lane.
func (v journalCursors) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(func(r *journal.Reader) error {
		positions, err := r.Cursors(ctx)
		if err != nil {
			return err
		}
		if v.JSON {
			return json.NewEncoder(stdout).Encode(positions)
		}
		table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "LINK\tLANE\tDELIVERED TO\tWAITING\tSINCE\tPARKED")
		for _, p := range positions {
			since := "-"
			if p.Oldest != nil {
				since = p.Oldest.Wall.Local().Format(time.DateTime)
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%d\n", p.Consumer, p.Lane, p.Pos, p.Depth, since, p.Parked)
		}
		return table.Flush()
	})
}
