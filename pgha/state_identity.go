package pgha

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/remote"
)

const (
	// identityFile is what the state directory says of itself.
	identityFile = "cluster.json"
	// noteFile is what a host remembers of the state directory that it was last worked on with. It holds no secret.
	noteFile = "/var/lib/pgha/state.json"
)

// keepNote puts standard input in place of the note.
const keepNote = `umask 022
mkdir -p "${1%/*}" && cat >"$1.new" && mv -f "$1.new" "$1"`

// identity reads what the state directory says of itself; the zero value when it says nothing.
func (s *state) identity() (lineage.State, error) {
	text, err := s.read(identityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return lineage.State{}, nil
	}
	if err != nil {
		return lineage.State{}, err
	}
	id, err := lineage.ParseState(text)
	if errors.Is(err, lineage.ErrNewer) {
		return id, remote.WithHint(fmt.Errorf("%w: %s is %w", ErrRefused, s.path(identityFile), err), "use that version")
	}
	if err != nil {
		return id, remote.WithHint(fmt.Errorf("%w: read %s: %w", ErrRefused, s.path(identityFile), err), "take it from a backup of the state directory")
	}
	return id, nil
}

func databaseAddresses(sp *Spec) []string {
	var list []string
	for _, h := range sp.Databases() {
		list = append(list, h.Address)
	}
	return slices.Sorted(slices.Values(list))
}

// grow drafts the next generation of the state directory.
func (s *state) grow(sp *Spec, id lineage.State) (lineage.State, error) {
	next := id.Next(sp.Cluster, databaseAddresses(sp))
	text, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return id, fmt.Errorf("encode %s: %w", identityFile, err)
	}
	return next, s.write(identityFile, append(text, '\n'))
}

// settled tells whether begin would change nothing that hosts have to know of.
func (s *state) settled(sp *Spec, id lineage.State) bool {
	return len(s.drafts) == 0 && id.Known() && id.Cluster == sp.Cluster && slices.Equal(id.Addresses, databaseAddresses(sp))
}

// JudgeState compares the state directory with what hosts remember of it, by the content of their notes (Facts.StateNote):
// nil, or an error that matches ErrRefused and says why nothing must be changed with this directory, and what to do. A host
// without a note is content with any. Changes nothing.
func (c *Cluster) JudgeState(notes map[string][]byte) error {
	id, err := c.state.identity()
	if err != nil {
		return err
	}
	refuse := func(err error, hint string) error {
		return remote.WithHint(fmt.Errorf("%w: %s: %w", ErrRefused, c.state.dir, err), hint)
	}
	if err := id.JudgeUse(c.Spec.Cluster, databaseAddresses(c.Spec)); err != nil {
		return refuse(err, "give this specification a state_dir of its own: two clusters that share one replace each other's certificates")
	}
	for _, h := range c.Spec.Hosts {
		note, err := lineage.ParseNote(notes[h.Name])
		if errors.Is(err, lineage.ErrNewer) {
			return remote.WithHint(fmt.Errorf("%w: %s on %s is %w", ErrRefused, noteFile, h.Name, err), "use that version")
		}
		if err != nil {
			continue // a damaged note protects nothing; the next apply writes it anew
		}
		switch err := id.Judge(note); {
		case errors.Is(err, lineage.ErrOlder), errors.Is(err, lineage.ErrDiverged):
			return refuse(fmt.Errorf("%w (told by %s)", err, h.Name),
				"this copy's passwords and certificates are out of date: put the copy of "+note.By+", or its newest backup, in its place")
		case err != nil:
			return refuse(fmt.Errorf("%w (told by %s)", err, h.Name),
				"point state_dir of the spec to the state directory that this cluster was applied with, or restore it from its backup")
		}
	}
	return nil
}

// stateNotes are the notes among the facts.
func stateNotes(facts map[string]Facts) map[string][]byte {
	notes := map[string][]byte{}
	for host, f := range facts {
		notes[host] = f.StateNote
	}
	return notes
}

