// Package lineage tells copies of a state directory apart. The directory and the hosts that are
// worked on with it both carry its identity and its generation, which grows with every change of
// its secrets and certificates. So a copy that has stayed behind, or that belongs to other hosts,
// is known before it does harm. It is pure: nothing is read, written or contacted, and no clock
// matters.
package lineage

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Format is that of a state directory, as its record says: 1 is the first that said one, 2 knows
// the identifiers of PostgreSQL and etcd, and 3 can have authorities that others have signed, with
// their chains. Earlier ones are read (see upgrades); a later one is
// refused, because it may mean what this program does not know.
const Format = 3

// noteFormat is that of the hosts' records.
const noteFormat = 1

// kept is how many generations a state directory remembers its own stamps of.
const kept = 64

// What Judge finds. The error's text has the figures.
var (
	// ErrOlder: the hosts have been worked on with a later generation of the same state directory.
	ErrOlder = errors.New("the state directory is an older copy")
	// ErrForeign: the hosts belong to another state directory.
	ErrForeign = errors.New("the hosts belong to another state directory")
	// ErrDiverged: two copies of one state directory have been changed apart.
	ErrDiverged = errors.New("another copy of the state directory has been changed apart from " +
		"this one")
	// ErrOtherCluster: the state directory belongs to a cluster of another name, or on other hosts.
	ErrOtherCluster = errors.New("the state directory belongs to another cluster")
	// ErrOtherData: the cluster's PostgreSQL is not the one that the state directory knows.
	ErrOtherData = errors.New("the databases are others than the ones that the state directory " +
		"belongs to")
	// ErrOtherEtcd: its databases are the known ones, or none are there, and its etcd is not the
	// one that the state directory knows.
	ErrOtherEtcd = errors.New("etcd is another one than the state directory belongs to")
	// ErrNewer: a record was written by a later version of this program.
	ErrNewer = errors.New("written by a later version of pgha")

	errNoFormat = errors.New("it is not complete")
)

// State is what a state directory says of itself. The zero value is a directory that says nothing:
// it is empty, or from before there were such records.
type State struct {
	// Format is the one that the directory has: an earlier one until the next change.
	Format  int    `json:"format"`
	Cluster string `json:"cluster"`
	// ID is the same in all copies of one state directory, and in no other.
	ID         string `json:"id"`
	Generation int    `json:"generation"`
	// Stamps are random, one for each of the last generations, newest last. They tell two copies
	// apart that were changed as often.
	Stamps []string `json:"stamps"`
	// Addresses are those of the database hosts that it was last used for.
	Addresses []string `json:"addresses"`
	// SystemIdentifier is PostgreSQL's, of the data that the cluster had when it was last looked
	// at; EtcdCluster is the identifier of its etcd, in hexadecimal. "" is one not seen yet. The
	// latter follows from the members' addresses and the token: one that is formed anew with the
	// same members has it again (etcd 3.6.16), so it tells other members, and not that data was
	// lost.
	SystemIdentifier string `json:"system_identifier,omitempty"`
	EtcdCluster      string `json:"etcd_cluster,omitempty"`
}

// Note is what a host remembers of the state directory that it was last worked on with.
type Note struct {
	Format     int    `json:"format"`
	Cluster    string `json:"cluster"`
	ID         string `json:"id"`
	Generation int    `json:"generation"`
	Stamp      string `json:"stamp"`
	// By is who wrote it: user@machine.
	By string `json:"by"`
}

// Known tells whether the directory says anything of itself.
func (s State) Known() bool { return s.ID != "" }

// Next is the state after a change, for a cluster of that name on these addresses.
func (s State) Next(cluster string, addresses []string) State {
	if !s.Known() {
		s.ID = rand.Text()
	}
	s.Format, s.Cluster, s.Addresses = Format, cluster, addresses
	s.Generation++
	s.Stamps = append(slices.Clone(s.Stamps), rand.Text())
	s.Stamps = s.Stamps[max(0, len(s.Stamps)-kept):]
	return s
}

// Note is what hosts should remember of s.
func (s State) Note(by string) Note {
	n := Note{Format: noteFormat, Cluster: s.Cluster, ID: s.ID, Generation: s.Generation, By: by}
	if len(s.Stamps) > 0 {
		n.Stamp = s.Stamps[len(s.Stamps)-1]
	}
	return n
}

