package site

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
)

// keepNote puts standard input in place of the note.
//
//go:embed note.sh
var keepNote string

// JudgeState compares the state directory with what hosts remember of it, by the content of their
// notes (Facts.StateNote): nil, or an error that matches ErrRefused and says why nothing must be
// changed with this directory, and what to do. A host without a note is content with any. Changes
// nothing.
func (c *Site) JudgeState(notes map[string][]byte) error {
	if c.TakesOver {
		return nil
	}
	if c.State.TakingOver() {
		return errs.WithNext(fmt.Errorf("%w: the cluster is being taken over with %s, and not all "+
			"hosts have its authorities", errs.ErrRefused, c.State.Dir),
			errs.Text("finish it: %s", errs.Verb("recover", "state")))
	}
	id, err := c.State.Identity()
	if err != nil {
		return err
	}
	if err := judgeUse(c, id); err != nil {
		return err
	}
	return judgeNotes(c, id, notes)
}

// judgeNotes compares what the state directory says of itself with what hosts remember.
func judgeNotes(c *Site, id lineage.State, notes map[string][]byte) error {
	refuse := func(err error, hint string) error {
		return remote.WithHint(refused(c, err), hint)
	}
	for _, h := range c.Spec.Hosts {
		note, err := lineage.ParseNote(notes[h.Name])
		if errors.Is(err, lineage.ErrNewer) {
			return remote.WithHint(fmt.Errorf("%w: %s on %s is %w", errs.ErrRefused, vault.NoteFile,
				h.Name, err),
				"use that version")
		}
		if err != nil {
			continue // a damaged note protects nothing; the next apply rewrites it
		}
		switch err := id.Judge(note); {
		case errors.Is(err, lineage.ErrOlder), errors.Is(err, lineage.ErrDiverged):
			hint := "this copy's passwords and certificates are out of date: put the copy of " +
				note.By + ", or its newest backup, in its place"
			if Shares(c) {
				hint = "run it again: the newer state is fetched first. If no copy has it, that of " +
					note.By + " is needed"
			}
			if Shares(c) && errors.Is(err, lineage.ErrDiverged) {
				hint = "what it has alone has reached no host: move it aside, and the cluster's " +
					"state is fetched (the verb state pull)"
			}
			return refuse(fmt.Errorf("%w (told by %s)", err, h.Name), hint)
		case err != nil:
			return refuse(fmt.Errorf("%w (told by %s)", err, h.Name),
				"point state_dir of the spec to the state directory that this cluster was "+
					"applied with, or restore it from its backup")
		}
	}
	return nil
}

// refused says which state directory is the reason.
func refused(c *Site, err error) error {
	return fmt.Errorf("%w: %s: %w", errs.ErrRefused, c.State.Dir, err)
}

// judgeUse refuses the state directory of another specification.
func judgeUse(c *Site, id lineage.State) error {
	addresses := vault.DatabaseAddresses(c.Spec)
	if len(c.unlocated) > 0 { // who has no address cannot have another one
		addresses = append(addresses, id.Addresses...)
	}
	err := id.JudgeUse(c.Spec.Cluster, addresses)
	if err == nil {
		return nil
	}
	return remote.WithHint(refused(c, err),
		"give this specification a state_dir of its own: two clusters that share one replace "+
			"each other's certificates")
}

// AskStateNotes asks all hosts that answer, each in one round trip.
func (c *Site) AskStateNotes(ctx context.Context) (map[string][]byte, error) {
	var mu sync.Mutex
	notes := map[string][]byte{}
	err := remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		res, err := t.Batch(ctx, []string{"cat", vault.NoteFile})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		notes[t.Name] = NoteOf(res[0])
		return nil
	})
	return notes, err
}

// MemoryCommands print what a host remembers of the state directory it was worked on with, for
// JudgeState, and the mark of a reset that was not finished, for UnfinishedReset. Both change
// nothing and are for reading as root.
func MemoryCommands() (note, reset []string) {
	return []string{"cat", vault.NoteFile}, slices.Clone(LookAtReset)
}

// NoteOf is what a host printed of its note, nil where there is none.
func NoteOf(r remote.Result) []byte {
	if r.ExitCode != 0 {
		return nil
	}
	return bytes.TrimSpace(r.Stdout)
}

// GrowState makes the next generation of a state directory that is being written to, brings it into
// its copies (Share), and tells the hosts. ErrStateAhead where another operator has changed it;
// then nothing is written.
func (c *Site) GrowState(ctx context.Context, s *vault.State) error {
	id, err := s.Identity()
	if err == nil {
		err = Ahead(ctx, c, id)
	}
	if err == nil {
		id, err = s.Grow(c.Spec, id)
	}
	if err == nil {
		// What hosts are told of can be had from a copy.
		err = ShareState(ctx, c, s)
	}
	if err == nil {
		c.TellGeneration(context.WithoutCancel(ctx), id, nil)
	}
	return err
}

// TellGeneration writes the note on every host that does not have it. It is no condition, as the
// trail is none.
func (c *Site) TellGeneration(ctx context.Context, id lineage.State, notes map[string][]byte) {
	by, _, _ := strings.Cut(vault.WhoAmI(), ", process ")
	text, err := json.Marshal(id.Note(by))
	text = append(text, '\n')
	if err == nil {
		err = remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
			if had, err := lineage.ParseNote(notes[t.Name]); err == nil && id.Current(had) {
				return nil
			}
			_, err := t.Run(ctx, remote.Cmd{Argv: []string{"sh", "-c", keepNote, "note",
				vault.NoteFile},
				Stdin: bytes.NewReader(text), Mutating: true})
			return err
		})
	}
	if err != nil {
		c.Log.Warn("not every host knows the generation of the state directory", "error", err)
	}
}
