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
	"time"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
)

// With secrets.age in the specification there are copies of the state directory, encrypted for its
// recipients: one in etcd, with the versions before it, and a file on each database host. Every
// change is compared and set in etcd, and made there before a host learns of it: what hosts have
// can be had from a copy at any time, and of two operators the second one hears of the first.

const (
	// SharedFile is the copy on a database host; SharedRecord is what can be known without opening
	// it.
	SharedFile   = "/var/lib/pgha/state.age"
	SharedRecord = SharedFile + ".json"
	// versionsKept is how many versions etcd keeps, the newest included.
	versionsKept = 10
)

//go:embed share.sh
var shareScript string

// ErrStateAhead: another operator has changed the cluster's state.
var ErrStateAhead = errs.New(errs.Refused, "the cluster has a newer state")

// Shares tells whether copies of the state directory are kept.
func Shares(c *Site) bool { return c.Spec.Secrets.Age.On() }

// stateKey is where etcd has the record of the newest copy. It does not begin with a slash: whoever
// reads all that Patroni may have written does not read copies.
func stateKey(c *Site) string { return "pgha-state/" + c.Spec.Cluster + "/current" }

// versionKey is where etcd has the copy of a generation, and the end of all of them with -1.
func versionKey(c *Site, generation int) string {
	prefix := "pgha-state/" + c.Spec.Cluster + "/version/"
	if generation < 0 {
		return prefix + ":"
	}
	return fmt.Sprintf("%s%010d", prefix, generation)
}

// InEtcd reads the record of etcd's copy and the revision to compare with; the zero value where it
// has none.
func InEtcd(ctx context.Context, c *Site) (lineage.Copy, int64, error) {
	o, err := c.EtcdOptions()
	if err != nil {
		return lineage.Copy{}, 0, err
	}
	text, revision, err := etcd.Value(ctx, o, stateKey(c))
	if err != nil {
		return lineage.Copy{}, 0, err
	}
	record, err := lineage.ParseCopy([]byte(text))
	if err != nil {
		return record, 0, errs.WithNext(fmt.Errorf("%w: the record of the copy of the state "+
			"directory in etcd: %w", errs.ErrRefused, err), errs.Text("use the version of pgha "+
			"that wrote it; %s says which this is", errs.Verb("version")))
	}
	return record, revision, nil
}

// Versions returns the generations of which etcd has a copy, oldest first.
func Versions(ctx context.Context, c *Site) ([]int, error) {
	o, err := c.EtcdOptions()
	if err != nil {
		return nil, err
	}
	names, err := etcd.Names(ctx, o, strings.TrimSuffix(versionKey(c, -1), ":"))
	var list []int
	for _, name := range names {
		var n int
		if _, err := fmt.Sscanf(name, "%d", &n); err == nil {
			list = append(list, n)
		}
	}
	return list, err
}

// HostCopy is what a database host has.
type HostCopy struct {
	Host string
	lineage.Copy
	// Note is the host's own, of the generation that it was last worked on with.
	Noted lineage.Note
	// Damaged: the file is not the one that the record is of.
	Damaged bool
	Err     error
}

// HostCopies asks all database hosts, each in one round trip, in the specification's order.
func HostCopies(ctx context.Context, c *Site) []HostCopy {
	databases := c.Spec.Databases()
	copies := make([]HostCopy, len(databases))
	var wg sync.WaitGroup
	for i, h := range databases {
		copies[i].Host = h.Name
		t, err := c.Target(h.Name)
		if err != nil {
			copies[i].Err = err
			continue
		}
		wg.Go(func() {
			res, err := t.Batch(ctx, []string{"cat", vault.NoteFile}, []string{"cat", SharedRecord},
				[]string{"sha256sum", SharedFile})
			if err != nil {
				copies[i].Err = err
				return
			}
			// Damaged ones protect nothing, and are written again.
			copies[i].Noted, _ = lineage.ParseNote(NoteOf(res[0]))
			copies[i].Copy, copies[i].Err = lineage.ParseCopy(NoteOf(res[1]))
			sum, _, _ := strings.Cut(string(res[2].Stdout), " ")
			copies[i].Damaged = copies[i].There() && sum != copies[i].Sealed
		})
	}
	wg.Wait()
	return copies
}

