package lb

import (
	_ "embed"
	"fmt"
	"path"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed sessions.pl
var sessionsScript []byte

// After a reload HAProxy's former worker serves its own sessions and checks no server any more, so
// that "on-marked-down shutdown-sessions" is the new worker's alone. A unit that a reload starts,
// and that ends with the last former worker, does for the former ones what the new one says: within
// half a second of it. Seen with HAProxy 3.2.26.
const (
	sessionsUnit     = "pgha-sessions.service"
	sessionsUnitPath = "/etc/systemd/system/" + sessionsUnit
	sessionsPath     = "/usr/local/lib/pgha/end-former-sessions"
)

// sessionsService renders the unit. It speaks to HAProxy's sockets, and can change nothing else on
// the host.
func sessionsService() []byte {
	return fmt.Appendf(nil, `# Written by pgha. A reload of %[1]s starts it; it ends by itself.
[Unit]
Description=ends sessions with servers that are down, of HAProxy's former workers
PartOf=%[1]s
StartLimitIntervalSec=0

[Service]
ExecStart=%[2]s %[3]s %[4]s
Restart=on-failure
RestartSec=500ms
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
`, Unit, sessionsPath, socketPath, masterSocket)
}

// sessionsResources put the unit and its program on a balancer. The drop-in of haproxy.service
// starts it.
func sessionsResources(l layout.Layout) []remote.Resource {
	return []remote.Resource{
		l.Folder(path.Dir(sessionsPath)), l.Place(sessionsPath, sessionsScript),
		l.Place(sessionsUnitPath, sessionsService()),
	}
}
