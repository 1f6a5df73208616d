package host

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/failover"
	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// The agent of a fast failover, and what removes the fence of one that is not there any more.
const (
	FailoverUnit     = layout.FailoverUnit
	failoverUnitPath = unitsDir + FailoverUnit
	failoverPath     = "/usr/local/lib/pgha/fast-failover"
	failoverSteps    = "/usr/local/lib/pgha/fast_failover_steps.py"
	failoverState    = "/var/lib/pgha-failover" // the folder of failover.FencePath

	liftUnit     = layout.LiftService
	liftTimer    = layout.LiftTimer
	liftUnitPath = unitsDir + liftUnit
	liftPath     = unitsDir + liftTimer
)

// leastSuspectAfter is the shortest silence that means something: hosts stall for a second, and the
// first packet that is lost is sent again after one.
const leastSuspectAfter = 2 * time.Second

// sandbox is what the agent may do: routes, and nothing else that postgres may not do anyway.
const sandbox = `User=` + systemUser + `
StateDirectory=pgha-failover
AmbientCapabilities=CAP_NET_ADMIN
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
`

// failoverService renders the agent's unit. It starts before Patroni, so that a fence is back
// before PostgreSQL asks a leader for WAL, and stops with it.
func (o Options) failoverService(m Member) ([]byte, error) {
	prefix := "/" + strings.Trim(o.Namespace, "/") + "/" + o.Scope + "/"
	argv := []string{failoverPath, "run", "--state", failoverState, "--me", m.Name}
	for _, other := range o.Members {
		ports := []string{strconv.Itoa(o.ListenPort), strconv.Itoa(o.RESTPort)}
		for _, endpoint := range o.EtcdEndpoints {
			if host, port, err := net.SplitHostPort(endpoint); err == nil && host == other.Address {
				ports = append(ports, port)
			}
		}
		argv = append(argv, "--member", other.Name+"="+other.Address+"@"+strings.Join(ports, ","))
	}
	for _, address := range o.balancersAlone() {
		argv = append(argv, "--balancer", address)
	}
	for _, endpoint := range o.EtcdEndpoints {
		argv = append(argv, "--etcd", endpoint)
	}
	argv = append(argv, "--prefix", prefix, "--folder", "/pgha/failover/"+o.Scope+"/",
		"--rest-port", strconv.Itoa(o.RESTPort), "--certs", CertsDir, "--data", o.DataDir,
		"--suspect-after", strconv.FormatFloat(o.SuspectAfter.Seconds(), 'f', -1, 64))
	command, err := shell.Join(argv)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", FailoverUnit, err)
	}
	return fmt.Appendf(nil, `# Written by pgha.
[Unit]
Description=fails over within seconds when the host of PostgreSQL's leader is lost
PartOf=%[1]s
Before=%[1]s
StartLimitIntervalSec=0

[Service]
%[2]sExecStartPre=-%[3]s restore --state %[4]s
ExecStart=%[5]s
Restart=always
RestartSec=1
TimeoutStartSec=10
OOMScoreAdjust=-900

[Install]
WantedBy=%[1]s
`, Unit, sandbox, failoverPath, failoverState, command), nil
}

// balancersAlone are the addresses of balancers whose hosts have neither a database nor etcd: a
// leader that is cut off may let nothing out to them, and keeps nobody by it from coming to a
// quorum again.
func (o Options) balancersAlone() []string {
	return slices.DeleteFunc(slices.Clone(o.Balancers), func(address string) bool {
		return slices.ContainsFunc(o.Members, func(m Member) bool { return m.Address == address }) ||
			slices.ContainsFunc(o.EtcdEndpoints, func(endpoint string) bool {
				host, _, err := net.SplitHostPort(endpoint)
				return err != nil || host == address
			})
	})
}

