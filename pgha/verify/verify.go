package verify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/status"
)

// ErrVerify is matched by the error of a Verify in which a check failed.
var ErrVerify = errs.New(errs.Unhealthy, "verification failed")

// Check is the outcome of one check of Verify.
type Check struct {
	// Name says what is checked, in words that do not change between versions.
	Name string `json:"name"`
	// OK is the verdict, Detail what was seen, Problem why the check failed and Hint what to do
	// about it.
	OK      bool      `json:"ok"`
	Detail  string    `json:"detail,omitempty"`
	Problem string    `json:"problem,omitempty"`
	Hint    errs.Next `json:"hint,omitzero"`
	// Duration is how long the check took.
	Duration time.Duration `json:"duration_ns"`
}

// check is one entry of the list: what it looks at, what to do if it fails, and the look itself,
// which returns what was seen.
type check struct {
	name string
	hint errs.Next
	look func(ctx context.Context, c *site.Site) (detail string, err error)
}

// checkTimeout bounds one check, so that one dead host cannot hold up the verdict.
const checkTimeout = 20 * time.Second

// checks is the list, in the order of the layers: what stands higher cannot work while something
// below it fails.
func checks(now moment) []check {
	return []check{
		{"hosts answer", errs.Text("%s tells why a host cannot be reached", errs.Verb("preflight")),
			now.is(sawHosts, status.PartHosts)},
		{"what runs is what the specification says",
			errs.Text("docs/changing-the-specification.md says what each field is good for"),
			checkRunning},
		{"services run and start at boot", errs.Text("%s enables and starts them",
			errs.Verb("apply")),
			now.is(sawHosts, status.PartHosts, status.PartServices)},
		{"disks have room", errs.Text("%s tells what fills them", errs.Verb("doctor")),
			now.is(sawHosts, status.PartHosts, status.PartDisks)},
		{"no certificate has ended", errs.Text("%s renews what is due", errs.Verb("apply")),
			now.is(sawCertificates, status.PartHosts, status.PartCertificates)},
		{"no reset is unfinished", errs.Text("%s again finishes it", errs.Verb("reset")),
			now.is(sawHosts, status.PartHosts, status.PartReset)},
		{"no change is half done", errs.Text("%s finishes it, %s takes it back",
			errs.Verb("change", "continue"), errs.Verb("change", "undo")),
			now.is(sawEtcd, status.PartEtcd, status.PartChange)},
		{"clocks agree", errs.Text("set up a time service (chrony) on the hosts"), checkClocks},
		{"etcd members are healthy", errs.Text("journalctl -u etcd on the member named"),
			now.is(sawEtcd, status.PartEtcd)},
		{"etcd refuses strangers", errs.Text("client-cert-auth must be on: %s", errs.Verb("apply")),
			checkEtcdStrangers},
		{"one leader, every replica streams",
			errs.Text("journalctl -u patroni on the member named"),
			now.is(sawMembers, status.PartMembers)},
		{"Patroni refuses strangers", errs.Text("verify_client must be set: %s",
			errs.Verb("apply")),
			checkPatroniStrangers},
		{"every member accepts the replication login from itself",
			errs.Text("the 127.0.0.1 replication line of pg_hba must stand: %s",
				errs.Verb("apply")),
			checkReplicationLogin},
		{"the local administrator can log in", errs.Text("the local peer line of pg_hba must "+
			"stand: %s",
			errs.Verb("apply")), checkPeerLogin},
		{"PostgreSQL takes every line of its files",
			errs.Text("%s tells what is used instead", errs.Verb("config", "show")),
			checkRefusedLines},
		{"balancers see the primary and the replicas",
			errs.Text("journalctl -u haproxy on the balancer named"),
			now.is(sawBalancers, status.PartBalancers)},
		{"exactly one balancer holds the address",
			errs.Text("journalctl -u keepalived on the balancers"),
			now.is(sawAddress, status.PartAddress)},
		{"applications can write now", errs.Text("%s tells which layer is at fault",
			errs.Verb("doctor")),
			now.is(func(status.Status) string { return "through the address" }, status.PartWrites)},
		{"SQL through the address lands on the primary",
			errs.Text("check haproxy and the primary's /primary endpoint"), checkPrimarySQL},
		{"the read port leads to a replica", errs.Text("check haproxy and the replicas' /replica " +
			"endpoint"),
			checkReadPort},
		{"connections without TLS are refused", errs.Text("pg_hba must only have hostssl lines: %s",
			errs.Verb("apply")), checkPlainRefused},
		{"replication streams", errs.Text("journalctl -u patroni on the replica that is missing"),
			checkReplication},
		{"a row written through the address is read on every replica",
			errs.Text("see the checks above"), checkRow},
	}
}

