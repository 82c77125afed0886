package slides

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"syscall"
)

// maxEntries bounds what is read of a directory's list.
const maxEntries = 1000

// scan returns what the directory holds. A file that is known with the same
// size and time is not read again.
func (s *Shelf) scan(known map[string]file) (map[string]file, error) {
	dir, err := os.Open(s.dir)
	if err != nil {
		return nil, fmt.Errorf("open the slides: %w", err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("list the slides in %s: %w", s.dir, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return inOrder(a.Name(), b.Name()) })
	files := make(map[string]file)
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || unseen(name) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it has just been taken away
		}
		f := file{name: name, size: info.Size(), modified: info.ModTime()}
		old, ok := known[name]
		switch {
		case len(files) == MaxFiles:
			f.problem = fmt.Sprintf("not shown, because the directory has more than %d files: take some away", MaxFiles)
		case len(files) > MaxFiles:
			return files, nil
		case !plain(info):
			f.problem = "not a plain file: copy the file itself into the directory"
		case ok && old.problem == "" && old.size == f.size && old.modified.Equal(f.modified):
			f = old
		default:
			s.fill(&f)
		}
		files[name] = f
	}
	return files, nil
}

func plain(info fs.FileInfo) bool { return info.Mode().IsRegular() }

// unseen says that a file is nobody's slide: what programs leave behind.
func unseen(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") || strings.HasSuffix(name, "~") {
		return true
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".tmp", ".part", ".crdownload", ".swp", ".db", ".ini":
		return true
	}
	return len(name) > 120 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl)
}

// fill reads and checks a file.
func (s *Shelf) fill(f *file) {
	switch strings.ToLower(path.Ext(f.name)) {
	case ".md", ".markdown":
		body, err := s.read(f.name, MaxMarkdown)
		if err == nil && len(body) == 0 {
			err = errors.New("the file is empty")
		}
		if err == nil && !utf8.Valid(body) {
			err = errors.New("the text is not UTF-8: save it as UTF-8")
		}
		if err != nil {
			f.problem = err.Error()
			return
		}
		f.hash, f.nodes = hashOf(body), parse(plainText(body))
	case ".png", ".jpg", ".jpeg", ".webp":
		body, err := s.read(f.name, MaxPicture)
		if err == nil {
			f.media, err = checkPicture(body)
		}
		if err != nil {
			f.problem, f.media = err.Error(), ""
			return
		}
		f.hash = hashOf(body)
	default:
		f.problem = "slides are Markdown (.md) or pictures (.png, .jpg, .webp): export the file as one of these"
	}
}

// read returns a whole file of the directory, of at most limit bytes. A link
// that leads out of the directory is refused by the kernel's own walk; a pipe
// is not waited for.
func (s *Shelf) read(name string, limit int64) ([]byte, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("open the slides: %w", err)
	}
	defer root.Close()
	in, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open slide %s: %w", name, err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at slide %s: %w", name, err)
	}
	if !plain(info) {
		return nil, fmt.Errorf("slide %s is not a plain file", name)
	}
	body, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read slide %s: %w", name, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("slide %s is larger than %d KiB: make it smaller", name, limit>>10)
	}
	return body, nil
}
