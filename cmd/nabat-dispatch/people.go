package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"nabat/sync/dispatch/store"
)

type operatorVerb struct {
	Add    operatorAdd    `cmd:"" help:"Make an account and show its password once."`
	Passwd operatorPasswd `cmd:"" help:"Give an account a new password, shown once, and end its sessions."`
	List   operatorList   `cmd:"" help:"The accounts."`
}

type operatorAdd struct {
	configFlag
	ID    string `arg:"" help:"Log-in name."`
	Name  string `help:"The person's name."`
	Admin bool   `help:"May also manage gateways, people and keys."`
}

// Run makes an account.
func (v operatorAdd) Run(ctx context.Context, aside notes) error {
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		o := store.Operator{ID: v.ID, Name: v.Name, Role: store.OperatorRole}
		if o.Name == "" {
			o.Name = v.ID
		}
		if v.Admin {
			o.Role = store.AdminRole
		}
		password := newPassword()
		if err := db.AddOperator(ctx, o, password, by()); err != nil {
			return err
		}
		fmt.Fprintf(aside, "The password of %s, shown this once:\n\n    %s\n", v.ID, password)
		return nil
	})
}

// newPassword is easy to type and has 80 bits.
func newPassword() string { return rand.Text()[:16] }

type operatorPasswd struct {
	configFlag
	ID string `arg:"" help:"Log-in name."`
}

// Run makes up a new password.
func (v operatorPasswd) Run(ctx context.Context, aside notes) error {
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		password := newPassword()
		if err := db.SetPassword(ctx, v.ID, password, by()); err != nil {
			return err
		}
		fmt.Fprintf(aside, "The new password of %s, shown this once; all sessions of the account have ended:\n\n    %s\n", v.ID, password)
		return nil
	})
}

type operatorList struct{ configFlag }

// Run lists the accounts.
func (v operatorList) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		list, err := db.Operators(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tROLE\tSTATE\tMADE\tPERSON")
		for _, o := range list {
			state := "works"
			if !o.Disabled.IsZero() {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.ID, o.Role, state, o.Created.Local().Format(time.DateTime), o.Name)
		}
		return w.Flush()
	})
}

type teamVerb struct {
	Add  teamAdd  `cmd:"" help:"Add a mobile team."`
	List teamList `cmd:"" help:"The mobile teams."`
}

type teamAdd struct {
	configFlag
	Name  string `arg:"" help:"What operators call it."`
	Phone string `help:"How operators ring it."`
}

// Run adds a team.
func (v teamAdd) Run(ctx context.Context, aside notes) error {
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		id, err := db.PutTeam(ctx, store.Team{Name: v.Name, Phone: v.Phone}, by())
		if err != nil {
			return err
		}
		fmt.Fprintf(aside, "Team %d is %s.\n", id, v.Name)
		return nil
	})
}

type teamList struct{ configFlag }

// Run lists the teams.
func (v teamList) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		list, err := db.Teams(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tTEAM\tPHONE\tSTATE")
		for _, t := range list {
			state := "works"
			if t.Retired {
				state = "retired"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", strconv.FormatInt(t.ID, 10), t.Name, t.Phone, state)
		}
		return w.Flush()
	})
}
