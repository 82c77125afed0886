package sms

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/warthog618/modem/at"
)

var errNonsense = errors.New("the modem answers with something else")

// answer returns what follows "NAME:" in the lines of an answer.
func answer(lines []string, name string) (string, error) {
	for _, l := range lines {
		if text, ok := strings.CutPrefix(strings.TrimSpace(l), name+":"); ok {
			return strings.TrimSpace(text), nil
		}
	}
	return "", fmt.Errorf("%w than %s", errNonsense, name)
}

// numbers reads the whole numbers of an answer such as `0,1,"4E2A","00C7B21F"`;
// what is no number becomes -1.
func numbers(text string) []int {
	fields := strings.Split(text, ",")
	n := make([]int, len(fields))
	for i, f := range fields {
		v, err := strconv.ParseUint(strings.TrimSpace(f), 10, 16)
		n[i] = int(v)
		if err != nil {
			n[i] = -1
		}
	}
	return n
}

// registered reads an answer to +CREG? or +CEREG?: "MODE,STATE,…". At home,
// roaming, and the two that carry messages only.
func registered(text string) bool {
	n := numbers(text)
	return len(n) >= 2 && slices.Contains([]int{1, 5, 6, 7}, n[1])
}

// denied reports whether the network refuses the card, which waiting does not mend.
func denied(text string) bool {
	n := numbers(text)
	return len(n) >= 2 && n[1] == 3
}

// weakest is the least signal at which messages are hoped to get out: -103 dBm.
const weakest = 5

// weak reads an answer to +CSQ: "RSSI,BER". 99 means that it is not known.
func weak(text string) bool {
	n := numbers(text)
	return len(n) > 0 && n[0] >= 0 && n[0] < weakest
}

// refusal is what an error of the modem says about trying again.
type refusal uint8

const (
	// refusedNow: the network or the card cannot at present.
	refusedNow refusal = iota
	// refusedForGood: this number or message never goes.
	refusedForGood
	// refusedPerhaps: the message may have gone all the same.
	refusedPerhaps
	// notRefused: the error is none of the modem's words.
	notRefused
)

// judge reads the "+CMS ERROR" or "+CME ERROR" of a message (3GPP TS 27.005
// 3.2.5 and TS 24.011 E-2). A code that is not known may pass.
func judge(err error) refusal {
	var cms at.CMSError
	var cme at.CMEError
	switch {
	case errors.As(err, &cms):
	case errors.As(err, &cme), errors.Is(err, at.ErrError):
		return refusedNow
	default:
		return notRefused
	}
	code, parseErr := strconv.Atoi(strings.TrimSpace(string(cms)))
	switch {
	case parseErr != nil:
		return refusedNow
	case slices.Contains([]int{1, 8, 10, 21, 28, 29, 30, 50, 69, 304, 305}, code):
		return refusedForGood
	case code == 332: // the network did not say whether it took it
		return refusedPerhaps
	default:
		return refusedNow
	}
}
