package checkup

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/failover"
	"github.com/pgha/toolkit/internal/pgfiles"
	"github.com/pgha/toolkit/internal/pgroles"
	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/reach"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

//go:embed look.py
var lookScript string

//go:embed journals.sh
var journalsScript string

// question is one look at a host: what is run, and how its answer becomes facts.
type question struct {
	argv []string
	read func(*doctor.Host, remote.Result)
}

// inShell is a question for the shell, whose text is constant and whose parameters follow it.
func inShell(text string, parameters ...string) []string {
	return append([]string{"sh", "-c", text, "look"}, parameters...)
}

// systemQuestions are asked of every host.
func systemQuestions(sp *spec.Spec, h *doctor.Host, asked time.Time) []question {
	units := unitsOf(sp, specHost(h))
	note, reset := pgha.MemoryCommands()
	return []question{
		{note, func(h *doctor.Host, r remote.Result) {
			h.StateNote = strings.TrimSpace(string(r.Stdout))
		}},
		{reset, func(h *doctor.Host, r remote.Result) {
			h.UnfinishedReset = pgha.UnfinishedReset(string(r.Stdout))
		}},
		{[]string{"date", "+%s.%N"}, func(h *doctor.Host, r remote.Result) {
			h.Clock.OffsetSeconds = clockOffset(r.Stdout, asked, time.Now())
		}},
		// systemd notes at its start what kind of container it found itself in.
		{inShell(`[ -s /run/systemd/container ] || systemd-detect-virt --container`),
			func(h *doctor.Host, r remote.Result) { h.Clock.Container = r.ExitCode == 0 }},
		{inspect.TimeQuestion(), func(h *doctor.Host, r remote.Result) {
			h.Clock.Synchronised = strings.Contains(string(r.Stdout), "=yes")
		}},
		{append([]string{"systemctl", "show",
			"--property=Id,LoadState,ActiveState,SubState,UnitFileState,Result,MainPID,ExecMainStatus", "--"},
			units...), readUnits},
		{inShell(journalsScript, units...), readJournals},
		{[]string{"df", "-k", "--output=source,fstype,size,avail,itotal,iavail,target"}, readDisks},
		{[]string{"cat", "/proc/mounts"}, readMounts},
		{[]string{"ss", "-H", "-ltnp"}, readListeners},
		{[]string{"ip", "-o", "addr", "show"}, readAddresses},
		{[]string{"nft", "-a", "list", "ruleset"}, readFirewall},
		{[]string{"ps", "-eo", "pid=,stat=,comm="}, readProcesses},
		{append([]string{"stat", "-c", "%a %U %G %n", "--"}, filesOf(sp, specHost(h))...), readFiles},
		{append([]string{"dpkg-query", "-W", "-f",
			"${Package} ${Version} ${db:Status-Status}\n", "--"},
			packagesOf(sp, h)...), readPackages},
	}
}

// fenceQuestion asks a database host whom its routes let nothing out to, and what it remembers of
// it, in two lines.
func fenceQuestion() question {
	return question{inShell(`for f; do cat -- "$f" 2>/dev/null; echo; done; `+
		`ip route show type prohibit; ip -6 route show type prohibit`, failover.FencePath,
		failover.AsidePath), readFence}
}

// specHost is a host as far as its layout needs it.
func specHost(h *doctor.Host) spec.Host {
	return spec.Host{Name: h.Name, Member: h.Member, Role: h.Role, Roles: h.Roles}
}

// unitsOf are the units that a host needs, those first that others need.
func unitsOf(sp *spec.Spec, h spec.Host) []string {
	return site.Layout(sp, h).Units(layout.Service, layout.Helper)
}

// filesOf are the files and folders that apply puts on a host.
func filesOf(sp *spec.Spec, h spec.Host) []string {
	var paths []string
	for _, f := range site.Layout(sp, h).Files() {
		paths = append(paths, f.Path)
	}
	return paths
}

// packagesOf are the packages whose versions have to agree between the hosts of a role.
func packagesOf(sp *spec.Spec, h *doctor.Host) []string {
	var names []string
	if h.Runs(sp, spec.RoleBalancer) {
		names = append(names, "haproxy", "keepalived")
	}
	if h.Runs(sp, spec.RoleDatabase) {
		names = append(names, "patroni", fmt.Sprintf("postgresql-%d", sp.PostgreSQL.Version))
	}
	if len(names) == 0 { // none at all would mean every package of the host
		names = append(names, "etcd-server")
	}
	return names
}

// reachWithin is how long a host tries to reach others.
const reachWithin = 800 * time.Millisecond

// reachQuestion tries every connection that the host has to open to others.
func reachQuestion(sp *spec.Spec, h *doctor.Host) question {
	var addresses []string
	for _, d := range sp.MemberHosts() {
		if d.Name == h.Name {
			continue
		}
		for _, port := range reachedOn(sp, h, d) {
			addresses = append(addresses, connstring.HostPort(d.Address, port))
		}
	}
	return question{reach.Question(reachWithin, addresses...),
		func(h *doctor.Host, r remote.Result) { h.Reach = reach.Read(string(r.Stdout)) }}
}

