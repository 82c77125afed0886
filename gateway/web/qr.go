package web

import (
	"fmt"
	"strconv"
	"strings"

	qrcode "github.com/skip2/go-qrcode"
)

// qrCode is a QR code as a page draws it: one path of unit squares.
type qrCode struct {
	// Size is the side in modules, with the white border that readers need.
	Size int `json:"size"`
	// Path draws the dark modules, row by row.
	Path string `json:"path"`
}

// newQR makes the code of a text. A seventh of it may be covered or dirty.
func newQR(content string) (*qrCode, error) {
	code, err := qrcode.New(content, qrcode.Medium)
	if err != nil {
		return nil, fmt.Errorf("QR code of %d bytes: %w", len(content), err)
	}
	rows := code.Bitmap()
	var b strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			run := 1
			for x+run < len(row) && row[x+run] {
				run++
			}
			b.WriteString("M" + strconv.Itoa(x) + " " + strconv.Itoa(y) + "h" + strconv.Itoa(run) + "v1h-" + strconv.Itoa(run) + "z")
			x += run
		}
	}
	return &qrCode{Size: len(rows), Path: b.String()}, nil
}