// Verify looks at the whole cluster as an application and as an attacker would, and changes nothing
// but one table of its own that it drops again. Whether the cluster is healthy it takes from
// status: what is a problem there fails a check here. First that is asked, then the layers are
// checked, four checks at the same time, then the security floor: its many handshakes must not be
// what makes a member answer late.
// All checks run and are returned in a fixed order; if one failed the error matches ErrVerify.
// observe, if not nil, receives each check in order as it ends. A ctx that ends is no verdict on
// the cluster: its own error is returned, and observe hears nothing more.
func Verify(ctx context.Context, c *site.Site, observe func(Check)) ([]Check, error) {
	var results []Check
	now := sync.OnceValues(func() (status.Status, error) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		return status.Look(ctx, c)
	})
	_, _ = now() // alone: what the checks ask must not be what makes a member answer late
	layers := checks(now)
	if c.Spec.Backup != nil {
		layers = append(layers, backupCheck(now))
	}
	if c.Spec.Pooler != nil {
		layers = append(layers, poolerChecks(now)...)
	}
	if c.Spec.Contents() {
		layers = append(layers, contentsCheck())
	}
	for _, list := range [][]check{layers, securityChecks()} {
		results = append(results, runChecks(ctx, c, list, observe)...)
	}
	failed := 0
	for _, r := range results {
		if !r.OK {
			failed++
		}
	}
	if err := ctx.Err(); failed > 0 && err != nil {
		return results, fmt.Errorf("verify: %w", err)
	}
	if failed > 0 {
		return results, fmt.Errorf("%w: %d of %d checks", ErrVerify, failed, len(results))
	}
	return results, nil
}

// atOnce is how many checks run at the same time. Each asks several hosts; where those share two
// processors, as in a lab, all checks together made HAProxy's own checks of 500 ms run out, and the
// sessions of applications end.
const atOnce = 4

// runChecks runs a few checks at a time and reports them in order.
func runChecks(ctx context.Context, c *site.Site, list []check, observe func(Check)) []Check {
	results := make([]Check, len(list))
	done := make([]chan struct{}, len(list))
	for i := range list {
		done[i] = make(chan struct{})
	}
	slots := make(chan struct{}, atOnce)
	go func() {
		for i, ck := range list {
			slots <- struct{}{}
			go func() {
				defer func() { <-slots; close(done[i]) }()
				results[i] = runCheck(ctx, c, ck)
			}()
		}
	}()
	for i := range list {
		<-done[i]
		if observe != nil && ctx.Err() == nil {
			observe(results[i])
		}
	}
	return results
}

func runCheck(ctx context.Context, c *site.Site, ck check) Check {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	start := time.Now()
	detail, err := ck.look(ctx, c)
	res := Check{Name: ck.name, OK: err == nil, Detail: detail, Duration: time.Since(start)}
	if err != nil {
		res.Problem, res.Hint = err.Error(), ck.hint
		if next := errs.NextOf(err); !next.IsZero() {
			res.Hint = next
		}
	}
	return res
}
