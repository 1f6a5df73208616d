package etcd

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// ErrHasQuorum: a majority of etcd's members answers, so there is nothing to recover, and a member
// that is made a cluster of its own would be a second one.
var ErrHasQuorum = errs.New(errs.Refused, "etcd has its quorum")

//go:embed recover.sh
var recoverScript string

// KeptData is a copy of what a member of the former cluster had on its disk.
type KeptData struct {
	Host string `json:"host"`
	Path string `json:"path"`
}

// Recover makes the named member, with the data that it has, a cluster of one. It is the way out
// when a majority of the members is lost for good; Bootstrap then takes the others in again, one
// after the other, each without data. Whoever calls it makes sure that no member of the former
// cluster that does not answer here ever starts again with its old data: a majority of them would
// be a second cluster.
//
// Members that answer and are not the named one are stopped, and their data is moved to a folder
// beside it. The named member's data is copied to such a folder first. Nothing is deleted, and raft
// terms and revisions go on, so that clients of the former cluster, Patroni's among them, take the
// new one for what it is.
//
// The error matches ErrHasQuorum when a majority answers, and errs.ErrRefused when the member
// cannot be reached or has no data, or when a majority has only to be started; nothing is changed
// then. After any other error it can be
// repeated. The waits are bounded by Options.Wait. On planning targets it reports what it would do.
func Recover(ctx context.Context, o Options, member string) ([]KeptData, error) {
	o = o.withDefaults()
	at := slices.IndexFunc(o.Members, func(m Member) bool { return m.Name == member })
	if at < 0 {
		return nil, errs.WithKind(fmt.Errorf("etcd has no member %q", member), errs.NotFound)
	}
	others, err := o.refuseRecovery(ctx, at)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Format("20060102T150405Z")
	kept := strings.TrimSuffix(o.DataDir, "/") + ".before-recovery-" + now
	var list []KeptData
	for _, i := range others {
		if err := o.setAside(ctx, o.Members[i], kept); err != nil {
			return list, err
		}
		list = append(list, KeptData{o.Members[i].Target.Name, kept})
	}
	m := o.Members[at]
	if err := o.runRecovery(ctx, m, "made a cluster of one, with the data that it has", "alone",
		o.DataDir, kept,
		o.program()); err != nil {
		return list, err
	}
	list = append(list, KeptData{m.Target.Name, kept})
	if _, err := m.Target.Do(ctx, Unit, "started",
		remote.Cmd{Argv: []string{"systemctl", "start", Unit}}); err != nil {
		return list, remote.WithHint(remote.OnHost(m.Target.Name, err),
			"see `journalctl -u etcd -n 50` on "+m.Target.Name)
	}
	if o.planning() {
		return list, nil
	}
	return list, o.awaitHealth(ctx, []int{at})
}

// refuseRecovery returns the other members that can be reached and have data.
func (o Options) refuseRecovery(ctx context.Context, at int) (others []int, err error) {
	health, err := Health(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, h := range health {
		if h.Healthy || h.Alarm != "" { // an alarm takes writes away, not the quorum
			return nil, fmt.Errorf("%w: its member %s answers with one", ErrHasQuorum, h.Name)
		}
	}
	for i, m := range o.Members {
		f, err := o.look(ctx, m.Target)
		switch {
		case err != nil && i == at:
			return nil, fmt.Errorf("%w: %w", errs.ErrRefused, remote.OnHost(m.Target.Name, err))
		case err == nil && !f.hasData && i == at:
			return nil, fmt.Errorf("%w: etcd on %s has no data in %s", errs.ErrRefused,
				m.Target.Name, o.DataDir)
		case err == nil && f.hasData && i != at:
			others = append(others, i)
		}
	}
	if there := len(others) + 1; 2*there > len(o.Members) && len(others) > 0 {
		return nil,
			errs.WithNext(fmt.Errorf("%w: %d of etcd's %d members are there with their data: it "+
				"only has to be started", errs.ErrRefused, there, len(o.Members)),
				errs.Text("run %s", errs.Verb("apply")))
	}
	return others, ctx.Err()
}

func (o Options) setAside(ctx context.Context, m Member, kept string) error {
	return o.runRecovery(ctx, m, "stopped, its data moved to "+kept, "aside", o.DataDir, kept)
}

// runRecovery runs the script on a member's host.
func (o Options) runRecovery(ctx context.Context, m Member, action string, argv ...string) error {
	o.Progress("etcd member " + m.Name + ": " + action)
	ctx, cancel := context.WithTimeout(ctx, o.Wait+time.Minute)
	defer cancel()
	_, err := m.Target.Do(ctx, "etcd member "+m.Name, action,
		remote.Cmd{Script: recoverScript, Argv: argv})
	if err != nil {
		return remote.WithHint(remote.OnHost(m.Target.Name, err),
			"nothing is deleted: what the member had is in "+o.DataDir+" and beside it; see "+
				"`journalctl -u pgha-etcd-recovery -n 50` on "+m.Target.Name)
	}
	return nil
}

// LastKnown returns the keys below a prefix, without it, as the named member alone remembers them,
// without a quorum: they may be old, but are what etcd had agreed on at some moment.
func LastKnown(ctx context.Context, o Options, member, prefix string) (map[string]string, error) {
	o = o.withDefaults()
	keys := map[string]string{}
	for _, m := range o.Members {
		if m.Name != member {
			continue
		}
		err := o.ask(ctx, m, func(ctx context.Context, c *clientv3.Client) error {
			r, err := c.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithSerializable())
			if err != nil {
				return err
			}
			for _, kv := range r.Kvs {
				keys[strings.TrimPrefix(string(kv.Key), prefix)] = string(kv.Value)
			}
			return nil
		})
		return keys, err
	}
	return nil, errs.WithKind(fmt.Errorf("etcd has no member %q", member), errs.NotFound)
}