// Ahead refuses (ErrStateAhead, which is a refusal) to change a state that another operator has
// changed since it was read here. An etcd that does not answer is no reason.
func Ahead(ctx context.Context, c *Site, id lineage.State) error {
	if !Shares(c) {
		return nil
	}
	record, _, err := InEtcd(ctx, c)
	if err != nil {
		if errors.Is(err, errs.ErrRefused) {
			return err
		}
		return nil
	}
	return JudgeAhead(c, id, record)
}

// JudgeAhead is Ahead for who has read the record of etcd's copy.
func JudgeAhead(c *Site, id lineage.State, record lineage.Copy) error {
	if !record.There() || c.TakesOver {
		return nil
	}
	err := id.Judge(record.Note)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lineage.ErrOlder):
		return errs.WithNext(fmt.Errorf("%w than this one: %w", ErrStateAhead, err),
			errs.Text("run it again: the newer state is fetched first"))
	}
	return errs.WithNext(fmt.Errorf("%w than this one: %s: %w", ErrStateAhead, c.State.Dir, err),
		errs.Text("move %s aside and run %s: what it has alone has reached no host",
			c.State.Dir, errs.Verb("state", "pull")))
}

// Sharing is what Share did.
type Sharing struct {
	// Generation is that of the state directory, and of the copies.
	Generation int
	// Etcd: etcd has it. Hosts are the database hosts that have it.
	Etcd  bool
	Hosts []string
	// Failed says which copies could not be written, and why.
	Failed []error
	// Removed are recipients of the copies of before who cannot open what is kept now, and Known is
	// what they could open until now.
	Removed, Known []string
}

// Share brings the copies of a state directory that is being written to in line with it: in etcd by
// comparing and setting, then on each database host that has a connection. What differs from etcd's
// copy without a generation of its own gets one. Versions that somebody could open who is no
// recipient any more are removed. Safe to repeat: where all is in place nothing is written. Without
// recipients it does nothing. The error matches ErrStateAhead where another operator was quicker;
// it is another one where nothing but this machine has the state.
func Share(ctx context.Context, c *Site, s *vault.State) (Sharing, error) {
	var done Sharing
	if !Shares(c) {
		return done, nil
	}
	id, err := s.Identity()
	if err != nil || !id.Known() {
		return done, err
	}
	hosts := make(chan []HostCopy, 1)
	go func() { hosts <- HostCopies(ctx, c) }()
	record, revision, away := InEtcd(ctx, c)
	had := <-hosts
	if away != nil && errors.Is(away, errs.ErrRefused) {
		return done, away
	}
	if err := JudgeAhead(c, id, record); err != nil {
		return done, err
	}
	newest := record
	for _, h := range had { // etcd may be new
		if !newest.There() && h.There() && h.ID == id.ID {
			newest = h.Copy
		}
	}
	wanted, files, err := wanted(c, s, &id, newest)
	if err != nil {
		return done, err
	}
	done.Generation = id.Generation
	if done.Removed = newest.Removed(wanted.Recipients); len(done.Removed) > 0 {
		done.Known = vault.KnownBy(files)
	}
	stale := slices.DeleteFunc(slices.Clone(had), func(h HostCopy) bool {
		return h.Err == nil && !h.Damaged && h.Same(wanted) && (away != nil || h.Sealed == record.Sealed)
	})
	if (away != nil || record.Same(wanted)) && len(stale) == 0 {
		if done.Etcd = away == nil; !done.Etcd {
			done.Failed = append(done.Failed, away)
		}
		for _, h := range had {
			done.Hosts = append(done.Hosts, h.Host)
		}
		return done, nil
	}
	var file []byte
	if away == nil && record.Same(wanted) {
		wanted, file, err = fromEtcd(ctx, c, record)
		done.Etcd = err == nil
	}
	if file == nil {
		if file, err = vault.Pack(files, s.Box); err != nil {
			return done, err
		}
		wanted.Sealed, wanted.Bytes, wanted.Time = vault.SumOf(file), len(file), time.Now().UTC()
		stale = had
		if away == nil {
			if away = toEtcd(ctx, c, wanted, file, revision, len(done.Removed) > 0); away == nil {
				done.Etcd = true
			} else if errors.Is(away, ErrStateAhead) {
				return done, away
			}
		}
	}
	if away != nil {
		done.Failed = append(done.Failed, away)
	}
	toHosts(ctx, c, &done, wanted, file, had, stale)
	c.TellGeneration(context.WithoutCancel(ctx), id, nil)
	if !done.Etcd && len(done.Hosts) == 0 {
		return done, errs.WithNext(fmt.Errorf("nothing but this machine has the state of the "+
			"cluster: %w", errs.Join(done.Failed...)), errs.Text("bring etcd or a database host "+
			"back, then run it again"))
	}
	return done, nil
}

