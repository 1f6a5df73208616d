package site

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// refreshWithin bounds the look for a newer state, and the reading of a copy.
const refreshWithin = 20 * time.Second

// etcdWithin bounds the question whether etcd has a still newer one than the hosts: etcd may be
// what is lost, and nobody shall wait for it on each command.
const etcdWithin = 3 * time.Second

// Pulled says that the state directory was written from a copy.
type Pulled struct {
	// From is "etcd", or the host that had the copy.
	From string `json:"from"`
	// Generation is that of the copy, By and Time who wrote it and when.
	Generation int       `json:"generation"`
	By         string    `json:"by"`
	Time       time.Time `json:"time"`
}

// refresh writes the state directory from the newest copy that can be had, where it is not there,
// or older than what hosts remember. Copies on hosts are asked first, which takes SSH alone, and
// etcd when they are older than the hosts' notes, or gone.
func refresh(ctx context.Context, c *Site) error {
	id, err := c.State.Identity()
	if err != nil {
		return err
	}
	vacant, err := c.State.Vacant()
	if err != nil || !id.Known() && !vacant {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, refreshWithin)
	defer cancel()
	hosts := HostCopies(ctx, c)
	var copies []HostCopy
	var noted lineage.Note
	for _, h := range hosts {
		if h.Noted.Cluster == c.Spec.Cluster && h.Noted.Generation > noted.Generation {
			noted = h.Noted
		}
		if h.Err == nil && h.There() && !h.Damaged && h.Cluster == c.Spec.Cluster {
			copies = append(copies, h)
		}
	}
	newer := func(n lineage.Note) bool {
		return n.ID != "" && (vacant || errors.Is(id.Judge(n), lineage.ErrOlder))
	}
	var failed []error
	for len(copies) > 0 {
		i := newest(copies)
		h := copies[i]
		if !newer(h.Note) {
			break
		}
		err := pullFrom(ctx, c, h)
		if err == nil {
			return fromNewerEtcd(ctx, c)
		}
		if errors.Is(err, vault.ErrSealed) || errors.Is(err, vault.ErrStateLocked) {
			return unrefreshed(c, err, vacant)
		}
		failed = append(failed, err)
		copies = append(copies[:i:i], copies[i+1:]...)
	}
	if !newer(noted) {
		return nil
	}
	// The hosts have been worked on with a state that no file on them has.
	err = pullFromEtcd(ctx, c, vacant)
	if err == nil {
		return nil
	}
	return unrefreshed(c, errs.Join(append(failed, err)...), vacant)
}

// newest is the index of the copy of the last generation.
func newest(copies []HostCopy) int {
	best := 0
	for i, h := range copies {
		if h.Generation > copies[best].Generation {
			best = i
		}
	}
	return best
}

// unrefreshed is the error of a state that could not be fetched: none where there is an older one
// and nobody can change anything with it.
func unrefreshed(c *Site, err error, vacant bool) error {
	if !vacant && c.ReadOnly {
		c.Log.Warn("the cluster has a newer state", "error", err)
		return nil
	}
	return fmt.Errorf("fetch the state of cluster %s: %w", c.Spec.Cluster, err)
}

// pullFrom writes the state directory from the copy on a host.
func pullFrom(ctx context.Context, c *Site, h HostCopy) error {
	file, err := readCopy(ctx, c, h)
	if err != nil {
		return err
	}
	return remote.OnHost(h.Host, take(c, file, h.Copy, h.Host))
}

// readCopy reads the copy on a host.
func readCopy(ctx context.Context, c *Site, h HostCopy) ([]byte, error) {
	t, err := c.Target(h.Host)
	if err != nil {
		return nil, err
	}
	res, err := t.Run(ctx, remote.Cmd{Argv: []string{"cat", SharedFile}})
	if err != nil {
		return nil, err
	}
	if vault.SumOf(res.Stdout) != h.Sealed {
		return nil, remote.OnHost(h.Host, fmt.Errorf("%s is not the file that %s is of", SharedFile,
			SharedRecord))
	}
	return res.Stdout, nil
}

