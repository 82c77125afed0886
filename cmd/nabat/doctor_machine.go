package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/clock"
	"nabat/gateway/config"
	"nabat/hw/gpio"
)

// littleSpace is how much of a disk should be free: weeks of events and clips.
const littleSpace = 512 << 20

// board reads every button's line once, where no gateway holds it.
func (d doctor) board(context.Context) []finding {
	switch {
	case d.config.Board == config.BoardSim:
		return []finding{{doubt, "board", `board = "sim" reads no real button`}}
	case d.running != nil:
		var list []finding
		for _, p := range d.running.Points {
			if p.Fault != "" || !p.Armed {
				list = append(list, finding{broken, "point " + p.ID, fmt.Sprintf("%s %s: check its line and its wire", p.Fault, p.Detail)})
			}
		}
		if len(list) == 0 {
			list = []finding{{well, "board", fmt.Sprintf("all %d points are armed", len(d.running.Points))}}
		}
		return list
	}
	var list []finding
	for _, in := range d.config.Inputs {
		if err := readButton(in.Switch); err != nil {
			list = append(list, finding{broken, "button " + in.Point, oneLine(err)})
		}
	}
	if len(list) == 0 {
		list = []finding{{well, "board", fmt.Sprintf("the lines of %d buttons can be read", len(d.config.Inputs))}}
	}
	return list
}

func readButton(s config.Switch) (err error) {
	in, err := gpio.OpenInput(lineID(s.Line), bias(s.Bias), consumer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	_, err = in.Level()
	return err
}

func (d doctor) clock(context.Context) []finding {
	c, err := clock.NewSystem()
	if err != nil {
		return []finding{found("clock", "", err)}
	}
	now := c.Now()
	zone := now.Wall.Local().Format("2006-01-02 15:04 MST")
	switch {
	case now.Synced:
		return []finding{{well, "clock", zone + ", synchronised"}}
	case clock.Battery():
		return []finding{{well, "clock", zone + ", by its battery clock; not synchronised"}}
	case now.Wall.Year() < 2025:
		return []finding{{broken, "clock", zone + " cannot be: set it (sudo timedatectl set-time …) or give the machine a network or a battery clock; no bell rings"}}
	default:
		return []finding{{doubt, "clock", zone + ", not synchronised: is that right? Without a network a battery clock keeps it right over a power cut"}}
	}
}

// disk writes and syncs a few bytes where the journal is.
func (d doctor) disk(context.Context) []finding {
	dir := d.config.DataDir
	took, err := writeSynced(dir)
	if err != nil {
		return []finding{{broken, "disk", fmt.Sprintf("%s cannot be written: %v; is it there, not full, and yours (try sudo -u nabat)?", dir, err)}}
	}
	list := []finding{{well, "disk", fmt.Sprintf("%s keeps what is written after %s", dir, took.Round(10*time.Microsecond))}}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return append(list, found("disk space", "", err))
	}
	free := int64(fs.Bavail) * int64(fs.Bsize) //nolint:unconvert // it has 32 bits on some machines
	switch {
	case fs.Type == unix.TMPFS_MAGIC:
		list = append(list, finding{broken, "disk", dir + " is memory (tmpfs): a power cut would lose every event; set data_dir to a folder on the card"})
	case free < littleSpace:
		list = append(list, finding{doubt, "disk space", fmt.Sprintf("%d MiB are free: make room before it is full", free>>20)})
	default:
		list = append(list, finding{well, "disk space", fmt.Sprintf("%d MiB are free", free>>20)})
	}
	return list
}

func writeSynced(dir string) (took time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(filepath.Join(dir, filepath.Base(f.Name())))) }()
	begun := time.Now()
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		return 0, err
	}
	err = f.Sync()
	return time.Since(begun), err
}
