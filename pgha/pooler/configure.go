package pooler

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/internal/rollout"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed console.pl
var consoleProgram []byte

//go:embed accepts.sh
var acceptsProgram []byte

// Configure installs PgBouncer on every balancer, and makes one run there for writes and one for
// reads with the configuration that Config renders. The service that the package brings is masked.
//
// On the hosts it adds the system user pgha-pooler and writes /etc/pgha-pooler, two units, and
// below /usr/local/lib/pgha what speaks with the poolers and what tries a configuration before it
// is put in place. Balancers where no pooler runs yet are started in parallel; running ones are
// changed one after the other, that of Options.Last behind the others, each only once the one
// before answers. A reload ends no session. A change of a port or of MaxClients restarts:
// transactions have ten seconds to end, then sessions are cut.
//
// A balancer that is left out stays as it is. Safe to repeat: where nothing differs nothing is
// changed. Errors match ErrInvalid, ErrVersion, ErrNotReady or name the host.
func Configure(ctx context.Context, o Options) error {
	if err := o.configure(ctx); err != nil {
		return fmt.Errorf("configure PgBouncer: %w", err)
	}
	return nil
}

func (o Options) configure(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	o = o.WithDefaults()
	l := Layout(o)
	// The package is installed with its unit masked: what is wanted of that comes afterwards.
	err := remote.Each(ctx, o.targets(), func(ctx context.Context, t *remote.Target) error {
		changes, err := t.Ensure(ctx, l.Packages)
		if err != nil || t.Planning() && changes.Any() {
			return err
		}
		return CheckInstalled(ctx, t)
	})
	if err != nil {
		return err
	}
	resources := make([][]remote.Resource, len(o.Balancers))
	atOnce, inTurn, err := rollout.Sort(len(o.Balancers), func(i int) (rollout.Need, error) {
		b := o.Balancers[i]
		if b.Target.LeftOut {
			return rollout.Nothing, nil
		}
		var err error
		if resources[i], err = o.resources(l, b); err != nil {
			return rollout.Nothing, err
		}
		needs, err := b.Target.Preview(ctx, resources[i]...)
		switch {
		case !needs.Any():
			return rollout.Nothing, err
		case needs.Starts(UnitOf(Write)):
			return rollout.AtOnce, err
		}
		return rollout.InTurn, err
	})
	if err != nil {
		return err
	}
	return rollout.Run(ctx, rollout.Rollout{
		AtOnce: atOnce, InTurn: inTurn, Order: o.order,
		Change: func(ctx context.Context, i int) (func(context.Context) error, error) {
			t := o.Balancers[i].Target
			changes, err := t.Ensure(ctx, resources[i]...)
			if err != nil || t.Planning() || !changes.Any() {
				return nil, err
			}
			return func(ctx context.Context) error { return o.await(ctx, t) }, nil
		},
	})
}

// order puts the balancer of Options.Last behind the others.
func (o Options) order(ctx context.Context, balancers []int) ([]int, error) {
	if len(balancers) == 1 || o.Last == nil {
		return balancers, nil
	}
	last := o.Last(ctx)
	return rollout.Last(balancers, func(i int) bool {
		return o.Balancers[i].Target.Name == last
	}), nil
}

// resources is everything that a balancer needs, in order.
func (o Options) resources(l layout.Layout, b Balancer) ([]remote.Resource, error) {
	rules, err := o.rules()
	if err != nil {
		return nil, err
	}
	at := layout.CertificateOf(layout.Pooler)
	list := []remote.Resource{
		remote.User{Name: systemUser},
		remote.Unit{Name: debianUnit, Mask: true},
		l.Folder(configDir), l.Folder(layout.PoolerCerts),
		l.Place(at.CA, o.CA), l.Place(at.File, b.Certificate.Cert),
		l.Place(at.Key, b.Certificate.Key.Reveal()),
		l.Place(rulesPath, rules), l.Place(usersPath, o.users()),
		l.Folder(programs), l.Place(consolePath, consoleProgram),
		l.Place(checkPath, acceptsProgram),
	}
	for _, i := range Instances() {
		config, err := Config(o, i)
		if err != nil {
			return nil, err
		}
		file := l.Place(configPath(i), config)
		file.Validate = func(path string) remote.Cmd {
			return remote.Cmd{Argv: []string{checkPath, path}}
		}
		list = append(list, file, l.Place(unitPath(i), o.unit(i)), remote.Unit{Name: UnitOf(i),
			Enabled: remote.Yes, Running: remote.Yes, RestartOn: []string{unitPath(i)},
			ReloadOn: []string{configPath(i), at.CA, at.File, at.Key, rulesPath, usersPath}})
	}
	return list, nil
}

