package doctor

import (
	_ "embed"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/pgfiles"
	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

//go:embed look.py
var lookScript string

//go:embed reach.pl
var reachScript string

// question is one look at a host: what is run, and how its answer becomes facts.
type question struct {
	argv []string
	read func(*Host, remote.Result)
}

// Where the components keep their files on a host.
const (
	etcdCerts    = "/etc/etcd/certs/"
	patroniCerts = "/etc/patroni/certs/"
	checkScript  = "/etc/keepalived/check_haproxy.sh"
	pgpassFile   = "/etc/patroni/pgpass"
	rolesFile    = "/etc/patroni/roles.sql"
	adminSocket  = "/run/haproxy/admin.sock"
	masterSocket = "/run/haproxy-master.sock"
)

// The units that a host's role needs.
const (
	etcdUnit       = "etcd.service"
	patroniUnit    = "patroni.service"
	watchUnit      = "pgha-watch.service"
	haproxyUnit    = "haproxy.service"
	keepalivedUnit = "keepalived.service"
)

// unitsOf are the units of a host, those first that others stand on.
func unitsOf(sp *spec.Spec, role spec.Role) []string {
	switch {
	case role == spec.RoleDatabase:
		return []string{etcdUnit, patroniUnit, watchUnit}
	case sp.VIP == nil:
		return []string{haproxyUnit}
	}
	return []string{haproxyUnit, keepalivedUnit}
}

// inShell is a question for the shell, whose text is constant and whose parameters follow it.
func inShell(text string, parameters ...string) []string {
	return append([]string{"sh", "-c", text, "look"}, parameters...)
}

// systemQuestions are asked of every host.
func systemQuestions(sp *spec.Spec, h *Host, asked time.Time) []question {
	units := unitsOf(sp, h.Role)
	note, reset := pgha.MemoryCommands()
	return []question{
		{note, func(h *Host, r remote.Result) { h.StateNote = strings.TrimSpace(string(r.Stdout)) }},
		{reset, func(h *Host, r remote.Result) { h.UnfinishedReset = pgha.UnfinishedReset(string(r.Stdout)) }},
		{[]string{"date", "+%s.%N"}, func(h *Host, r remote.Result) { h.Clock.OffsetSeconds = clockOffset(r.Stdout, asked, time.Now()) }},
		{[]string{"systemd-detect-virt", "--container"}, func(h *Host, r remote.Result) { h.Clock.Container = r.ExitCode == 0 }},
		{[]string{"timedatectl", "show", "--property=NTPSynchronized"}, func(h *Host, r remote.Result) { h.Clock.Synchronised = strings.Contains(string(r.Stdout), "=yes") }},
		{append([]string{"systemctl", "show", "--property=Id,LoadState,ActiveState,SubState,UnitFileState,Result,MainPID,ExecMainStatus", "--"}, units...), readUnits},
		{inShell(`for u; do echo "== $u"; journalctl -q --no-pager -o short-iso -b -n 25 -u "$u" 2>&1 | cut -c1-600; done`, units...), readJournals},
		{[]string{"df", "-k", "--output=source,fstype,size,avail,itotal,iavail,target"}, readDisks},
		{[]string{"cat", "/proc/mounts"}, readMounts},
		{[]string{"ss", "-H", "-ltnp"}, readListeners},
		{[]string{"ip", "-o", "addr", "show"}, readAddresses},
		{[]string{"nft", "-a", "list", "ruleset"}, readFirewall},
		{[]string{"ps", "-eo", "pid=,stat=,comm="}, readProcesses},
		{append([]string{"stat", "-c", "%a %U %G %n", "--"}, filesOf(sp, h.Role)...), readFiles},
		{append([]string{"dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n", "--"}, packagesOf(sp, h.Role)...), readPackages},
	}
}

// filesOf are the files and folders whose owner and mode matter.
func filesOf(sp *spec.Spec, role spec.Role) []string {
	if role == spec.RoleBalancer {
		return []string{"/etc/haproxy/haproxy.cfg", "/etc/keepalived/keepalived.conf", checkScript}
	}
	files := []string{sp.PostgreSQL.DataDir, sp.Etcd.DataDir, pgpassFile, rolesFile, "/etc/patroni/config.yml"}
	for _, c := range certificateFiles() {
		files = append(files, c.key)
	}
	return files
}

// packagesOf are the packages whose versions have to agree between the hosts of a role.
func packagesOf(sp *spec.Spec, role spec.Role) []string {
	if role == spec.RoleBalancer {
		return []string{"haproxy", "keepalived"}
	}
	return []string{"patroni", fmt.Sprintf("postgresql-%d", sp.PostgreSQL.Version)}
}

// reachQuestion tries every connection that the host has to open to others.
func reachQuestion(sp *spec.Spec, h *Host) question {
	argv := []string{"perl", "-e", reachScript, "--"}
	ports := []int{sp.Patroni.RESTPort, sp.PostgreSQL.Port}
	if h.Role == spec.RoleDatabase {
		ports = append(ports, sp.Etcd.ClientPort, sp.Etcd.PeerPort)
	}
	for _, d := range sp.Databases() {
		for _, port := range ports {
			if d.Name != h.Name {
				argv = append(argv, hostPort(d.Address, port))
			}
		}
	}
	return question{argv, readReach}
}

// databaseQuestions are about the programs and files of a database host.
func databaseQuestions(sp *spec.Spec, h *Host) []question {
	pg := sp.PostgreSQL
	look := []string{"python3", "-I", "-c", lookScript, hostPort(h.Address, sp.Patroni.RESTPort), "127.0.0.1", strconv.Itoa(sp.Etcd.ClientPort), pg.DataDir, sp.Etcd.DataDir}
	for _, c := range certificateFiles() {
		look = append(look, c.name+"|"+c.cert+"|"+c.key)
	}
	return []question{
		{look, readPrograms},
		{[]string{fmt.Sprintf("/usr/lib/postgresql/%d/bin/pg_controldata", pg.Version), "-D", pg.DataDir}, readControl},
	}
}

// sqlQuestions go to PostgreSQL's own socket, as the operating system's postgres user, and as the replication role. A server
// that hangs lets each of them wait, so they are two groups.
func sqlQuestions(sp *spec.Spec, long time.Duration) [][]question {
	pg := sp.PostgreSQL
	ask := strings.ReplaceAll(questionSQL, "%SECONDS%", strconv.FormatFloat(long.Seconds(), 'f', -1, 64))
	ask = strings.ReplaceAll(ask, "%REFUSED%", pgfiles.RefusedSQL(sp.PostgreSQL.Version))
	const run = `exec runuser -u postgres -- timeout 4 "$@" 2>&1`
	psql := func(as pgsession.Role, args ...string) []string {
		settings := pgsession.Settings(pg.Version, as, "pgha doctor")
		settings["statement_timeout"] = "3000"
		return inShell(run, pgsession.Psql(fmt.Sprintf("/usr/lib/postgresql/%d/bin/psql", pg.Version), settings, append([]string{"-Atq"}, args...)...)...)
	}
	login := fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=postgres replication=true passfile=%s sslmode=require connect_timeout=4", pg.Port, pg.ReplicationUser, pgpassFile)
	return [][]question{
		{{psql(pgsession.Superuser, "-p", strconv.Itoa(pg.Port), "-U", pg.Superuser, "-d", "postgres", "-c", ask), readSQL}},
		{{psql(pgsession.Ordinary, "-d", login, "-c", "IDENTIFY_SYSTEM"), readReplicationLogin}},
	}
}

// balancerQuestions are about HAProxy.
func balancerQuestions() []question {
	const master = `use IO::Socket::UNIX; alarm 2; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n"; print $s "show proc;show startup-logs\n"; $s->flush; $s->shutdown(1); print while <$s>`
	const stat = `use IO::Socket::UNIX; alarm 2; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n"; print $s "show stat\n"; $s->flush; print while <$s>`
	return []question{
		{inShell(`haproxy -c -f /etc/haproxy/haproxy.cfg 2>&1`), readHAProxyCheck},
		{inShell(`perl -e "$1" "$2" 2>&1`, stat, adminSocket), readHAProxyStat},
		{inShell(`perl -e "$1" "$2" 2>&1`, master, masterSocket), readHAProxyReload},
	}
}

func hostPort(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
