package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a configuration file. It never contains a secret.
type Problem struct {
	File string
	// Line counts from 1. For something that is missing it is the line of the
	// section that should hold it.
	Line int
	// What is wrong, and what would be right.
	What   string
	Remedy string
}

// Error returns "file:line: what; remedy".
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d: %s; %s", p.File, p.Line, p.What, p.Remedy)
}

// Errors is every mistake in one file, sorted by line.
type Errors []Problem

// Error returns one line per mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the Problems.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, p := range e {
		errs[i] = p
	}
	return errs
}

// reader collects the problems of one file.
type reader struct {
	file     string
	problems Errors
	warnings []Problem
}

// report notes a mistake: what would be right, then what is wrong.
func (r *reader) report(line int, remedy, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.file, Line: line, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

// warn notes what is allowed and yet hardly meant.
func (r *reader) warn(line int, remedy, format string, args ...any) {
	r.warnings = append(r.warnings, Problem{File: r.file, Line: line, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (r *reader) sortedWarnings() []Problem {
	slices.SortStableFunc(r.warnings, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return r.warnings
}

// errors returns what was collected, or an untyped nil.
func (r *reader) errors() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return r.problems
}