// unit renders the service of an instance. A port and a limit of clients are read at a start alone,
// so that they stand in it: a change of them restarts.
func (o Options) unit(i Instance) []byte {
	sessions := o.Sizes.of(i)
	for _, d := range o.Databases {
		sessions = max(sessions, d.Sizes.of(i))
	}
	return fmt.Appendf(nil, `# Written by pgha.
[Unit]
Description=PgBouncer on port %[1]d, for %[2]ss
After=network.target
StartLimitIntervalSec=0

[Service]
Type=notify
User=%[3]s
ExecStart=/usr/sbin/pgbouncer %[4]s
ExecReload=/bin/kill -HUP $MAINPID
# Transactions may end; then it goes.
KillSignal=SIGINT
TimeoutStopSec=10
Restart=always
RestartSec=100ms
# A client takes one, and so does a session with PostgreSQL: %[5]d clients.
LimitNOFILE=%[6]d
RuntimeDirectory=pgha-pooler-%[2]s
RuntimeDirectoryMode=0750
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6

[Install]
WantedBy=multi-user.target
`, o.port(i), i, systemUser, configPath(i), o.MaxClients, o.MaxClients+1000)
}

// SetPassword gives the poolers of all balancers, in parallel, the password with which they look up
// those of clients: its file, and a reload, which ends no session, those with PostgreSQL included.
// The role must have it by then. Safe to repeat. Errors name the host.
func SetPassword(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	l := Layout(o)
	err := remote.Each(ctx, o.targets(), func(ctx context.Context, t *remote.Target) error {
		list := []remote.Resource{l.Place(usersPath, o.users())}
		for _, i := range Instances() {
			list = append(list, remote.Unit{Name: UnitOf(i), Enabled: remote.Yes,
				Running: remote.Yes, ReloadOn: []string{usersPath}})
		}
		changes, err := t.Ensure(ctx, list...)
		if err != nil || t.Planning() || !changes.Any() {
			return err
		}
		return o.await(ctx, t)
	})
	if err != nil {
		return fmt.Errorf("give PgBouncer its password: %w", err)
	}
	return nil
}

// await waits until both poolers of a balancer answer.
func (o Options) await(ctx context.Context, t *remote.Target) error {
	err := poll.Until(ctx, poll.Options{
		What: "the poolers to answer", Bound: o.Wait,
		Next: errs.Text("see `journalctl -u pgha-pooler-write -n 50` on %s", t.Name),
	}, func(ctx context.Context) (string, error) {
		s := look(ctx, t)
		if s.Err != nil {
			return s.Err.Error(), nil
		}
		for _, i := range Instances() {
			if s.Instances[i].Silent {
				return fmt.Sprintf("that for %ss does not", i), nil
			}
		}
		return "", nil
	})
	if errors.Is(err, errs.ErrTimeout) {
		err = fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return remote.OnHost(t.Name, err)
}

// Remove takes the poolers away from balancers: their units, files and what they listen on. The
// package stays, and its own service masked. Sessions through them are cut. Safe to repeat.
func Remove(ctx context.Context, targets []*remote.Target) error {
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		if t.LeftOut {
			return nil
		}
		var list []remote.Resource
		for _, i := range Instances() {
			list = append(list, remote.Unit{Name: UnitOf(i), Running: remote.No,
				Enabled: remote.No}, remote.Absent{Path: unitPath(i)},
				remote.Absent{Path: configPath(i)})
		}
		at := layout.CertificateOf(layout.Pooler)
		for _, path := range []string{usersPath, rulesPath, at.Key, at.File, at.CA, consolePath,
			checkPath} {
			list = append(list, remote.Absent{Path: path})
		}
		_, err := t.Ensure(ctx, list...)
		return err
	})
}
