package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// judgePorts tells who listens on a port of the cluster and is not the cluster's. What a process is
// called proves nothing: a PostgreSQL, an etcd or a python3 may be anybody's. It has to belong to
// the unit that the cluster starts, on a host that belongs to the cluster.
func (j *judge) judgePorts() {
	told := map[int]bool{}
	for _, p := range j.Want.Ports {
		for _, l := range j.Listeners {
			if l.Port != p.Number || told[l.Port] || j.own(l, p) {
				continue
			}
			told[l.Port] = true
			j.stopAt(p.Field, fmt.Sprintf("port %d (%s) is in use by %s, which is not this "+
				"cluster's",
				l.Port, p.Field, l.process()), l.remedy(p))
		}
	}
}

// Runs reports whether a service of the cluster listens on one of its ports.
func Runs(w Want, h Host) bool {
	j := &judge{Want: w, Host: h}
	return slices.ContainsFunc(h.Listeners, func(l Listener) bool {
		return slices.ContainsFunc(w.Ports, func(p Port) bool {
			return p.Number == l.Port && j.own(l, p)
		})
	})
}

// own reports whether the process is the service that the cluster runs on this port.
func (j *judge) own(l Listener, p Port) bool {
	switch {
	case !j.Member:
		return false
	case l.Unit == p.Unit:
		return true
	case l.Unit == "" && l.Program != "": // a host that does not tell the units of processes
		return slices.Contains(programsOf[p.Unit], l.Program)
	case l.Program == "postgres": // one that was started by hand on the cluster's own data
		return slices.ContainsFunc(j.Want.Data, func(d Data) bool {
			return !d.Etcd && strings.Contains(l.Command+" ", " "+d.Path+" ")
		})
	}
	return false
}

// programsOf are the programs of the cluster's units.
var programsOf = map[string][]string{
	"patroni.service": {"patroni", "python3", "postgres"}, "etcd.service": {"etcd"},
	"haproxy.service": {"haproxy"}, "pgha-pooler-write.service": {"pgbouncer"},
	"pgha-pooler-read.service": {"pgbouncer"},
}

// remedy says how the port becomes free.
func (l Listener) remedy(p Port) string {
	other := ", or set " + p.Field + " to another port"
	switch {
	case l.Program == "docker-proxy":
		return fmt.Sprintf("stop the container that publishes it (docker ps --filter publish=%d)%s",
			l.Port, other)
	case l.PID == 1:
		return fmt.Sprintf("disable the socket unit that has it (systemctl list-sockets | grep "+
			":%d)%s",
			l.Port, other)
	case strings.HasPrefix(l.Unit, "postgresql@"):
		return "stop it if nobody needs it: systemctl stop " + l.Unit + other
	case strings.HasSuffix(l.Unit, ".service") && !strings.HasPrefix(l.Unit, "user@"):
		return "stop it for good if nobody needs it: systemctl disable --now " + l.Unit + other
	case l.PID > 1:
		return fmt.Sprintf("stop it if nobody needs it: kill %d%s", l.PID, other)
	}
	return fmt.Sprintf("find it, perhaps in a container, and stop it (ss -ltnp 'sport = :%d')%s",
		l.Port, other)
}

// judgeUnits reports services that run with a configuration of somebody else's, which apply would
// put an end to, and of units that somebody has replaced or masked.
func (j *judge) judgeUnits() {
	for _, f := range j.Want.Files {
		u := j.Host.Units[f.Unit]
		told := slices.ContainsFunc(j.found, func(k Finding) bool {
			return strings.Contains(k.Problem, f.Unit)
		})
		if u.Active == "active" && slices.Contains(j.Foreign, f.Path) && !told && !j.Member {
			j.stop(fmt.Sprintf("%s runs with a %s that pgha did not write: apply would end what "+
				"it serves",
				f.Unit, f.Path),
				"stop it if nobody needs it: systemctl disable --now "+f.Unit)
		}
	}
	for _, name := range j.Want.Units {
		u := j.Host.Units[name]
		switch {
		case u.File == "masked":
			j.warn(name+" is masked: somebody did not want it to run, and apply unmasks it",
				"ask who masked it, and why")
		case strings.HasPrefix(u.Fragment, "/etc/systemd/system/") && !j.ours(u.Fragment) &&
			!slices.ContainsFunc(j.Want.Files, func(f File) bool { return f.Path == u.Fragment }):
			j.warn(fmt.Sprintf(
				"%s stands in for the unit that the package of %s brings: the service starts as "+
					"somebody else wants",
				u.Fragment, name),
				fmt.Sprintf(
					"move it away unless it is meant for this cluster: mv %[1]s %[1]s.old && "+
						"systemctl daemon-reload",
					u.Fragment))
		}
	}
}

// judgeClusters reports clusters of Debian's tools on a host that Patroni is to have, the cluster's
// own among them where Patroni was taken away from it: apply keeps them from being started.
func (j *judge) judgeClusters() {
	if !j.Database {
		return
	}
	for _, c := range j.Clusters {
		unit := "postgresql@" + c.Name + ".service"
		left := slices.ContainsFunc(j.Want.Data, func(d Data) bool {
			return !d.Etcd && d.Path == c.Data
		})
		switch {
		case j.Member && left:
			j.stop(fmt.Sprintf("%s was left as plain PostgreSQL, %s: its configuration lies in "+
				"/etc/postgresql, and Patroni would take over a server that does not read its own",
				c.Data, unit),
				"nothing, if that is meant; the way back is in docs/when-patroni-is-unwanted.md")
		case j.Member:
		case slices.ContainsFunc(j.found, func(f Finding) bool {
			return strings.Contains(f.Problem, unit)
		}):
		case c.Active:
			j.stop(fmt.Sprintf(
				"PostgreSQL cluster %s of somebody else runs here (data in %s): once Patroni has "+
					"this host it is never started again", c.Name, c.Data),
				"move it to another host, or stop it if nobody needs it: systemctl stop "+unit)
		default:
			j.warn(fmt.Sprintf(
				"PostgreSQL cluster %s of somebody else is set up here (data in %s): once "+
					"Patroni has this host it cannot be started any more", c.Name, c.Data),
				"move it to another host if somebody needs it; apply leaves its data alone")
		}
	}
}

// judgeFiles tells which files of others apply replaces.
func (j *judge) judgeFiles() {
	for _, path := range j.Foreign {
		j.warn(path+
			" was written by somebody else: apply replaces it, and keeps a copy beside it ("+path+
			".pgha-orig-TIME)",
			"take over what is needed of it into the specification")
	}
}

// judgeUsers reports users that were made by somebody else without the group that the cluster's
// files are given to.
func (j *judge) judgeUsers() {
	for _, name := range j.Users {
		if (j.Database || j.Etcd) && !slices.Contains(j.Groups, name) {
			j.stop(fmt.Sprintf(
				"somebody made a user %[1]s, but there is no group %[1]s, which the cluster's "+
					"files belong to", name),
				fmt.Sprintf("groupadd --system %[1]s && usermod --gid %[1]s %[1]s", name))
		}
	}
}
