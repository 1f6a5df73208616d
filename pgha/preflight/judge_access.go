package preflight

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// judgeForwarding tells that sshd opens no connections for the tool: everything it asks etcd,
// Patroni and PostgreSQL goes through the SSH connection.
func (j *judge) judgeForwarding() {
	if j.Forbidden == "" {
		return
	}
	lines := slices.DeleteFunc(slices.Clone(j.Forwarding), func(l string) bool { return allows(l) })
	if len(lines) == 0 {
		j.stop("sshd does not forward connections, which all questions to etcd, Patroni and "+
			"PostgreSQL need: "+
			j.Forbidden,
			"see `sshd -T | grep -i -e forwarding -e permitopen` there, and the options of the "+
				"key in authorized_keys")
		return
	}
	j.stop("sshd does not forward connections, which all questions to etcd, Patroni and "+
		"PostgreSQL need: "+
		strings.Join(lines, "; "),
		fmt.Sprintf(
			"allow it for %s (AllowTcpForwarding local, in a Match block if need be; no restrict "+
				"at the key), then systemctl reload ssh", j.User))
}

// allows reports whether a line of sshd's configuration forbids nothing.
func allows(line string) bool {
	f := strings.Fields(strings.ToLower(line))
	if len(f) < 2 {
		return false
	}
	word := f[len(f)-1]
	return strings.Contains(f[0], "allowtcpforwarding") &&
		(word == "yes" || word == "local" || word == "all") ||
		strings.Contains(f[0], "disableforwarding") && word == "no" ||
		strings.Contains(f[0], "permitopen") && word == "any"
}

// judgeLocks tells who keeps apt or dpkg busy: installing waits for it.
func (j *judge) judgeLocks() {
	told := map[int]bool{}
	for _, l := range j.Locks {
		if told[l.PID] {
			continue
		}
		told[l.PID] = true
		unit := ""
		if l.Unit != "" {
			unit = ", " + l.Unit
		}
		j.warn(fmt.Sprintf(
			"%s (process %d%s) is installing something and holds %s: apply waits for it, for "+
				"five minutes at most",
			l.Program, l.PID, unit, l.File),
			"wait until it has ended: apply does, too")
	}
}

// judgeSites tells which places that packages and programs come from cannot be reached. One of
// several sources that apt has may be away for long; what apply adds must be there, and at least
// one of the others.
func (j *judge) judgeSites() {
	var sources, dead []Site
	for _, s := range j.Sites {
		switch {
		case s.Kind == "source":
			sources = append(sources, s)
			if s.Code != 0 {
				dead = append(dead, s)
			}
		case s.away():
			field, instead := "postgresql.repository",
				"postgresql.repository or postgresql.source: distribution"
			if s.Kind == "download" {
				field, instead = "etcd.source", "etcd.url, or etcd.source: archive with an "+
					"archive on this machine"
			}
			j.stopAt(field, fmt.Sprintf("it cannot get %s: %s", s.shown(), s.reason()),
				"open the way there (a name server, a firewall, a proxy in apt's or the host's "+
					"settings), or set "+
					instead)
		}
	}
	for _, s := range dead {
		say := j.warn
		if len(dead) == len(sources) {
			say = j.stop
		}
		say(fmt.Sprintf("it cannot get %s: %s", s.shown(), s.reason()),
			"open the way there, set apt's proxy (Acquire::http::Proxy in /etc/apt/apt.conf.d), "+
				"or take it out of /etc/apt/sources.list.d")
	}
}

// away reports whether the download would fail, too. curl ends with 22 when the server answered,
// and some servers have no answer to a question for the head alone: only that there is no such file
// is certain then.
func (s Site) away() bool {
	return s.Code != 0 && (s.Kind != "download" || s.Code != 22 ||
		strings.Contains(s.Error, " 404"))
}

func (s Site) reason() string {
	if s.Code == 124 {
		return "no answer within 12 seconds"
	}
	if _, why, ok := strings.Cut(s.Error, s.URL); ok {
		return strings.TrimSpace(why)
	}
	return s.Error
}

// shown is the URL without a password.
func (s Site) shown() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return s.Kind
	}
	return u.Redacted()
}