// pullFromEtcd does so from etcd's copy. Without a state directory, a host's own certificate opens
// etcd.
func pullFromEtcd(ctx context.Context, c *Site, vacant bool) error {
	var cr *vault.Credentials
	var err error
	if vacant {
		cr, err = hostsAccess(ctx, c)
	} else {
		cr, err = vault.LoadCredentials(ctx, readState(c), c.Spec)
	}
	if err != nil {
		return err
	}
	asked := c.Apart(c.Spec, cr)
	record, _, err := InEtcd(ctx, asked)
	if err != nil {
		return err
	}
	if !record.There() {
		return errs.WithNext(fmt.Errorf("%w: neither etcd nor a database host has a copy",
			vault.ErrNotProvisioned), errs.Text("put a backup of the state directory in the place of "+
			"%s; without one %s makes a new one", c.State.Dir, errs.Verb("recover", "state")))
	}
	if id, err := c.State.Identity(); err == nil && !vacant && id.Judge(record.Note) == nil {
		return nil // no copy has what hosts have been told of: that is for JudgeState
	}
	record, file, err := fromEtcd(ctx, asked, record)
	if err != nil {
		return err
	}
	return take(c, file, record, "etcd")
}

// fromNewerEtcd takes etcd's copy where that is newer than the one that was just fetched from a
// host. An etcd that does not answer, or does not let that one in, is no reason to do without.
func fromNewerEtcd(ctx context.Context, c *Site) error {
	cr, err := vault.LoadCredentials(ctx, readState(c), c.Spec)
	if err != nil {
		return nil //nolint:nilerr // who needs them says so
	}
	id, err := c.State.Identity()
	if err != nil {
		return err
	}
	asked := c.Apart(c.Spec, cr)
	soon, cancel := context.WithTimeout(ctx, etcdWithin)
	defer cancel()
	record, _, err := InEtcd(soon, asked)
	if err != nil || !errors.Is(id.Judge(record.Note), lineage.ErrOlder) {
		return nil //nolint:nilerr // see above
	}
	record, file, err := fromEtcd(ctx, asked, record)
	if err != nil {
		return err
	}
	return take(c, file, record, "etcd")
}

// readState is the state directory for reading alone.
func readState(c *Site) *vault.State {
	return &vault.State{Dir: c.State.Dir, ReadOnly: true, Box: c.State.Box}
}

// take writes the state directory from a copy, and reads it again.
func take(c *Site, file []byte, record lineage.Copy, from string) error {
	files, err := vault.Unpack(file, c.State.Box)
	if err != nil {
		return err
	}
	id, err := lineage.ParseState(files[vault.IdentityFile])
	if err != nil {
		return fmt.Errorf("the copy of the state: %w", err)
	}
	if err := judgeUse(c, id); err != nil {
		return err
	}
	err = vault.Replace(c.State.Dir, c.State.Box, c.Spec.Secrets.Age.Recipients, files,
		func(s *vault.State) error {
			vacant, err := s.Vacant()
			if err != nil || vacant {
				return err
			}
			have, err := s.Identity() // again, with the lock
			if err != nil {
				return err
			}
			if err := have.Judge(id.Note(record.By)); !errors.Is(err, lineage.ErrOlder) {
				return errs.WithNext(fmt.Errorf("%w: %s has been changed by another process since "+
					"this one began", errs.ErrRefused, s.Dir), errs.Text("run it again"))
			}
			return nil
		})
	if err != nil {
		return err
	}
	c.State = &vault.State{Dir: c.State.Dir, ReadOnly: c.State.ReadOnly, Box: c.State.Box}
	c.Pulled = &Pulled{From: from, Generation: id.Generation, By: record.By, Time: record.Time}
	return nil
}

// hostsAccess are credentials that open etcd: a database host's own.
func hostsAccess(ctx context.Context, c *Site) (*vault.Credentials, error) {
	var failed []error
	for _, h := range c.Spec.Databases() {
		t, err := c.Target(h.Name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for _, of := range layout.Certificates() {
			if of.Name != layout.EtcdClient {
				continue
			}
			res, err := t.Batch(ctx, []string{"cat", of.CA}, []string{"cat", of.File},
				[]string{"cat", of.Key})
			switch {
			case err != nil:
			case res[0].ExitCode+res[1].ExitCode+res[2].ExitCode > 0:
				err = remote.OnHost(h.Name, fmt.Errorf("it has no %s", of.File))
			default:
				return &vault.Credentials{EtcdCA: res[0].Stdout, EtcdOperator: pki.KeyPair{
					Cert: res[1].Stdout, Key: pki.NewSecret(res[2].Stdout)}}, nil
			}
			failed = append(failed, err)
		}
	}
	return nil, errs.Join(failed...)
}

// Openable is a database host with a copy of the state that the identity opens, or "".
func Openable(ctx context.Context, c *Site) string {
	if !Shares(c) {
		return ""
	}
	for _, h := range HostCopies(ctx, c) {
		if h.Err != nil || !h.There() || h.Damaged {
			continue
		}
		file, err := readCopy(ctx, c, h)
		if err == nil {
			_, err = vault.Unpack(file, c.State.Box)
		}
		if err == nil {
			return h.Host
		}
	}
	return ""
}