// Current tells whether a host remembers s as it is now.
func (s State) Current(n Note) bool {
	now := s.Note(n.By)
	return n.ID == now.ID && n.Generation == now.Generation && n.Stamp == now.Stamp
}

// ParseState reads what a state directory says of itself; nil is the zero State. A record of an
// earlier format is read as what it means in this one; Format stays what it was.
func ParseState(text []byte) (State, error) {
	var s State
	if text == nil {
		return s, nil
	}
	var record map[string]json.RawMessage
	if err := json.Unmarshal(text, &record); err != nil {
		return s, err
	}
	_ = json.Unmarshal(record["format"], &s.Format) // what is none is refused below
	if s.Format > Format {
		return s, fmt.Errorf("%w (format %d, this version knows up to %d)", ErrNewer, s.Format,
			Format)
	}
	if err := upgrade(record, s.Format); err != nil {
		return s, err
	}
	text, err := json.Marshal(record)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err == nil && (s.ID == "" || s.Generation < 1 || len(s.Stamps) == 0) {
		err = errors.New("it is not complete")
	}
	return s, err
}

// ParseNote reads what a host remembers; nil is the zero Note, of a host that remembers nothing.
func ParseNote(text []byte) (Note, error) {
	var n Note
	if text == nil {
		return n, nil
	}
	err := json.Unmarshal(text, &n)
	if err == nil && n.Format > noteFormat {
		return n, ErrNewer
	}
	if err == nil && (n.ID == "" || n.Stamp == "") {
		err = errors.New("it is not complete")
	}
	return n, err
}

// JudgeFound compares what the directory knows of PostgreSQL and etcd with what was found, "" for
// what is not there: nil, ErrOtherData or ErrOtherEtcd. What is not known is content with anything.
func (s State) JudgeFound(systemIdentifier, etcdCluster string) error {
	differs := func(known, found string) bool { return known != "" && found != "" && known != found }
	switch {
	case differs(s.SystemIdentifier, systemIdentifier):
		return fmt.Errorf("%w: their system identifier is %s, and the known one is %s",
			ErrOtherData, systemIdentifier, s.SystemIdentifier)
	case differs(s.EtcdCluster, etcdCluster):
		return fmt.Errorf("%w: its cluster's identifier is %s, and the known one is %s",
			ErrOtherEtcd, etcdCluster, s.EtcdCluster)
	}
	return nil
}

// JudgeUse tells whether the directory may be used for a cluster of that name on these addresses of
// database hosts. Hosts may come and go, but not all at once.
func (s State) JudgeUse(cluster string, addresses []string) error {
	switch {
	case !s.Known():
		return nil
	case s.Cluster != cluster:
		return fmt.Errorf("%w: %s, not %s", ErrOtherCluster, s.Cluster, cluster)
	case !slices.ContainsFunc(addresses, func(a string) bool {
		return slices.Contains(s.Addresses, a)
	}):
		return fmt.Errorf("%w: %s on %v, not on %v", ErrOtherCluster, cluster, s.Addresses,
			addresses)
	}
	return nil
}

// Judge compares the directory with what one host remembers. A host that remembers nothing is
// content with any.
func (s State) Judge(n Note) error {
	written := fmt.Sprintf("generation %d, written by %s", n.Generation, n.By)
	switch {
	case n.ID == "":
		return nil
	case !s.Known():
		return fmt.Errorf("%w: of cluster %s, %s; this one knows of none", ErrForeign, n.Cluster,
			written)
	case n.ID != s.ID:
		return fmt.Errorf("%w: of cluster %s, %s", ErrForeign, n.Cluster, written)
	case n.Generation > s.Generation:
		return fmt.Errorf("%w: it has generation %d, the hosts have %s", ErrOlder, s.Generation,
			written)
	case n.Generation > s.Generation-len(s.Stamps) && !slices.Contains(s.Stamps, n.Stamp):
		return fmt.Errorf("%w: both have generation %d, that of the hosts was written by %s",
			ErrDiverged,
			n.Generation, n.By)
	}
	return nil
}
