package host

import (
	_ "embed"
	"fmt"
	"path"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed watch.py
var watchScript []byte

// WatchUnit is the unit that wakes Patroni when PostgreSQL dies. Without it a crashed primary is
// noticed within loop_wait, half of it on average.
const (
	WatchUnit     = layout.WatchUnit
	watchUnitPath = unitsDir + WatchUnit
	watchPath     = "/usr/local/lib/pgha/watch-postgresql"
)

// watchService renders the unit. It starts and stops with Patroni, and can change nothing on the
// host.
func (o Options) watchService(m Member) ([]byte, error) {
	command, err := shell.Join([]string{watchPath, "--data", o.DataDir, "--rest",
		hostport.Join(m.Address, o.RESTPort), "--certs", CertsDir})
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", WatchUnit, err)
	}
	return fmt.Appendf(nil, `# Written by pgha.
[Unit]
Description=wakes Patroni at the moment when PostgreSQL dies
PartOf=%[1]s
After=%[1]s
StartLimitIntervalSec=0

[Service]
User=%[2]s
ExecStart=%[3]s
Restart=always
RestartSec=2
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

[Install]
WantedBy=%[1]s
`, Unit, systemUser, command), nil
}

// watchResources put the watcher on the member's host. It is started after Patroni.
func (o Options) watchResources(m Member) ([]remote.Resource, error) {
	service, err := o.watchService(m)
	if err != nil {
		return nil, err
	}
	l := Layout(o)
	return []remote.Resource{
		l.Folder(path.Dir(watchPath)), l.Place(watchPath, watchScript),
		l.Place(watchUnitPath, service),
	}, nil
}

// watchRunning starts the watcher, and restarts it when it has changed.
func watchRunning() remote.Resource {
	return remote.Unit{Name: WatchUnit, Enabled: remote.Yes, Running: remote.Yes,
		RestartOn: []string{watchPath, watchUnitPath}}
}
