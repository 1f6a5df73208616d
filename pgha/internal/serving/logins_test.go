package serving

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestRulesThatPostgreSQLHas judges what PostgreSQL says of its pg_hba.conf: it has to take every
// line, and to let somebody in through each balancer.
func TestRulesThatPostgreSQLHas(t *testing.T) {
	t.Parallel()
	const open = `{"line":3,"type":"hostssl","databases":"all","users":"all","address":"192.0.2.0","mask":"255.255.255.0","method":"scram-sha-256"}`
	const oneBalancer = `{"line":3,"type":"hostssl","databases":"all","users":"all","address":"192.0.2.1","mask":"255.255.255.255","method":"scram-sha-256"}`
	const reject = `{"line":2,"type":"host","databases":"all","users":"all","address":"192.0.2.2","mask":"255.255.255.255","method":"reject"}`
	for name, tt := range map[string]struct {
		stdout, says string
		err          error
	}{
		"a rule for both balancers": {stdout: `{"errors":[],"rules":[` + open + `]}`},
		"two lines that PostgreSQL refuses": {stdout: `{"errors":["line 4 of pg_hba.conf: no such role","line 9 of pg_hba.conf: bad mask"],"rules":[` + open + `]}`,
			says: "line 9 of pg_hba.conf: bad mask"},
		"no rules at all": {
			stdout: `{"errors":[],"rules":[]}`, says: "no line of pg_hba.conf lets anybody in " +
				"through balancer lb1",
		},
		"a rule for the first only": {
			stdout: `{"errors":[],"rules":[` + oneBalancer + `]}`, says: "through balancer lb2",
		},
		"a line before it that refuses one": {stdout: `{"errors":[],"rules":[` + reject + `,` +
			open + `]}`,
			says: "line 2 of pg_hba.conf refuses everybody who comes through balancer lb2: host " +
				"all all 192.0.2.2"},
		"half an answer":    {stdout: `{"errors":[],"rul`, says: "read the rules of pg_hba.conf"},
		"another program":   {stdout: "Password:\n", says: "read the rules of pg_hba.conf"},
		"the host is away":  {err: remote.ErrUnreachable, says: "unreachable"},
		"nothing but blank": {stdout: "\n", says: "read the rules of pg_hba.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, fakes := sitetest.HeldHosts(t)
			cmd := remote.Cmd{User: "postgres", Argv: c.Psql("-c", rulesSQL)}
			fakes["pg1"].On(cmd.String(), remote.Result{Stdout: []byte(tt.stdout)}, tt.err)
			testkit.CheckSays(t, tryRules(t.Context(), c, c.Connections["pg1"]), tt.says)
		})
	}
}

// TestLoginsAreThoseOfEveryHost: on the socket, through the network, for replication from each
// other member, and as the superuser from each balancer; hosts without a connection are left out.
func TestLoginsAreThoseOfEveryHost(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	names := func() (list []string) {
		h, err := c.MemberHost("m2")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range loginsOf(c, c.Connections["pg2"], h) {
			list = append(list, l.what)
		}
		return list
	}
	own := []string{"log in on the socket", "log in as postgres through the network",
		"log in for replication on 127.0.0.1"}
	others := []string{"log in as postgres from balancer lb1",
		"log in as postgres from balancer lb2",
		"log in for replication from pg1", "log in for replication from pg3"}
	if got := names(); !slices.Equal(got, slices.Concat(own, others)) {
		t.Errorf("got %q", got)
	}
	delete(c.Connections, "lb2")
	delete(c.Connections, "pg3")
	if got := names(); !slices.Equal(got, slices.Concat(own, []string{others[0], others[2]})) {
		t.Errorf("with two hosts away: %q", got)
	}
}

// TestLoginsOnAHostThatOpensNoConnection: each login that failed is named, also where that takes
// longer than the wait for it.
func TestLoginsOnAHostThatOpensNoConnection(t *testing.T) {
	t.Parallel()
	c, fakes := sitetest.HeldHosts(t)
	cmd := remote.Cmd{User: "postgres", Argv: c.Psql("-c", rulesSQL)}
	fakes["pg1"].On(cmd.String(), remote.Result{ExitCode: 2,
		Stderr: []byte("the database system is starting up")}, nil)
	err := TryLogins(t.Context(), c, patroni.Member{Name: "m1", Target: c.Connections["pg1"]})
	for _, says := range []string{"log in on the socket: ", "is starting up",
		"log in for replication from pg2: ",
		"log in as postgres from balancer lb2: "} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is missing in %v", says, err)
		}
	}
	if !errors.Is(err, remote.ErrNoDialer) {
		t.Errorf("the reason is lost: %v", err)
	}
	if err := TryLogins(t.Context(), c, patroni.Member{Name: "nobody"}); err == nil {
		t.Error("nobody can be logged in to")
	}
}
