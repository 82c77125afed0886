package store

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed schema
var schemaFiles embed.FS

// schemaSteps returns the steps 1, 2, 3… of one engine, from files named
// 1.sql, 2.sql, 3.sql…
func schemaSteps(files fs.FS, engine string) ([]string, error) {
	names, err := fs.Glob(files, "schema/"+engine+"/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list schema: %w", err)
	}
	number := func(name string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".sql")) // 0 for a wrong name, refused below
		return n
	}
	slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
	steps := make([]string, len(names))
	for i, name := range names {
		if number(name) != i+1 {
			return nil, fmt.Errorf("schema file %s: want number %d: %w", name, i+1, fs.ErrInvalid)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		steps[i] = string(text)
	}
	return steps, nil
}