// askStateNotes asks all hosts that answer, each in one round trip.
func (c *Cluster) askStateNotes(ctx context.Context) (map[string][]byte, error) {
	var mu sync.Mutex
	notes := map[string][]byte{}
	err := remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		res, err := t.Batch(ctx, []string{"cat", noteFile})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		notes[t.Name] = noteOf(res[0])
		return nil
	})
	return notes, err
}

// MemoryCommands print what a host remembers of the state directory it was worked on with, for JudgeState, and the mark of a
// reset that was not finished, for UnfinishedReset. Both change nothing and are for reading as root.
func MemoryCommands() (note, reset []string) {
	return []string{"cat", noteFile}, slices.Clone(lookAtReset)
}

// noteOf is what a host printed of its note, nil where there is none.
func noteOf(r remote.Result) []byte {
	if r.ExitCode != 0 {
		return nil
	}
	return bytes.TrimSpace(r.Stdout)
}

// refuseIncomplete refuses secrets and authorities that were made anew because the state directory has none, where a cluster
// has others: nobody could log in any more.
func (r *job) refuseIncomplete(ctx context.Context, facts map[string]Facts) error {
	if len(r.state.made) == 0 {
		return nil
	}
	there := false
	for _, f := range facts {
		there = there || f.EtcdCA != "" || len(f.StateNote) > 0
	}
	if !there && !r.hasCluster(ctx) {
		return nil
	}
	return remote.WithHint(fmt.Errorf("%w: %s has no %s, and the hosts belong to a cluster that has others", ErrRefused, r.state.dir, strings.Join(r.state.made, ", ")),
		restoreState)
}

// saveState makes the state directory one that is written to, and writes what was made anew; then the hosts are told of its
// generation. It comes before the first change of a host: what hosts have must not be lost with this process.
func (r *job) saveState(ctx context.Context, notes map[string][]byte) error {
	if r.planning() || r.state.readOnly {
		return nil
	}
	id, err := r.state.identity()
	if err != nil {
		return err
	}
	if !r.state.settled(r.Spec, id) {
		if id, err = r.state.grow(r.Spec, id); err != nil {
			return err
		}
	}
	if err := r.state.begin(r.Spec); err != nil {
		return err
	}
	r.tellGeneration(ctx, id, notes)
	return nil
}

// growState makes the next generation of a state directory that is being written to, and tells the hosts.
func (c *Cluster) growState(ctx context.Context, s *state) error {
	id, err := s.identity()
	if err == nil {
		id, err = s.grow(c.Spec, id)
	}
	if err == nil {
		c.tellGeneration(context.WithoutCancel(ctx), id, nil)
	}
	return err
}

// tellGeneration writes the note on every host that does not have it. It is no condition, as the trail is none.
func (c *Cluster) tellGeneration(ctx context.Context, id lineage.State, notes map[string][]byte) {
	by, _, _ := strings.Cut(whoAmI(), ", process ")
	text, err := json.Marshal(id.Note(by))
	text = append(text, '\n')
	if err == nil {
		err = remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
			if had, err := lineage.ParseNote(notes[t.Name]); err == nil && id.Current(had) {
				return nil
			}
			_, err := t.Run(ctx, remote.Cmd{Argv: []string{"sh", "-c", keepNote, "note", noteFile}, Stdin: bytes.NewReader(text), Mutating: true})
			return err
		})
	}
	if err != nil {
		c.log.Warn("not every host knows the generation of the state directory", "error", err)
	}
}

// saving puts saveState before the first phase that is not preflight.
func saving(phases []Phase) []Phase {
	var once sync.Once
	var failed error
	wrapped := slices.Clone(phases)
	for i, p := range wrapped {
		if p.Name == preflightName {
			continue
		}
		wrapped[i].Run = func(ctx context.Context, run *Run) error {
			once.Do(func() {
				run.job.mu.Lock()
				facts := run.job.facts
				run.job.mu.Unlock()
				failed = run.job.saveState(ctx, stateNotes(facts))
			})
			if failed != nil {
				return failed
			}
			return p.Run(ctx, run)
		}
	}
	return wrapped
}
