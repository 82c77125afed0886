package slides

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Reasons why a picture is left out.
var (
	errNoPicture = errors.New("not a PNG, JPEG or WebP picture: export it again")
	errCut       = errors.New("the picture is not complete: copy it again")
)

// checkPicture returns the media type of a picture that is complete and not too
// large. It walks the file's structure and unpacks nothing: that a picture would
// take all memory is found out without taking it.
func checkPicture(body []byte) (media string, err error) {
	var w, h int
	switch {
	case bytes.HasPrefix(body, []byte("\x89PNG\r\n\x1a\n")):
		media = "image/png"
		w, h, err = checkPNG(body[8:])
	case bytes.HasPrefix(body, []byte("\xff\xd8\xff")):
		media = "image/jpeg"
		w, h, err = checkJPEG(body[2:])
	case len(body) >= 12 && string(body[:4]) == "RIFF" && string(body[8:12]) == "WEBP":
		media = "image/webp"
		w, h, err = checkWebP(body)
	default:
		return "", errNoPicture
	}
	if err != nil {
		return "", err
	}
	if w <= 0 || h <= 0 {
		return "", errNoPicture
	}
	if w > MaxSide || h > MaxSide || w*h > MaxPixels {
		return "", fmt.Errorf("the picture has %d x %d pixels: make it smaller, 1920 x 1080 is enough", w, h)
	}
	return media, nil
}

// checkPNG walks the chunks, each with its checksum, to the last one.
func checkPNG(b []byte) (w, h int, err error) {
	for first := true; ; first = false {
		if len(b) < 12 {
			return 0, 0, errCut
		}
		size := binary.BigEndian.Uint32(b)
		if uint64(size) > uint64(len(b)-12) {
			return 0, 0, errCut
		}
		kind, data, sum := string(b[4:8]), b[8:8+size], binary.BigEndian.Uint32(b[8+size:])
		if crc32.ChecksumIEEE(b[4:8+size]) != sum {
			return 0, 0, errCut
		}
		switch {
		case first && (kind != "IHDR" || len(data) != 13):
			return 0, 0, errNoPicture
		case first:
			w, h = int(binary.BigEndian.Uint32(data)), int(binary.BigEndian.Uint32(data[4:]))
		case kind == "IEND":
			return w, h, nil
		}
		b = b[12+size:]
	}
}

// checkJPEG walks the segments, and the coded data between them, to the end mark.
func checkJPEG(b []byte) (w, h int, err error) {
	for {
		// To the next mark: 0xff00 is a byte of data, 0xffd0 to 0xffd7 restart it.
		for len(b) >= 2 && (b[0] != 0xff || b[1] == 0 || b[1] == 0xff || (b[1] >= 0xd0 && b[1] <= 0xd7)) {
			b = b[1:]
		}
		if len(b) < 2 {
			return 0, 0, errCut
		}
		mark := b[1]
		b = b[2:]
		if mark == 0xd9 {
			return w, h, nil
		}
		if len(b) < 2 {
			return 0, 0, errCut
		}
		size := int(binary.BigEndian.Uint16(b))
		if size < 2 || size > len(b) {
			return 0, 0, errCut
		}
		if mark >= 0xc0 && mark <= 0xcf && mark != 0xc4 && mark != 0xc8 && mark != 0xcc {
			if size < 7 {
				return 0, 0, errNoPicture
			}
			h, w = int(binary.BigEndian.Uint16(b[3:])), int(binary.BigEndian.Uint16(b[5:]))
		}
		b = b[size:]
	}
}

// checkWebP compares the container's length and reads the size from its first chunk.
func checkWebP(b []byte) (w, h int, err error) {
	if uint64(binary.LittleEndian.Uint32(b[4:]))+8 > uint64(len(b)) {
		return 0, 0, errCut
	}
	if len(b) < 30 {
		return 0, 0, errCut
	}
	data := b[20:]
	switch string(b[12:16]) {
	case "VP8 ":
		if !bytes.Equal(data[3:6], []byte{0x9d, 0x01, 0x2a}) {
			return 0, 0, errNoPicture
		}
		return int(binary.LittleEndian.Uint16(data[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(data[8:]) & 0x3fff), nil
	case "VP8L":
		if data[0] != 0x2f {
			return 0, 0, errNoPicture
		}
		bits := binary.LittleEndian.Uint32(data[1:])
		return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, nil
	case "VP8X":
		three := func(p []byte) int { return int(p[0]) | int(p[1])<<8 | int(p[2])<<16 }
		return three(data[4:]) + 1, three(data[7:]) + 1, nil
	}
	return 0, 0, errNoPicture
}
