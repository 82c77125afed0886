package sms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warthog618/modem/at"
	"github.com/warthog618/modem/gsm"
	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

var (
	errSilent = errors.New("the modem does not answer")
	errSIM    = errors.New("the SIM card cannot be used")
)

// modem is one opened line with a GSM modem that has answered. One goroutine
// uses it.
type modem struct {
	port   *port
	at     *at.AT
	gsm    *gsm.GSM
	timing Timing
}

// openModem opens the line and brings the modem into a known state. What an
// earlier session left there is thrown away first: a late "OK" would be taken
// for the answer to another command.
func openModem(ctx context.Context, device string, baud int, t Timing) (*modem, error) {
	p, err := openPort(device, baud, t.Write)
	if err != nil {
		return nil, err
	}
	// The escape ends a message that was half given when the gateway died.
	if _, err := p.Write([]byte("\x1b\r\n")); err != nil {
		return nil, errors.Join(fmt.Errorf("wake the modem: %w", err), p.Close())
	}
	wait(ctx, t.Settle)
	if err := p.forget(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	m := &modem{port: p, timing: t, at: at.New(p, at.WithTimeout(t.Command))}
	m.gsm = gsm.New(m.at, gsm.WithNumericErrors)
	// "Z" may be refused by a modem that has no stored profile; the others decide
	// how everything after them is understood.
	if _, err := m.command(ctx, "Z"); err != nil && judge(err) == notRefused {
		return nil, errors.Join(fmt.Errorf("%w: %w", errSilent, err), m.close())
	}
	for _, c := range []string{"E0", "+CMEE=1"} {
		if _, err := m.command(ctx, c); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: AT%s: %w", errSilent, c, err), m.close())
		}
	}
	return m, nil
}

// close ends the session and everything that was started for it.
func (m *modem) close() error {
	err := m.port.Close()
	<-m.at.Closed()
	return err
}

// command gives one short command. The end of ctx closes the line under it, so
// that a modem that does not answer cannot hold up the end of the program.
func (m *modem) command(ctx context.Context, text string) ([]string, error) {
	stop := context.AfterFunc(ctx, func() { _ = m.port.Close() })
	defer stop()
	return m.at.Command(text)
}

// ask gives a command whose answer has one line with the command's own name,
// and returns what stands there.
func (m *modem) ask(ctx context.Context, name string) (string, error) {
	lines, err := m.command(ctx, name+"?")
	if err != nil {
		return "", err
	}
	return answer(lines, name)
}

// submit gives one part of a message to the modem and waits for the network's
// answer. The end of ctx shortens the wait to the grace.
func (m *modem) submit(ctx context.Context, part tpdu.TPDU) error {
	pdu, err := part.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	grace := time.AfterFunc(time.Hour, func() { _ = m.port.Close() })
	defer grace.Stop()
	stop := context.AfterFunc(ctx, func() { grace.Reset(m.timing.Grace) })
	defer stop()
	m.port.begin()
	_, err = m.gsm.SendPDU(pdu, at.WithTimeout(m.timing.Submit))
	return err
}

// encode cuts a text into the parts that the network carries: 160 letters of
// the GSM alphabet, or 70 of any, in one part. ref marks the parts that belong
// together; the library's own counter would begin anew with each message.
func encode(number, text string, ref int) ([]tpdu.TPDU, error) {
	parts, err := sms.Encode([]byte(text), sms.To(number), reference(ref))
	if err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	return parts, nil
}

// reference is the mark of one message's parts.
type reference int

// ApplyEncoderOption implements sms.EncoderOption.
func (r reference) ApplyEncoderOption(e *sms.Encoder) { e.ConcatRef = r }

// Count implements tpdu.Counter: 1 to 255.
func (r reference) Count() int { return int(r)%255 + 1 }

// wait waits for d or for the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
