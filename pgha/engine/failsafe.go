package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// stopsPatroni are the verbs that stop or restart something of a member, and that hold a lock in
// etcd meanwhile.
var stopsPatroni = []string{"restart", "reinit", "rolling-reboot", "switchover", "failover"}

const livesOnFailsafe = "lives on failsafe_mode, and would step down as soon as the Patroni of " +
	"one member did not answer"

// aboutFailsafe makes a refusal of it that etcd gave no lock, and says why no member may be touched
// then: while etcd is away the primary continues only as long as the Patroni of every listed member
// answers it. One that is stopped or restarted makes it step down in its next round.
func aboutFailsafe(c *site.Site, verb string, err error) error {
	if !errors.Is(err, etcd.ErrUnhealthy) || !c.Spec.Patroni.FailsafeMode ||
		!slices.Contains(stopsPatroni, verb) {
		return err
	}
	return errs.WithNext(fmt.Errorf("%w: etcd has no quorum, so the primary %s: %w",
		errs.ErrRefused,
		livesOnFailsafe, err),
		errs.Text("bring etcd back first (%s, %s); until then stop and restart nothing on the "+
			"database hosts",
			errs.Verb("doctor"), errs.Verb("apply")))
}

// aboutSilence reports etcd where a rehearsal, which takes no lock, found no Patroni to answer.
func aboutSilence(ctx context.Context, r *job.Job, verb string, err error) error {
	if !errors.Is(err, patroni.ErrUnavailable) {
		return err
	}
	if _, away := adopt.StoreKeys(ctx, r); errors.Is(away, etcd.ErrUnhealthy) {
		return aboutFailsafe(r.Site, verb, fmt.Errorf("%w; %w", err, away))
	}
	return err
}

// RefuseWithoutQuorum says why these hosts' members cannot be stopped while the others go on: nil,
// or an error that matches ErrRefused.
func RefuseWithoutQuorum(sp *spec.Spec, s status.Status, looks map[string]hostlook.Look,
	hosts []spec.Host) error {
	healthy := 0
	for _, m := range s.Etcd {
		if m.Healthy || m.Alarm != "" { // an alarm takes writes away, not the quorum
			healthy++
		}
	}
	serves := slices.ContainsFunc(s.Members,
		func(m status.MemberStatus) bool { return m.Endpoints["/primary"] == http.StatusOK })
	touched := slices.ContainsFunc(site.Only(sp, spec.RoleDatabase, hosts),
		func(h spec.Host) bool { return looks[h.Name].Runs(patroni.Unit) })
	if !sp.Patroni.FailsafeMode || healthy > len(sp.EtcdHosts())/2 || !serves || !touched {
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: etcd has no quorum (%d of %d members), so the primary %s",
		errs.ErrRefused, healthy, len(sp.EtcdHosts()), livesOnFailsafe),
		errs.Text("bring etcd back first (%s, %s), or stop the whole cluster: %s; --force stops "+
			"these all the same",
			errs.Verb("doctor"), errs.Verb("apply"), errs.Verb("stop")))
}
