package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"nabat/sync/dispatch/store"
)

type statusVerb struct {
	configFlag
	JSON bool `name:"json" help:"As JSON, for programs."`
}

// Run tells what is stored, also of a stopped service.
func (v statusVerb) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		st, err := db.Stats(ctx)
		if err != nil {
			return err
		}
		open, err := db.OpenAlerts(ctx)
		if err != nil {
			return err
		}
		if v.JSON {
			e := json.NewEncoder(stdout)
			e.SetIndent("", "  ")
			return e.Encode(struct {
				store.Stats
				Open []openAlert `json:"open"`
			}{st, openAlerts(open)})
		}
		w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "gateways\t%d, %d online\n", st.Gateways, st.Online)
		fmt.Fprintf(w, "open alerts\t%d\n", st.OpenAlerts)
		fmt.Fprintf(w, "events\t%d stored, %d refused\n", st.Events, st.Refused)
		fmt.Fprintf(w, "commands\t%d without an answer\n", st.CommandsPending)
		fmt.Fprintf(w, "webhooks\t%d wait, %d given up\n", st.OutboxWaiting, st.OutboxGivenUp)
		fmt.Fprintf(w, "database\t%d MiB\n", st.Bytes>>20)
		if err := w.Flush(); err != nil {
			return err
		}
		for _, a := range openAlerts(open) {
			fmt.Fprintf(stdout, "\n%s %s %s at %s, %s, since %s", a.Gateway, a.Status, a.Kind, a.Place, a.Level, a.Stored.Local().Format(time.DateTime))
			if a.Accepted {
				fmt.Fprint(stdout, ", taken")
			}
		}
		if len(open) > 0 {
			fmt.Fprintln(stdout)
		}
		return nil
	})
}

// openAlert is what status tells of an alert.
type openAlert struct {
	Gateway  string    `json:"gateway"`
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Level    string    `json:"level"`
	Status   string    `json:"status"`
	Place    string    `json:"place"`
	Stored   time.Time `json:"stored"`
	Accepted bool      `json:"accepted"`
}

func openAlerts(list []store.Alert) []openAlert {
	out := []openAlert{}
	for _, a := range list {
		out = append(out, openAlert{
			Gateway: a.Gateway.String(), ID: a.ID, Kind: string(a.Kind), Level: a.Level().String(), Status: string(a.Status()),
			Place: a.Place.ID, Stored: a.Stored, Accepted: a.Accepted(),
		})
	}
	return out
}
