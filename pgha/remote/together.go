package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// Together is files that a program reads as one, such as a certificate and its key. Those that
// differ are written beside their places first and then moved there by one command, so that a run
// that is cut off leaves all of the old ones or all of the new ones. Their Validate is not asked.
type Together []File

// moveWithin bounds the moving and the clearing away, which also an ended context does not divide.
const moveWithin = 10 * time.Second

const (
	moveIn    = `for f; do mv -fT -- "$f.pgha-new" "$f" || exit; done`
	clearAway = `for f; do rm -f -- "$f.pgha-new"; done`
)

// candidateSuffix is what the name of a file has that is not in its place yet.
const candidateSuffix = ".pgha-new"

func (g Together) String() string { return fmt.Sprintf("%d files with %s", len(g), g[0].Path) }

func (g Together) questions(q *questions) {
	for _, f := range g {
		f.questions(q)
	}
}

func (g Together) settle(ctx context.Context, t *Target, seen *observation,
	_ Changes) (Changes, error) {
	var kept, changes Changes
	var paths []string
	clear := func() error { return t.move(ctx, clearAway, paths) }
	for _, f := range g {
		change, meta, err := f.differs(ctx, t, seen)
		if err == nil && change == nil {
			continue
		}
		var copied Changes
		if err == nil {
			copied, err = f.keep(ctx, t, seen)
			kept = append(kept, copied...)
		}
		if err == nil {
			paths = append(paths, meta.Path)
			candidate := meta
			candidate.Path += candidateSuffix
			_, err = t.Put(ctx, bytes.NewReader(f.Content), candidate)
		}
		if err != nil {
			return kept, errors.Join(err, clear())
		}
		changes = append(changes, *change)
	}
	if len(changes) == 0 {
		return nil, nil
	}
	if err := t.move(ctx, moveIn, paths); err != nil {
		return kept, err
	}
	return append(kept, changes...), nil
}

// move runs a script over paths, to its end also when ctx ends.
func (t *Target) move(ctx context.Context, script string, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveWithin)
	defer cancel()
	return t.mutate(ctx, append([]string{"sh", "-c", script, "move"}, paths...)...)
}
