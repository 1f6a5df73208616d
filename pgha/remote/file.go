package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/aymanbagabas/go-udiff"
)

// File is a file with exactly this content, mode and owner. When the content says that pgha wrote
// it, and what it replaces was written by neither pgha nor a package, a copy of that is kept beside
// it as PATH.pgha-orig-TIME, with the time of its last change; the copy is a change of its own.
type File struct {
	FileMeta
	Content []byte
	// Secret keeps the content out of diffs.
	Secret bool
	// Public, when set, tells of the content that is replaced whether a diff may show it. It is not
	// asked where there is none, or where Secret is true.
	Public func(old []byte) bool
	// Validate, when set, gets the path of the new content before it replaces the old and returns
	// the command that must accept it, for example haproxy -c -f PATH. The new file lies in the
	// same folder under a temporary name.
	Validate func(path string) Cmd
}

func (f File) String() string         { return "file " + f.Path }
func (f File) questions(q *questions) { q.paths.add(f.Path) }
func (f File) settle(ctx context.Context, t *Target, seen *observation,
	_ Changes) (Changes, error) {
	change, meta, err := f.differs(ctx, t, seen)
	if err != nil || change == nil {
		return nil, err
	}
	kept, err := f.keep(ctx, t, seen)
	if err != nil {
		return nil, err
	}
	if err := f.put(ctx, t, meta); err != nil {
		return kept, err
	}
	return append(kept, *change), nil
}

// differs returns the change that the file needs, nil if it is as it should be.
func (f File) differs(ctx context.Context, t *Target,
	seen *observation) (*Change, FileMeta, error) {
	meta, err := f.complete()
	if err != nil {
		return nil, meta, err
	}
	old, exists := seen.files[meta.Path]
	sum := sha256.Sum256(f.Content)
	sameContent := old.kind != "symbolic link" && old.sha256 == hex.EncodeToString(sum[:])
	if exists && sameContent && old.mode == uint64(meta.Mode) && old.owner == meta.Owner &&
		old.group == meta.Group {
		return nil, meta, nil
	}
	change := &Change{Kind: "file", Name: meta.Path, Action: "created", Was: seen.was(meta.Path)}
	switch {
	case exists && sameContent:
		change.Action = fmt.Sprintf("given to %s:%s with mode %04o (was %s:%s %04o)", meta.Owner,
			meta.Group, meta.Mode, old.owner, old.group, old.mode)
	case exists:
		change.Action = "updated"
	}
	if !sameContent && !f.Secret {
		change.Diff, err = f.diff(ctx, t, exists)
	}
	return change, meta, err
}

// put writes the file, by way of its validation if it has one.
func (f File) put(ctx context.Context, t *Target, meta FileMeta) error {
	if f.Validate == nil || t.Planning() {
		_, err := t.Put(ctx, bytes.NewReader(f.Content), meta)
		return err
	}
	candidate := meta
	candidate.Path += candidateSuffix
	if _, err := t.Put(ctx, bytes.NewReader(f.Content), candidate); err != nil {
		return err
	}
	if _, err := t.Run(ctx, f.Validate(candidate.Path)); err != nil {
		err = fmt.Errorf("the new %s was refused, the old one stays: %w", meta.Path, err)
		if rmErr := t.mutate(ctx, "rm", "-f", "--", candidate.Path); rmErr != nil {
			err = errors.Join(err, rmErr)
		}
		return err
	}
	return t.mutate(ctx, "mv", "-fT", "--", candidate.Path, meta.Path)
}

func (f File) diff(ctx context.Context, t *Target, exists bool) (string, error) {
	var old []byte
	if exists {
		r, err := t.Get(ctx, f.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err == nil {
			old, err = io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil {
				return "", err
			}
		}
	}
	if exists && f.Public != nil && !f.Public(old) {
		return "", nil
	}
	return udiff.Unified(f.Path, f.Path, string(old), string(f.Content)), nil
}

// Dir is a folder with this mode and owner; its parents are made with mode 0755 if they are
// missing. What lies in it is left alone.
type Dir struct{ FileMeta }

func (d Dir) String() string         { return "directory " + d.Path }
func (d Dir) questions(q *questions) { q.paths.add(d.Path) }
func (d Dir) settle(ctx context.Context, t *Target, seen *observation, _ Changes) (Changes, error) {
	meta := d.FileMeta
	if meta.Mode == 0 {
		meta.Mode = 0o755
	}
	meta, err := meta.complete()
	if err != nil {
		return nil, err
	}
	old, exists := seen.files[meta.Path]
	if exists && old.kind != "directory" {
		return nil, fmt.Errorf("%s is in the way: it is a %s", meta.Path, old.kind)
	}
	if exists && old.mode == uint64(meta.Mode) && old.owner == meta.Owner &&
		old.group == meta.Group {
		return nil, nil
	}
	action := "created"
	if exists {
		action = fmt.Sprintf("given to %s:%s with mode %04o (was %s:%s %04o)", meta.Owner,
			meta.Group,
			meta.Mode, old.owner, old.group, old.mode)
	}
	err = t.mutate(ctx, "install", "-d", "-m", strconv.FormatUint(uint64(meta.Mode), 8), "-o",
		meta.Owner,
		"-g", meta.Group, "--", meta.Path)
	if err != nil {
		return nil, err
	}
	return Changes{{Kind: "directory", Name: meta.Path, Action: action, Was: seen.was(meta.Path)}},
		nil
}

// Absent is a path where nothing is. A folder is only removed when it is empty.
type Absent struct{ Path string }

func (a Absent) String() string         { return "absence of " + a.Path }
func (a Absent) questions(q *questions) { q.paths.add(a.Path) }
func (a Absent) settle(ctx context.Context, t *Target, seen *observation,
	_ Changes) (Changes, error) {
	old, exists := seen.files[a.Path]
	if !exists {
		return nil, nil
	}
	argv := []string{"rm", "-f", "--", a.Path}
	if old.kind == "directory" {
		argv = []string{"rmdir", "--", a.Path}
	}
	if err := t.mutate(ctx, argv...); err != nil {
		return nil, err
	}
	return Changes{{Kind: "file", Name: a.Path, Action: "removed", Was: seen.was(a.Path)}}, nil
}
