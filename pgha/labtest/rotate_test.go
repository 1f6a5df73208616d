package labtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha/probe"
)

// testRotateREST replaces the authority of the REST API while a session writes through the virtual
// IP: none of its writes fails, no PostgreSQL and no HAProxy is restarted, no balancer loses a
// member, and afterwards the operator's old key opens no member any more. Cut off in the middle of
// the second step it is finished by the next run.
func testRotateREST(t *testing.T, s site) {
	sp := s.spec(t)
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(sp.StateDir, name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	key, err := tls.X509KeyPair(read("certs/operator-patroni.crt"),
		read("certs/operator-patroni.key"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.unsafeCall(t, key); got != "200" {
		t.Fatalf("the operator's key before: %s", got)
	}
	before, start := s.processesOfSessions(t), time.Now()
	w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t)})
	if err != nil {
		t.Fatal(err)
	}
	// unless it was stopped before
	defer func() { _, _ = w.Stop(context.WithoutCancel(t.Context())) }()
	next := filepath.Join(sp.StateDir, "ca", "patroni-next.crt")
	if !s.killWhen(t, "step 2 of 3", "secrets", "rotate", "rest", "--yes") {
		t.Fatal("the rotation was not cut off in the middle")
	}
	if c := s.status(t).Change; c == nil || c.Reached != 1 {
		t.Fatalf("half done is %+v", c)
	}
	await(t, time.Minute, "the lock of the killed rotation to be free", func() (bool, string) {
		got := s.cli(t, "secrets", "rotate", "rest", "--yes")
		if got.code != 0 && got.code != 5 {
			t.Fatalf("exit code %d\n%s", got.code, got.stderr)
		}
		return got.code == 0, got.stderr
	})
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if failed := result.Count(probe.Failed) + result.Count(probe.Unknown); failed > 0 ||
		result.Count(probe.Acked) == 0 {
		t.Errorf("%d writes failed, %d succeeded", failed, result.Count(probe.Acked))
	}
	if after := s.processesOfSessions(t); after != before {
		t.Errorf("something was restarted: processes %q, then %q", before, after)
	}
	if lost := s.lostMembers(t, start); lost != "" {
		t.Errorf("a balancer lost a member:\n%s", lost)
	}
	if got := s.unsafeCall(t, key); !strings.Contains(got, "tls: unknown certificate authority") {
		t.Errorf("with the operator's old key: %s", got)
	}
	for _, left := range []string{next, filepath.Join(sp.StateDir, "ca", "patroni-old.crt")} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s is still there", left)
		}
	}
	leader, _ := s.leader(t)
	s.sql(t, leader, "DROP TABLE pgha_probe")
	s.verify(t)
	s.applyNothing(t)
	_, other := s.leader(t)
	s.verb(t, nil, "switchover", "--to", other)
}

// killWhen kills pgha-cli when it has said so.
func (s site) killWhen(t *testing.T, said string, args ...string) (killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{
		"--lab", "--lab-name", s.Name(), "--spec", s.specFile,
	}, args...)...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), said) {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if killed = !cmd.ProcessState.Exited(); !killed {
		t.Logf("pgha-cli %v did not say %q:\n%s", args, said, &all)
	}
	return killed
}

