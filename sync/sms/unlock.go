package sms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/warthog618/modem/at"
)

// unlock makes the SIM card usable, with the PIN where it asks for one.
func (d *Deliverer) unlock(ctx context.Context, m *modem, st *store) error {
	const patience = 20 // looks at a card that has just been unlocked or is busy
	entered := false
	for range patience {
		text, err := m.ask(ctx, "+CPIN")
		var cme at.CMEError
		switch {
		case errors.As(err, &cme) && strings.TrimSpace(string(cme)) == "14": // the card is busy
		case errors.As(err, &cme), errors.Is(err, at.ErrError):
			return &trouble{conditionSIM, "the SIM card is missing or broken; put it in and restart the modem", fmt.Errorf("%w: %w", errSIM, err)}
		case err != nil:
			return err
		case text == "READY":
			return nil
		case text == "SIM PIN" && !entered:
			if err := d.enterPIN(ctx, m, st); err != nil {
				return err
			}
			entered = true
		case text == "SIM PUK", text == "SIM PUK2":
			return &trouble{conditionPIN, "the SIM card is locked; unlock it in a telephone with its PUK, then put the right PIN into [sms] pin_file", errSIM}
		case !entered:
			return &trouble{conditionPIN, "the SIM card wants something else than a PIN; put it into a telephone", fmt.Errorf("%w: +CPIN: %.32q", errSIM, text)}
		}
		wait(ctx, d.o.Timing.Settle)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return &trouble{conditionSIM, "the SIM card does not get ready; restart the modem", errSIM}
}

// enterPIN tries the PIN of the file, once for each state of the file: that is
// noted before the card hears it.
func (d *Deliverer) enterPIN(ctx context.Context, m *modem, st *store) error {
	if d.o.PINFile == "" {
		return &trouble{conditionPIN, `the SIM card asks for its PIN; write it into a file and name that in [sms] pin_file, or switch the PIN off`, errSIM}
	}
	pin, changed, err := readPIN(d.o.PINFile)
	if err != nil {
		return &trouble{conditionPIN, "the SIM card asks for its PIN and the file does not give it; write the digits on its first line", err}
	}
	refused, err := st.pinRefused(ctx)
	if err != nil {
		return storeError(err)
	}
	wrong := &trouble{conditionPIN, "the SIM card has refused the PIN in [sms] pin_file, and it is not tried again; write the right one, because the third wrong one locks the card", errSIM}
	if refused == changed {
		return wrong
	}
	if err := st.refusePIN(ctx, changed); err != nil {
		return storeError(err)
	}
	if _, err := m.command(ctx, `+CPIN="`+pin+`"`); err != nil {
		if judge(err) == notRefused {
			return err
		}
		return wrong
	}
	return storeError(st.refusePIN(ctx, 0))
}

func readPIN(path string) (pin string, changed int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pin = strings.TrimSpace(line)
	if len(pin) < 4 || len(pin) > 8 || strings.ContainsFunc(pin, func(c rune) bool { return c < '0' || c > '9' }) {
		return "", 0, fmt.Errorf("%s: want 4 to 8 digits on the first line", path)
	}
	return pin, info.ModTime().UnixNano(), nil
}
