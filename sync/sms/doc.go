// Package sms asks people by text message, through a GSM modem on a serial
// line, when an escalation step names their role, and tells them when the
// alert is over.
//
// A message about one event is given to the modem for one recipient at most
// once, as far as a modem can say: the hand-over is on disk before the modem
// hears of it, a refusal by the modem ("+CMS ERROR") allows another try, and a
// silence after the hand-over does not. What a crash or an unplugged cable left
// between hand-over and answer is never repeated but counted in the summary.
//
// The journal is read by a goroutine of its own into a small table, so that
// neither a slow nor a hung modem holds up anything. A modem that comes back
// sends what is young; what is older than the limit is skipped, and each
// recipient gets one summary of it.
//
// Nobody is asked about an alert that is closed or taken by then. A message
// counts as sent when the network took it: no delivery report is asked for, and
// no message is read. A text of several parts that was refused in the middle
// goes on with the part that was refused.
package sms
