package drill

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/spec"
)

// routes are how a drill reaches the cluster's PostgreSQL.
type routes struct {
	config *pgx.ConnConfig // to the virtual IP
	reader uint16          // the port of the replicas
	member *pgx.ConnConfig // the same for a member, but for its address
	port   uint16          // of a member
	// readWithin bounds a read.
	readWithin time.Duration
	// dial leads to the virtual IP; text says how. toMember leads to a member.
	dial     dialer
	text     string
	toMember func(host string) dialer
}

// directly bounds the attempt to reach the virtual IP from this machine.
const directly = 2 * time.Second

// findRoutes finds out how the virtual IP is reached. Without a way of its own a drill takes this
// machine's network, and SSH where that does not lead there.
func (d *driller) findRoutes(ctx context.Context) (routes, error) {
	config, err := d.cluster.ConnConfig()
	if err != nil {
		return routes{}, err
	}
	sp := d.cluster.Spec
	w := routes{config: config, reader: uint16(sp.Balancer.ReadPort),
		member: config, port: uint16(sp.PostgreSQL.Port), //nolint:gosec // spec has checked the ports
		readWithin: askWithin}
	// A member is asked from its own host, so that a network that is cut elsewhere does not hide
	// it.
	w.toMember = func(host string) dialer {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			t, err := d.cluster.Target(host)
			if err != nil {
				return nil, err
			}
			return t.Dial(ctx, network, address)
		}
	}
	if d.opts.Dial != nil {
		w.dial, w.text = d.opts.Dial, "the lab's network"
		w.toMember = func(string) dialer { return d.opts.Dial }
		return w, nil
	}
	address := hostport.Join(config.Host, int(config.Port))
	bounded, cancel := context.WithTimeout(ctx, directly)
	defer cancel()
	if conn, err := new(net.Dialer).DialContext(bounded, "tcp", address); err == nil {
		conn.Close()
		w.dial, w.text = new(net.Dialer).DialContext, "this machine's network"
		return w, nil
	}
	conn, err := d.cluster.DialFromCluster(ctx, "tcp", address)
	if err != nil {
		return w, fmt.Errorf("drill: %w: the virtual IP cannot be reached: %w",
			pgha.ErrRefused, err)
	}
	conn.Close()
	w.dial, w.text = d.cluster.DialFromCluster, "SSH"
	return w, nil
}

// heldWithin bounds a read that is to wait while clients are held: longer than that lasts.
const heldWithin = pooler.Lead + 3*time.Second

// of are the routes of a scenario.
func (w routes) of(sc Scenario, o Options, sp *spec.Spec) routes {
	if sc.Expect.NoErrors {
		w.readWithin = heldWithin
	}
	if !sc.Pooled && o.Through != ThroughPool {
		return w
	}
	w.config = w.config.Copy()
	w.config.Port = uint16(sp.Pooler.WritePort) //nolint:gosec // spec has checked the ports
	w.reader = uint16(sp.Pooler.ReadPort)       //nolint:gosec // and this one
	// The pooler takes few settings from clients.
	w.config.RuntimeParams = map[string]string{"application_name": drillName}
	return w
}

// writes is the configuration of the writer.
func (w routes) writes() *pgx.ConnConfig {
	cfg := w.config.Copy()
	cfg.DialFunc = pgxDial(w.dial)
	return cfg
}

func pgxDial(d dialer) func(context.Context, string, string) (net.Conn, error) { return d }

// through is a session through the virtual IP to the leader.
func (w routes) through() *session {
	return newSession(w.config, w.config.Host, w.config.Port, w.dial)
}

// reads is a session through the port of the replicas.
func (w routes) reads() *session { return newSession(w.config, w.config.Host, w.reader, w.dial) }

// to is a session to a member itself.
func (w routes) to(h spec.Host) *session {
	return newSession(w.member, h.Address, w.port, w.toMember(h.Name))
}