// liftService and liftEvery remove a fence that is older than any lease it was against, and what
// keeps packets from the balancers once no agent wants it. systemd itself looks whether there is
// one.
const (
	liftService = `# Written by pgha.
[Unit]
Description=removes a fence of a fast failover that is too old
ConditionPathExists=|` + failoverState + `/fence
ConditionPathExists=|` + failoverState + `/aside

[Service]
Type=oneshot
` + sandbox + `ExecStart=` + failoverPath + ` timer --state ` + failoverState + `
`
	liftEvery = `# Written by pgha.
[Unit]
Description=looks for a fence of a fast failover that is too old

[Timer]
OnCalendar=*:*:0/15
AccuracySec=1s

[Install]
WantedBy=timers.target
`
)

// failoverResources put the agent on the member's host, or take its unit away. What removes old
// fences stays: it does nothing without one.
func (o Options) failoverResources(m Member) ([]remote.Resource, error) {
	if o.SuspectAfter == 0 {
		return []remote.Resource{remote.Absent{Path: failoverUnitPath}}, nil
	}
	service, err := o.failoverService(m)
	if err != nil {
		return nil, err
	}
	l := Layout(o)
	return []remote.Resource{
		l.Place(failoverSteps, failover.Steps()), l.Place(failoverPath, failover.Agent()),
		l.Place(liftUnitPath, []byte(liftService)), l.Place(liftPath, []byte(liftEvery)),
		l.Place(failoverUnitPath, service),
	}, nil
}

// failoverRunning starts the agent and the timer, restarts an agent that has changed, and stops one
// that is not wanted.
func (o Options) failoverRunning() []remote.Resource {
	if o.SuspectAfter == 0 {
		return []remote.Resource{remote.Unit{Name: FailoverUnit, Enabled: remote.No,
			Running: remote.No}}
	}
	return []remote.Resource{
		remote.Unit{Name: liftTimer, Enabled: remote.Yes, Running: remote.Yes,
			RestartOn: []string{liftPath}},
		remote.Unit{Name: FailoverUnit, Enabled: remote.Yes, Running: remote.Yes,
			RestartOn: []string{failoverSteps, failoverPath, failoverUnitPath}},
	}
}

// failoverLayout adds what the agent has on a host.
func (o Options) failoverLayout(l *layout.Layout) {
	if o.SuspectAfter == 0 {
		return
	}
	const from = "patroni.fast_failover"
	l.Units = append(l.Units, layout.Unit{Name: liftTimer, Kind: layout.Helper, From: from},
		layout.Unit{Name: FailoverUnit, Kind: layout.Helper, From: from})
	l.Files = append(l.Files,
		layout.File{Path: failoverSteps, From: layout.FromTemplates},
		layout.File{Path: failoverPath, Mode: 0o755, From: layout.FromTemplates},
		layout.File{Path: liftUnitPath, From: layout.FromTemplates},
		layout.File{Path: liftPath, From: layout.FromTemplates},
		layout.File{Path: failoverUnitPath, From: from + ", hosts, postgresql, etcd"})
}

// checkFailover refuses what a fast failover could not be proven safe with.
func checkFailover(o Options) (problems []error) {
	switch {
	case o.SuspectAfter == 0:
		return nil
	case o.SuspectAfter < leastSuspectAfter:
		problems = append(problems, fmt.Errorf("suspect after %s: below %s a host that only stalls "+
			"would be taken for lost", o.SuspectAfter, leastSuspectAfter))
	}
	if o.SynchronousMode == SynchronousOff {
		problems = append(problems, fmt.Errorf("suspect after %s: without synchronous replication "+
			"an old leader may acknowledge commits to the end of its lease", o.SuspectAfter))
	}
	if len(o.Members) > 0 && len(o.Members) < 3 {
		problems = append(problems, fmt.Errorf("suspect after %s: %d members are not enough for "+
			"more than half of them to agree without the leader", o.SuspectAfter, len(o.Members)))
	}
	return problems
}
