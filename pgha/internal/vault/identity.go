package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

const (
	// IdentityFile is what the state directory says of itself.
	IdentityFile = "cluster.json"
	// NoteFile is what a host remembers of the state directory that it was last worked on with. It
	// holds no secret.
	NoteFile = "/var/lib/pgha/state.json"
)

// Identity reads what the state directory says of itself; the zero value when it says nothing.
func (s *State) Identity() (lineage.State, error) {
	text, err := s.Read(IdentityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return lineage.State{}, nil
	}
	if err != nil {
		return lineage.State{}, err
	}
	id, err := lineage.ParseState(text)
	if errors.Is(err, lineage.ErrNewer) {
		return id, errs.WithNext(fmt.Errorf("%w: %s is %w", errs.ErrRefused,
			s.Path(IdentityFile), err),
			errs.Text("use that version, or a later one: %s says which this is. What this one "+
				"would write that one might not understand", errs.Verb("version")))
	}
	if err != nil {
		return id, remote.WithHint(fmt.Errorf("%w: read %s: %w", errs.ErrRefused,
			s.Path(IdentityFile), err),
			"take it from a backup of the state directory")
	}
	return id, nil
}

// Applied tells whether the state directory of a spec says that it is a cluster's.
func Applied(sp *spec.Spec) bool {
	id, err := (&State{Dir: sp.StateDir, ReadOnly: true}).Identity()
	return err == nil && id.Known()
}

// DatabaseAddresses returns the addresses of the database hosts, sorted.
func DatabaseAddresses(sp *spec.Spec) []string {
	var list []string
	for _, h := range sp.Databases() {
		list = append(list, h.Address)
	}
	return slices.Sorted(slices.Values(list))
}

// Grow drafts the next generation of the state directory.
func (s *State) Grow(sp *spec.Spec, id lineage.State) (lineage.State, error) {
	next := id.Next(sp.Cluster, DatabaseAddresses(sp))
	text, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return id, fmt.Errorf("encode %s: %w", IdentityFile, err)
	}
	return next, s.Write(IdentityFile, append(text, '\n'))
}

// Settled tells whether begin would change nothing that hosts have to know of.
func (s *State) Settled(sp *spec.Spec, id lineage.State) bool {
	return len(s.drafts) == 0 && id.Known() && id.Format == lineage.Format &&
		id.Cluster == sp.Cluster && slices.Equal(id.Addresses,
		DatabaseAddresses(sp))
}
