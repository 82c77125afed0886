package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// longestLine bounds what is read of one answer.
const longestLine = 1024

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// askUnseen asks at the process's terminal and reads one line that the terminal
// does not show. The terminal is as before when it returns, also when ctx ends.
func askUnseen(ctx context.Context, aside io.Writer, question string) (_ string, err error) {
	// Opened anew, because a read of standard input cannot be interrupted.
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("open the terminal (or pipe the answer in): %w", err)
	}
	defer func() { _ = tty.Close() }() // it was only read
	raw, err := tty.SyscallConn()
	if err != nil {
		return "", fmt.Errorf("use the terminal: %w", err)
	}
	before, err := termios(raw.Control, nil)
	if err != nil {
		return "", fmt.Errorf("read the terminal's settings: %w", err)
	}
	unseen := *before
	unseen.Lflag &^= unix.ECHO
	if _, err := termios(raw.Control, &unseen); err != nil {
		return "", fmt.Errorf("stop the terminal from showing what is typed: %w", err)
	}
	defer func() {
		_, back := termios(raw.Control, before)
		fmt.Fprintln(aside) // the line break that was typed was not shown either
		err = errors.Join(err, back)
	}()
	defer context.AfterFunc(ctx, func() { _ = tty.SetReadDeadline(time.Unix(1, 0)) })()
	fmt.Fprint(aside, question)
	line, err := readLine(tty)
	if ctx.Err() != nil {
		return "", fmt.Errorf("no answer: %w", ctx.Err())
	}
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return line, nil
}

// termios sets the settings of a terminal, or returns them when set is nil.
func termios(control func(func(uintptr)) error, set *unix.Termios) (*unix.Termios, error) {
	var err error
	outer := control(func(fd uintptr) {
		if set == nil {
			set, err = unix.IoctlGetTermios(int(fd), unix.TCGETS)
			return
		}
		err = unix.IoctlSetTermios(int(fd), unix.TCSETSF, set)
	})
	return set, errors.Join(outer, err)
}

// readLine reads one line without its end.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, longestLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
