package remote

import (
	"bytes"
	"context"
	_ "embed"
	"strings"
	"time"
)

//go:embed foreign.sh
var foreignScript string

// signed is what every file that pgha writes, and that has room for a comment, says near its
// beginning.
var signed = []byte("ritten by pgha")

// ForeignCommand is a command for Batch that prints those of the paths, each with a NUL behind it,
// that hold a file which neither pgha nor a package wrote: what Ensure would keep a copy of.
func ForeignCommand(paths ...string) []string {
	return append([]string{"sh", "-c", foreignScript, "foreign"}, paths...)
}

// signs reports whether the new content says who wrote it. Only then does its absence from the old
// one tell anything: certificates and keys carry no signature.
func (f File) signs() bool { return bytes.Contains(f.Content[:min(len(f.Content), 1024)], signed) }

// copyMark is what the name of a copy has between the file's path and the moment of its last
// change.
const copyMark = ".pgha-orig-"

// CopyOf returns the path of the file that name is a copy of, made by Ensure; for any other name it
// returns name.
func CopyOf(name string) string {
	path, _, _ := strings.Cut(name, copyMark)
	return path
}

// keep saves a copy of a file that neither pgha nor a package wrote beside it, before File replaces
// it. The name holds the moment at which the file last changed, so that a plan names the same copy
// as the apply that follows it, and a second run makes no second copy. Whose a file is gets asked
// only here: files that stay as they are need not be read for it.
func (f File) keep(ctx context.Context, t *Target, seen *observation) (Changes, error) {
	was, exists := seen.files[f.Path]
	if !exists || !f.signs() {
		return nil, nil
	}
	res, err := t.Batch(ctx, ForeignCommand(f.Path))
	if err != nil || len(res[0].Stdout) == 0 {
		return nil, err
	}
	kept := f.Path + copyMark + time.Unix(int64(was.changed), 0).UTC().Format("20060102T150405Z")
	if err := t.mutate(ctx, "cp", "-a", "--", f.Path, kept); err != nil {
		return nil, err
	}
	return Changes{{Kind: "copy", Name: kept, Action: "kept: " + f.Path + " was written by " +
		"somebody else",
		Was: nil}}, nil
}
