package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/verify"
)

var (
	// ErrVerify is matched by the error of a Verify in which a check failed.
	ErrVerify = verify.ErrVerify
)

// Route is one line of the port matrix: a host that must be able to reach a port of another.
type Route = inspect.Route

// Blocked is a route that did not work, with what was seen.
type Blocked = inspect.Blocked

// Routes lists the port matrix of the cluster: every connection that one host opens to another.
func (c *Cluster) Routes() []Route { return inspect.Routes(c.site) }

// CheckPorts tries every route for real: temporary listeners answer on the ports that are still
// free. It changes nothing on the hosts, takes about a second, and ends its listeners also when it
// fails.
func (c *Cluster) CheckPorts(ctx context.Context) ([]Blocked, error) {
	return inspect.CheckPorts(ctx, c.site)
}

// PreflightOptions say what Preflight looks at.
type PreflightOptions = inspect.PreflightOptions

// PreflightReport is what Preflight saw.
type PreflightReport = inspect.PreflightReport

// Preflight looks whether the hosts can become the cluster: operating system, systemd, root, clock,
// disk, packages that are available, everything that package preflight judges, and every connection
// that one host has to open to another; whether what runs there already can become what the
// specification says, by the table of package change; whether PostgreSQL starts with settings and
// rules that it does not have yet, by a trial on its hosts (package trial); and whether the
// specification goes together, by the rules of Advise (warnings; notes are left to it). It changes
// nothing.
func (c *Cluster) Preflight(ctx context.Context, opts PreflightOptions) (PreflightReport, error) {
	return inspect.Preflight(ctx, c.site, opts)
}

// Facts is what a host said of itself at one moment.
type Facts = preflight.Facts

// Check is the outcome of one check of Verify.
type Check = verify.Check

// Verify looks at the whole cluster as an application and as an attacker would, and changes nothing
// but one table of its own that it drops again. First the layers are checked, all at the same time,
// then the security floor: its many handshakes must not be what makes a member answer late. All
// checks run and are returned in a fixed order; if one failed the error matches ErrVerify. observe,
// if not nil, receives each check in order as it ends. A ctx that ends is no verdict on the
// cluster: its own error is returned, and observe hears nothing more.
func (c *Cluster) Verify(ctx context.Context, observe func(Check)) ([]Check, error) {
	return verify.Verify(ctx, c.site, observe)
}

// DeepVerifyOptions say how VerifyDeep works.
type DeepVerifyOptions = verify.DeepVerifyOptions

// DeepVerifyResult is what VerifyDeep measured.
type DeepVerifyResult = verify.DeepVerifyResult

// VerifyDeep proves what Verify cannot see by looking: it moves the leadership to a replica and
// back, while it writes twenty rows a second through the virtual IP, and compares every
// acknowledged row with every member. It is an operation like a switchover, which it makes two of:
// with the lock, in the trail, refused as one is; sessions to the leader are cut twice.
func (c *Cluster) VerifyDeep(ctx context.Context,
	opts DeepVerifyOptions) (DeepVerifyResult, error) {
	return verify.VerifyDeep(ctx, c.site, opts)
}
