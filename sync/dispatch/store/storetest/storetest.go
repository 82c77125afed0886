// Package storetest runs a real PostgreSQL for tests.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Server is a PostgreSQL of its own, on a unix socket in a temporary folder,
// with fsync on.
type Server struct {
	dir   string
	cmd   *exec.Cmd
	out   *bytes.Buffer // of cmd; read after it has ended
	ended chan error
	names atomic.Int64
}

// ErrNoPostgres is returned where the programs are not installed.
var ErrNoPostgres = errors.New("no PostgreSQL found: apt install postgresql-15")

// Start makes a database cluster and starts a server for it. Call Stop, also
// when a test fails: from TestMain, or a cleanup.
func Start(ctx context.Context) (_ *Server, err error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return nil, ErrNoPostgres
	}
	bin := filepath.Dir(found[len(found)-1])
	s := &Server{out: new(bytes.Buffer), ended: make(chan error, 1)}
	// Not below TMPDIR: the name of a socket has 107 bytes at the most.
	if s.dir, err = os.MkdirTemp("/tmp", "nabat-pg-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	attr, err := s.owner()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(s.dir, "data")
	init := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "nabat", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	init.SysProcAttr, init.Dir = attr, s.dir
	// A machine's LANG may name a locale that it does not have.
	environment := append(os.Environ(), "LC_ALL=C")
	init.Env = environment
	if b, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, b)
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(bin, "postgres"), "-D", data, "-k", s.dir, "-c", "listen_addresses=",
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "shared_buffers=64MB", "-c", "max_connections=60", "-c", "log_min_messages=fatal")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: attr.Credential, Pdeathsig: syscall.SIGINT}
	s.cmd.Env = environment
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = s.out, s.out, s.dir
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	return s, s.await(ctx, filepath.Join(bin, "psql"))
}

// owner gives the folder to the user postgres where the test runs as root,
// whom PostgreSQL refuses.
func (s *Server) owner() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{}
	if os.Getuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrNoPostgres)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(s.dir, int(uid), int(gid))
}

func (s *Server) await(ctx context.Context, psql string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := exec.CommandContext(ctx, psql, s.URL("postgres"), "-Atc", "SELECT 1").CombinedOutput()
		if err == nil && strings.TrimSpace(string(b)) == "1" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w: %s", ctx.Err(), b)
		case err := <-s.ended:
			s.cmd = nil
			return fmt.Errorf("postgres has ended: %w: %s", err, s.out)
		case <-tick.C:
		}
	}
}

// URL names a database of the server.
func (s *Server) URL(name string) string {
	return "postgres://nabat@/" + name + "?host=" + s.dir
}

// Create makes an empty schema and returns a URL under which it is a database
// of its own, but for NOTIFY and advisory locks. A real database would take the
// server most of a second.
func (s *Server) Create(ctx context.Context) (string, error) {
	name := "test" + strconv.FormatInt(s.names.Add(1), 10)
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
	if err != nil || len(found) == 0 {
		return "", ErrNoPostgres
	}
	b, err := exec.CommandContext(ctx, found[len(found)-1], s.URL("postgres"), "-qc", "CREATE SCHEMA "+name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("create schema: %w: %s", err, b)
	}
	return s.URL("postgres") + "&options=-csearch_path%3D" + name, nil
}

// Stop ends the server and removes everything.
func (s *Server) Stop() error {
	var err error
	if s.cmd != nil {
		err = s.cmd.Process.Signal(syscall.SIGQUIT) // at once: nothing in it is needed any more
		kill := time.NewTimer(30 * time.Second)
		defer kill.Stop()
		select {
		case <-s.ended:
		case <-kill.C:
			err = errors.Join(err, s.cmd.Process.Kill())
			<-s.ended
		}
		s.cmd = nil
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
