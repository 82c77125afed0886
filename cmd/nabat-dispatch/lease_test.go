package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres runs Debian's PostgreSQL on a socket of its own.
func postgres(t *testing.T) (url string) {
	t.Helper()
	const bin = "/usr/lib/postgresql/15/bin/"
	dir, err := os.MkdirTemp("", "nabat-lease-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	initdb := exec.Command(bin+"initdb", "-D", filepath.Join(dir, "data"), "-U", "nabat", "-A", "trust", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := exec.Command(bin+"postgres", "-D", filepath.Join(dir, "data"), "-k", dir, "-c", "listen_addresses=")
	server.SysProcAttr, server.Dir = attr, dir
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Signal(syscall.SIGINT); _ = server.Wait() })
	url = "postgres:///postgres?user=nabat&host=" + dir
	waitUntil(t, "PostgreSQL", nil, func() bool {
		c, err := pgx.Connect(t.Context(), url)
		if err == nil {
			_ = c.Close(t.Context())
		}
		return err == nil
	})
	return url
}

func TestOneProcessHoldsTheLease(t *testing.T) {
	url := postgres(t)
	log := slog.New(slog.DiscardHandler)
	first, second := newLease(url, "d", log), newLease(url, "d", log)
	held, release, err := first.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan func(), 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		_, release, err := second.Hold(ctx)
		if err != nil {
			release = nil
		}
		got <- release
	}()
	// Another name is another lease.
	_, third, err := newLease(url, "other", log).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	third()
	select {
	case <-got:
		t.Error("two hold one lease")
	default:
	}
	// The connection dies as with its process: the first hears of it, the
	// second goes on.
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"); err != nil {
		t.Fatal(err)
	}
	_ = admin.Close(t.Context())
	select {
	case <-held.Done():
	case <-time.After(patience):
		t.Error("the first does not know that it lost the lease")
	}
	release()
	next := <-got
	if next == nil {
		t.Fatal("the second did not get the lease")
	}
	next()
	if newLease("sqlite:x", "d", log) != nil {
		t.Error("a database of one process has a lease")
	}
}
