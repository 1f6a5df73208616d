package site

import (
	"context"
	"errors"
	"time"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/vault"
)

// guardWithin bounds the look at which cluster this is: hosts that hang are the verb's to tell.
const guardWithin = 5 * time.Second

// Found is which cluster the hosts are, as etcd says; "" for what it does not know, and all ""
// where it does not answer.
type Found struct {
	// SystemIdentifier is PostgreSQL's, as Patroni has written it. Etcd is etcd's own, in
	// hexadecimal.
	SystemIdentifier, Etcd string
}

// Find asks etcd which cluster this is, in one request: a quorum, or any member that answers. An
// etcd that does not answer is no error.
func Find(ctx context.Context, c *Site, quorum bool) Found {
	o, err := c.EtcdOptions()
	if err != nil {
		return Found{}
	}
	cluster, system, err := etcd.Identity(ctx, o, StorePrefix(c)+"initialize", quorum)
	if err != nil {
		return Found{}
	}
	return Found{SystemIdentifier: system, Etcd: cluster}
}

// Guard refuses (ErrRefused) to work on a cluster that is not the one of the state directory: its
// cluster's name or hosts are others than the specification's, hosts belong to another directory,
// or PostgreSQL or etcd are not the ones that it knows. What does not answer, and a directory that
// knows nothing of a cluster yet, are no reason. An older copy of the directory is none either:
// that is for those who write what it has to the hosts (JudgeState). Changes nothing.
func Guard(ctx context.Context, c *Site) error {
	if c.TakesOver {
		return nil
	}
	id, err := c.State.Identity()
	if err != nil || !id.Known() {
		return err
	}
	if err := judgeUse(c, id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, guardWithin)
	defer cancel()
	found := make(chan Found, 1)
	go func() { found <- Find(ctx, c, false) }()
	notes, _ := c.AskStateNotes(ctx) //nolint:errcheck // who does not answer is the verb's to tell
	judged := judgeNotes(c, id, notes)
	seen := <-found
	if errors.Is(judged, lineage.ErrForeign) {
		return judged
	}
	err = JudgeFound(c, id, seen.SystemIdentifier, seen.Etcd)
	if err != nil && judged != nil { // another copy knows of the change
		return judged
	}
	return err
}

// JudgeFound refuses (ErrRefused) a cluster that is not the one that the state directory knows, by
// the identifiers of PostgreSQL and etcd; "" stands for what is not there.
func JudgeFound(c *Site, id lineage.State, system, etcdCluster string) error {
	err := id.JudgeFound(system, etcdCluster)
	switch {
	case errors.Is(err, lineage.ErrOtherEtcd):
		return errs.WithNext(refused(c, err),
			errs.Text("if etcd was made anew, %s brings the members to it and remembers it; else "+
				"these are the hosts of another cluster: see hosts and state_dir of the "+
				"specification", errs.Verb("apply")))
	case err != nil:
		return errs.WithNext(refused(c, err),
			errs.Text("see hosts and state_dir of the specification: they belong to two clusters. If "+
				"the databases were replaced on purpose and by hand, delete system_identifier from "+
				"%s: %s remembers what it finds", c.State.Path(vault.IdentityFile),
				errs.Verb("apply")))
	}
	return nil
}

// Recognize keeps in the state directory which PostgreSQL and which etcd the cluster has now, for
// Guard: after whatever may have replaced them. It writes nothing where that is known, where etcd
// does not answer, and where the directory knows of no cluster. What is written makes the
// directory's next generation, and hosts are told. A directory that is being written to is brought
// into its copies as well (Share). The error is of writing.
func Recognize(ctx context.Context, c *Site) error {
	id, err := c.State.Identity()
	if err != nil || !id.Known() || c.ReadOnly {
		return err
	}
	now := Find(ctx, c, true)
	if now.SystemIdentifier == "" {
		now.SystemIdentifier = id.SystemIdentifier
	}
	s := c.State
	if now.Etcd == "" || now == (Found{id.SystemIdentifier, id.EtcdCluster}) {
		if s.Writing() {
			return ShareState(ctx, c, s)
		}
		return nil
	}
	if err := Ahead(ctx, c, id); err != nil {
		return err
	}
	if s.ReadOnly {
		if s, err = vault.SettledState(c.Spec, s.Box); err != nil {
			return err
		}
		defer s.Close()
		if id, err = s.Identity(); err != nil { // read again, with the lock
			return err
		}
	} else if err := s.Begin(c.Spec); err != nil {
		return err
	}
	id.SystemIdentifier, id.EtcdCluster = now.SystemIdentifier, now.Etcd
	if id, err = s.Grow(c.Spec, id); err != nil {
		return err
	}
	err = ShareState(context.WithoutCancel(ctx), c, s)
	c.TellGeneration(context.WithoutCancel(ctx), id, nil)
	return err
}
