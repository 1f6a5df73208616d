package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/oneline"
)

//go:embed put.sh
var putScript string

// putPatience is how long a host waits for the next mebibyte of a file. It is longer than this side
// takes to give up a connection that is silent.
const putPatience = time.Minute

// PutVia implements Executor.Put with one command of run. The content travels on standard input, so
// it is visible to nobody else; the script (a constant) does the comparing and the atomic replacing
// on the host. A checksum follows the content, so that neither a failing r nor a lost connection
// leaves part of a file in place.
func PutVia(ctx context.Context, run func(context.Context, Cmd) (Result, error), r io.Reader,
	meta FileMeta) (bool, error) {
	meta, err := meta.complete()
	if err != nil {
		return false, err
	}
	content := &summed{r: r, sum: sha256.New()}
	res, err := run(ctx, Cmd{
		Argv: []string{"sh", "-c", putScript, "put", meta.Path, fmt.Sprintf("%o", meta.Mode),
			meta.Owner, meta.Group, strconv.Itoa(int(putPatience / time.Second))},
		Stdin:    content,
		Mutating: true,
	})
	if failed := content.failure(); failed != nil {
		return false, fmt.Errorf("put %s: read content: %w", meta.Path, failed)
	}
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

// summed reads r and then the SHA-256 of what it read, in hexadecimal.
type summed struct {
	r    io.Reader
	sum  hash.Hash
	tail io.Reader // set at the end of r

	mu  sync.Mutex // an Executor may still read when run has returned
	err error
}

func (s *summed) Read(p []byte) (int, error) {
	if s.tail != nil {
		return s.tail.Read(p)
	}
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	switch {
	case err == io.EOF:
		s.tail, err = strings.NewReader(hex.EncodeToString(s.sum.Sum(nil))), nil
	case err != nil:
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *summed) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// GetVia implements Executor.Get with one command of run. The file is read whole into memory.
// Output that a login shell puts before the command's own is cut off.
func GetVia(ctx context.Context, run func(context.Context, Cmd) (Result, error),
	name string) (io.ReadCloser, error) {
	const missing = 66 // sysexits.h EX_NOINPUT
	mark := "pgha-" + rand.Text()
	res, err := run(ctx,
		Cmd{Argv: []string{"sh", "-c", `[ -e "$1" ] || exit 66; echo "$2"; exec cat -- "$1"`, "get",
			name, mark}})
	if res.ExitCode == missing {
		return nil, &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	_, content, ok := bytes.Cut(res.Stdout, []byte(mark+"\n"))
	if !ok {
		return nil, fmt.Errorf("get %s: the host answered %q", name,
			oneline.Shorten(string(res.Stdout), 80))
	}
	return io.NopCloser(bytes.NewReader(content)), nil
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