// reachedOn are the ports of another host to which a host opens connections.
func reachedOn(sp *spec.Spec, h *doctor.Host, other spec.Host) []int {
	data, votes := h.Runs(sp, spec.RoleDatabase), h.Runs(sp, spec.RoleEtcd)
	var ports []int
	if other.Has(spec.RoleDatabase) && (data || h.Runs(sp, spec.RoleBalancer)) {
		ports = append(ports, sp.Patroni.RESTPort, sp.PostgreSQL.Port)
	}
	if data && sp.Runs(other, spec.RoleEtcd) {
		ports = append(ports, sp.Etcd.ClientPort)
	}
	if votes && sp.Runs(other, spec.RoleEtcd) {
		ports = append(ports, sp.Etcd.PeerPort)
	}
	return ports
}

// memberQuestions are about the programs and files of a host of a database or of etcd. What does
// not run there is not asked: its address is empty.
func memberQuestions(sp *spec.Spec, h *doctor.Host) []question {
	pg := sp.PostgreSQL
	rest, store, data := "", "", ""
	if h.Patroni != nil {
		rest, data = connstring.HostPort(h.Address, sp.Patroni.RESTPort), pg.DataDir
	}
	if h.Etcd != nil {
		store = "127.0.0.1"
	}
	look := []string{"python3", "-I", "-c", lookScript, rest, store,
		strconv.Itoa(sp.Etcd.ClientPort), data, sp.Etcd.DataDir}
	for _, c := range certs.OfHost(sp, specHost(h)) {
		look = append(look, c.Label()+"|"+c.File+"|"+c.Key)
	}
	questions := []question{{look, readPrograms}}
	if h.Patroni == nil {
		return questions
	}
	return append(questions, question{
		[]string{fmt.Sprintf("/usr/lib/postgresql/%d/bin/pg_controldata", pg.Version), "-D",
			pg.DataDir}, readControl})
}

// sqlQuestions go to PostgreSQL's own socket, as the operating system's postgres user, and as the
// replication role. A server that hangs lets each of them wait, so they are two groups.
func sqlQuestions(sp *spec.Spec, long time.Duration) [][]question {
	pg := sp.PostgreSQL
	ask := strings.ReplaceAll(questionSQL, "%SECONDS%",
		strconv.FormatFloat(long.Seconds(), 'f', -1, 64))
	ask = strings.ReplaceAll(ask, "%REFUSED%", pgfiles.RefusedSQL(sp.PostgreSQL.Version))
	ask = strings.ReplaceAll(ask, "%LACKING%",
		pgroles.LackingSQL(pg.ReplicationUser, pg.RewindUser))
	settings := func(as pgsession.Role) map[string]string {
		set := pgsession.Settings(pg.Version, as, "pgha doctor")
		set["statement_timeout"] = "3000"
		return set
	}
	psql := func(as pgsession.Role, args ...string) []string {
		return pgsession.Psql(fmt.Sprintf("/usr/lib/postgresql/%d/bin/psql", pg.Version),
			settings(as),
			append([]string{"-Atq"}, args...)...)
	}
	// It hears nothing for 2 s before psql is asked.
	why := append([]string{"timeout", "3"}, psql(pgsession.Superuser, "-p", strconv.Itoa(pg.Port),
		"-U", pg.Superuser, "-d", "postgres", "-c", ask)...)
	own := pgsession.Ask(fmt.Sprintf("%s/.s.PGSQL.%d", layout.SocketDir, pg.Port), pg.Superuser,
		settings(pgsession.Superuser), ask, why...)
	login := fmt.Sprintf(
		"host=127.0.0.1 port=%d user=%s dbname=postgres replication=true passfile=%s "+
			"sslmode=require connect_timeout=4", pg.Port, pg.ReplicationUser, layout.PasswordFile)
	return [][]question{
		{{inShell(`"$@" 2>&1`, own...), readSQL}},
		{{inShell(
			`exec setpriv --reuid postgres --regid postgres --init-groups timeout 4 "$@" 2>&1`,
			psql(pgsession.Ordinary, "-d", login, "-c", "IDENTIFY_SYSTEM")...),
			readReplicationLogin}},
	}
}

// balancerQuestions are about HAProxy.
func balancerQuestions() []question {
	// No module is loaded: perl begins in a third of the time then. The numbers are AF_UNIX and
	// SOCK_STREAM.
	const ask = `$SIG{ALRM} = sub { die "no answer within 2 s\n" }; alarm 2; socket(my $s, 1, 1, 0) or die "$!\n"; ` +
		`connect($s, pack "S a*", 1, "$ARGV[0]\0") or die "$!\n"; ` +
		`syswrite $s, "$ARGV[1]\n"; shutdown $s, 1; print while <$s>`
	const run = `perl -e "$1" "$2" "$3" 2>&1`
	return []question{
		{inShell(`haproxy -c -f /etc/haproxy/haproxy.cfg 2>&1`), readHAProxyCheck},
		{inShell(run, ask, layout.AdminSocket, "show stat"), readHAProxyStat},
		{inShell(run, ask, layout.MasterSocket, "show proc;show startup-logs"), readHAProxyReload},
	}
}
