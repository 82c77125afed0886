package desk

import (
	"encoding/csv"
	"net/http"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// table writes a CSV file that Excel opens by a double click: UTF-8 with its
// mark, CRLF, and what separates columns where the language is spoken, which
// is a semicolon in Russian and Kazakh settings and a comma in English ones.
type table struct {
	s    *Server
	w    http.ResponseWriter
	rc   *http.ResponseController
	csv  *csv.Writer
	rows int
}

func (s *Server) newTable(w http.ResponseWriter, l alert.Language, name string) *table {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+"-"+s.now().In(s.opt.Zone).Format("2006-01-02")+`.csv"`)
	t := &table{s: s, w: w, rc: http.NewResponseController(w), csv: csv.NewWriter(w)}
	t.csv.UseCRLF = true
	if l != alert.English {
		t.csv.Comma = ';'
	}
	// A failed write shows at the next flush.
	_, _ = w.Write([]byte("\ufeff"))
	return t
}

// row writes one row.
func (t *table) row(cells ...string) {
	for i := range cells {
		cells[i] = harmless(cells[i])
	}
	// The error stays in the writer until end.
	_ = t.csv.Write(cells)
	if t.rows++; t.rows%200 == 0 {
		t.csv.Flush()
		// A long export may take longer than a page; where the connection has no
		// deadlines there is nothing to put off.
		_ = t.rc.SetWriteDeadline(time.Now().Add(writeWithin * 6))
	}
}

// end writes what is left.
func (t *table) end() { t.csv.Flush() }

// fail breaks the connection off: a file that just ends would look complete.
func (t *table) fail(err error) {
	t.s.log.Error("an export could not be finished", "error", err)
	t.csv.Flush()
	panic(http.ErrAbortHandler) // net/http's own way to say that an answer is not whole
}

// harmless keeps a cell from being a formula: a spreadsheet would compute what
// somebody wrote into a place's name.
func harmless(cell string) string {
	cell = strings.ReplaceAll(cell, "\x00", "")
	trimmed := strings.TrimLeft(cell, " \t\r\n\u00a0\ufeff")
	if cell != trimmed && strings.ContainsAny(cell[:1], "\t\r\n") || trimmed != "" && strings.ContainsAny(trimmed[:1], "=+-@|") || strings.HasPrefix(trimmed, "＝") || strings.HasPrefix(trimmed, "＋") || strings.HasPrefix(trimmed, "－") || strings.HasPrefix(trimmed, "＠") {
		return "'" + cell
	}
	return cell
}
