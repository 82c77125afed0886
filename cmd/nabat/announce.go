package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/control"
)

type announceVerb struct {
	local
	Say      string        `arg:"" optional:"" name:"text|id" help:"What to say, in quotes, or the id of one of the site's messages."`
	Zone     []string      `help:"Zone that says it; may be given several times. Without one: everywhere." placeholder:"ID"`
	Language string        `help:"Language of the text: ru, kk or en. Without it: the site's own." placeholder:"LANG"`
	RU       string        `name:"ru" help:"What to say in Russian, in place of TEXT."`
	KK       string        `name:"kk" help:"What to say in Kazakh, in place of TEXT."`
	EN       string        `name:"en" help:"What to say in English, in place of TEXT."`
	For      time.Duration `default:"1m" help:"How long it stands, at most 1h. A notice is said once, and stays on the screens as long."`
	Priority string        `help:"routine, notice, emergency or evacuate. Without it: the message's own, else notice. An emergency is repeated until it ends." placeholder:"WORD"`
	Test     bool          `help:"It is a test: screens and loudspeakers say so."`
	End      string        `help:"End the announcement with this id, which nabat announce and nabat status print." placeholder:"ID"`
}

// Help is shown by nabat announce --help.
func (announceVerb) Help() string {
	return `  nabat announce --test --zone hall "Loudspeaker test"
  nabat announce assembly --for 10m
  nabat announce --ru "Сбор в зале" --kk "Залға жиналыңыздар" --en "Meet in the gym"
  nabat announce --end say-0c4f1a22b7

A language without a text is not said. What the gateway says by itself in an alarm always goes first.`
}

// errAnnounce is wrapped by mistakes in the command line of nabat announce.
var errAnnounce = errors.New("nothing was announced")

// Run announces, or ends an announcement.
func (v announceVerb) Run(ctx context.Context, stdout io.Writer) error {
	a, err := v.request()
	if err != nil {
		return err
	}
	client, err := v.client()
	if err != nil {
		return err
	}
	if v.End != "" {
		if err := client.EndAnnouncement(ctx, v.End); err != nil {
			if errors.Is(err, alert.ErrNoNotice) {
				return fmt.Errorf("%w (it may have ended by itself: nabat status shows what stands)", err)
			}
			return err
		}
		_, err = fmt.Fprintln(stdout, "ended", v.End)
		return err
	}
	said, err := client.Announce(ctx, a)
	if err != nil {
		return err
	}
	return v.report(stdout, said)
}

// request checks the command line and makes a request of it.
func (v announceVerb) request() (control.AnnounceRequest, error) {
	text := alert.Text{RU: v.RU, KK: v.KK, EN: v.EN}
	a := control.AnnounceRequest{
		Say: v.Say, Language: alert.Language(v.Language), Text: text, Zones: v.Zone,
		Seconds: int64(v.For / time.Second), Test: v.Test,
	}
	if err := a.Priority.UnmarshalText([]byte(v.Priority)); err != nil {
		return a, fmt.Errorf("%w: --priority: %w", errAnnounce, err)
	}
	switch said := text != (alert.Text{}); {
	case v.End != "" && (v.Say != "" || said):
		return a, fmt.Errorf("%w: --end takes no text", errAnnounce)
	case v.End != "":
	case v.Say == "" && !said:
		return a, fmt.Errorf("%w: give a text in quotes, the id of a message, or --ru, --kk and --en (nabat announce --help shows examples)", errAnnounce)
	case v.Say != "" && said:
		return a, fmt.Errorf("%w: give one text or id, or texts by --ru, --kk and --en, not both", errAnnounce)
	}
	return a, nil
}

// report tells the id, and where it is heard.
func (v announceVerb) report(w io.Writer, said control.Announced) error {
	lines := []string{fmt.Sprintf("announced for %v as %s (nabat announce --end %s ends it)", v.For, said.ID, said.ID)}
	if len(said.Sounds) > 0 {
		lines = append(lines, "said in "+strings.Join(said.Sounds, ", "))
	}
	if len(said.Waits) > 0 {
		lines = append(lines, "after what is more urgent in "+strings.Join(said.Waits, ", "))
	}
	if len(said.ShownOnly) > 0 {
		lines = append(lines, "only shown in "+strings.Join(said.ShownOnly, ", ")+": no loudspeaker is configured there")
	}
	if len(said.Sounds)+len(said.ShownOnly) == 0 {
		lines = append(lines, "only shown: this site has no zones")
	}
	if said.Memory {
		lines = append(lines, "it holds, but is not written down: the disk cannot be written")
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