// wanted is the record that the copies should have, and what they hold. A directory that differs
// from the newest copy gets a generation of its own.
func wanted(c *Site, s *vault.State, id *lineage.State,
	newest lineage.Copy) (lineage.Copy, map[string][]byte, error) {
	by, _, _ := strings.Cut(vault.WhoAmI(), ", process ")
	recipients := slices.Sorted(slices.Values(c.Spec.Secrets.Age.Recipients))
	for {
		files, err := s.Files()
		if err != nil {
			return lineage.Copy{}, nil, err
		}
		record := id.CopyOf(by)
		record.Digest, record.Recipients = vault.DigestOf(files), recipients
		if record.Same(newest) || newest.Generation != id.Generation {
			return record, files, nil
		}
		if *id, err = s.Grow(c.Spec, *id); err != nil {
			return record, nil, err
		}
	}
}

// toEtcd compares and sets. forget removes all versions of before.
func toEtcd(ctx context.Context, c *Site, record lineage.Copy, file []byte, revision int64,
	forget bool) error {
	o, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode the record of the state: %w", err)
	}
	oldest := max(0, record.Generation-versionsKept+1)
	if forget {
		oldest = record.Generation
	}
	swap := etcd.Swap{Key: stateKey(c), Value: string(text), Revision: revision,
		Also:   map[string]string{versionKey(c, record.Generation): string(file)},
		Remove: [][2]string{{versionKey(c, record.Generation+1), versionKey(c, -1)}}}
	if oldest > 0 {
		swap.Remove = append(swap.Remove, [2]string{versionKey(c, 0), versionKey(c, oldest)})
	}
	done, err := swap.Try(ctx, o)
	if err == nil && !done {
		err = errs.WithNext(fmt.Errorf("%w than this one: somebody has changed it at this moment",
			ErrStateAhead), errs.Text("run it again: the newer state is fetched first"))
	}
	return err
}

// fromEtcd reads a copy out of etcd.
func fromEtcd(ctx context.Context, c *Site, record lineage.Copy) (lineage.Copy, []byte, error) {
	o, err := c.EtcdOptions()
	if err != nil {
		return record, nil, err
	}
	text, _, err := etcd.Value(ctx, o, versionKey(c, record.Generation))
	if err == nil && vault.SumOf([]byte(text)) != record.Sealed {
		err = fmt.Errorf("the copy of the state in etcd is not the one that its record is of")
	}
	if err != nil {
		return record, nil, err
	}
	return record, []byte(text), nil
}

// toHosts writes the copy on those hosts where it is not.
func toHosts(ctx context.Context, c *Site, done *Sharing, record lineage.Copy, file []byte,
	all, stale []HostCopy) {
	line, err := json.Marshal(record)
	if err != nil {
		done.Failed = append(done.Failed, err)
		return
	}
	content := slices.Concat(line, []byte("\n"), file)
	failed := make([]error, len(all))
	var wg sync.WaitGroup
	for i, h := range all {
		if !slices.ContainsFunc(stale, func(s HostCopy) bool { return s.Host == h.Host }) {
			continue
		}
		t, err := c.Target(h.Host)
		if err != nil {
			failed[i] = err
			continue
		}
		wg.Go(func() {
			_, failed[i] = t.Run(ctx, remote.Cmd{Argv: []string{"sh", "-c", shareScript, "share",
				SharedFile}, Stdin: bytes.NewReader(content), Mutating: true})
		})
	}
	wg.Wait()
	for i, h := range all {
		if failed[i] == nil {
			done.Hosts = append(done.Hosts, h.Host)
			continue
		}
		done.Failed = append(done.Failed, failed[i])
	}
}

// ShareState is Share for those who go on whatever could not be reached: that is a warning in the
// log, and the next run makes up for it.
func ShareState(ctx context.Context, c *Site, s *vault.State) error {
	done, err := Share(ctx, c, s)
	if len(done.Failed) > 0 {
		c.Log.Warn("not every copy of the state is up to date", "error", errs.Join(done.Failed...))
	}
	return err
}