// unsafeCall makes a change to a member's REST API that changes nothing, with a client key, and
// returns the status or what stood against it.
func (s site) unsafeCall(t *testing.T, key tls.Certificate) string {
	t.Helper()
	transport := &http.Transport{
		DialContext:       s.DialContext,
		DisableKeepAlives: true,
		// What the server presents is not in question here.
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{key},
			InsecureSkipVerify: true},
	}
	sp := s.spec(t)
	url := fmt.Sprintf("https://%s:%d/config", sp.Databases()[0].Address, sp.Patroni.RESTPort)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, url,
		strings.NewReader(`{"pgha": null}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	return fmt.Sprint(resp.StatusCode)
}

// lostMembers returns what balancers said since then of members that went down where they belong:
// the leader for writes, the others for reads. HAProxy takes every member for good until its first
// check after a reload, so that it also says of the others that they are down.
func (s site) lostMembers(t *testing.T, since time.Time) string {
	t.Helper()
	leader, _ := s.leader(t)
	var members []string
	for _, h := range s.spec(t).Databases() {
		if h.Member == leader {
			members = append(members, "postgres_write/"+h.Member)
		} else {
			members = append(members, "postgres_read/"+h.Member)
		}
	}
	script := fmt.Sprintf("journalctl -t haproxy --no-pager --since=@%d | grep -E 'Server (%s) "+
		"is DOWN' || :",
		since.Unix(), strings.Join(members, "|"))
	var lost string
	for _, h := range s.spec(t).Balancers() {
		lost += s.mustInHost(t, h.Name, script)
	}
	return lost
}

// testRotate replaces all passwords while a session writes. The replicas go on streaming, one that
// is restarted and one that is copied again log in with the new password, and the old one lets
// nobody in.
func testRotate(t *testing.T, s site) {
	leader, other := s.leader(t)
	cfg := s.writerConfig(t)
	w, err := probe.Start(t.Context(), probe.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	before := s.verifiers(t, leader)
	replicas := s.sql(t, leader, "SELECT string_agg(pid::text, ',' ORDER BY pid) FROM "+
		"pg_stat_replication")

	s.verb(t, nil, "secrets", "rotate", "superuser", "replication", "rewind")

	if got := s.sql(t, leader,
		"SELECT string_agg(pid::text, ',' ORDER BY pid) FROM pg_stat_replication"); got != replicas {
		t.Errorf("replication was interrupted: connections %s, then %s", replicas, got)
	}
	if after := s.verifiers(t, leader); after == before {
		t.Error("the verifiers are the old ones")
	}
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if failed := result.Count(probe.Failed) + result.Count(probe.Unknown); failed > 0 ||
		result.Count(probe.Acked) == 0 {
		t.Errorf("%d writes failed, %d succeeded", failed, result.Count(probe.Acked))
	}
	s.sql(t, leader, "DROP TABLE pgha_probe")
	// The writer's own password is the old one.
	var refused *pgconn.PgError
	if _, err := pgx.ConnectConfig(t.Context(), cfg); !errors.As(err, &refused) ||
		refused.Code != "28P01" {
		t.Errorf("with the old password: %v", err)
	}
	s.verb(t, nil, "restart", other)
	s.verb(t, nil, "reinit", other)
	s.verb(t, nil, "switchover", "--to", other)
	s.awaitHealthy(t)
	s.verify(t)
	s.applyNothing(t)

	// A rotation that was interrupted is finished with the password that it began with.
	next := filepath.Join(s.spec(t).StateDir, "secrets", "replication.next")
	writeFile(t, next, []byte("interrupted-rotation-1"))
	if got := s.cli(t, "apply"); got.code != 3 || !strings.Contains(got.stderr,
		"not all hosts have it") ||
		!strings.Contains(got.stderr, "secrets rotate replication") {
		t.Errorf("apply: exit code %d\n%s", got.code, got.stderr)
	}
	s.verb(t, nil, "secrets", "rotate", "rewind")
	if _, err := os.Stat(next); err == nil {
		t.Error("the rotation is not finished")
	}
	for _, h := range s.databases() {
		s.mustInHost(t, h.Name, "grep -qF ':replicator:interrupted-rotation-1' /etc/patroni/pgpass")
	}
	s.applyNothing(t)
}

// verifiers are those that PostgreSQL holds.
func (s site) verifiers(t *testing.T, member string) string {
	t.Helper()
	return s.sql(t, member,
		fmt.Sprintf(
			"SELECT string_agg(rolpassword, ' ' ORDER BY rolname) FROM pg_authid WHERE rolname "+
				"IN ('%s', '%s', '%s')",
			s.spec(t).PostgreSQL.Superuser, s.spec(t).PostgreSQL.ReplicationUser,
			s.spec(t).PostgreSQL.RewindUser))
}
