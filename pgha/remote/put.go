package remote

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

//go:embed put.sh
var putScript string

// PutVia implements Executor.Put with one command of run. The content travels on standard input, so it is visible to
// nobody else; the script (a constant) does the comparing and the atomic replacing on the host.
func PutVia(ctx context.Context, run func(context.Context, Cmd) (Result, error), r io.Reader, meta FileMeta) (bool, error) {
	meta, err := meta.complete()
	if err != nil {
		return false, err
	}
	res, err := run(ctx, Cmd{
		Argv:     []string{"sh", "-c", putScript, "put", meta.Path, fmt.Sprintf("%o", meta.Mode), meta.Owner, meta.Group},
		Stdin:    r,
		Mutating: true,
	})
	if err != nil {
		return false, fmt.Errorf("put %s: %w", meta.Path, err)
	}
	switch word := lastWord(res.Stdout); word {
	case "changed":
		return true, nil
	case "unchanged":
		return false, nil
	default:
		return false, fmt.Errorf("put %s: the host answered %q", meta.Path, word)
	}
}

// GetVia implements Executor.Get with one command of run. The file is read whole into memory.
func GetVia(ctx context.Context, run func(context.Context, Cmd) (Result, error), name string) (io.ReadCloser, error) {
	const missing = 66 // sysexits.h EX_NOINPUT
	res, err := run(ctx, Cmd{Argv: []string{"sh", "-c", `[ -e "$1" ] || exit 66; exec cat -- "$1"`, "get", name}})
	if res.ExitCode == missing {
		return nil, &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	return io.NopCloser(bytes.NewReader(res.Stdout)), nil
}

// complete fills defaults in and refuses what cannot work.
func (m FileMeta) complete() (FileMeta, error) {
	if !path.IsAbs(m.Path) || path.Clean(m.Path) != m.Path {
		return m, fmt.Errorf("put %q: the path must be absolute and clean", m.Path)
	}
	if m.Mode == 0 {
		m.Mode = 0o644
	}
	if m.Owner == "" {
		m.Owner = "root"
	}
	if m.Group == "" {
		m.Group = "root"
	}
	return m, nil
}

func lastWord(b []byte) string {
	f := strings.Fields(string(b))
	if len(f) == 0 {
		return ""
	}
	return f[len(f)-1]
}
