package labtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/lab"
)

// sawClients opens a session of psql with the file that applications have now, and finds it and
// those of before among the clients: this one is new.
func (s site) sawClients(t *testing.T) {
	t.Helper()
	const program = "lab-psql"
	sp := s.spec(t)
	host := s.databases()[0]
	ca := must(os.ReadFile(filepath.Join(sp.StateDir, "postgres-ca.crt")))(t)
	if bytes.Count(ca, []byte("BEGIN CERTIFICATE")) != 2 {
		t.Errorf("the file of applications has not both authorities:\n%s", ca)
	}
	cfg := s.writerConfig(t)
	in, write := io.Pipe()
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		code, err := s.Exec(t.Context(), host.Name, []string{"sh", "-c", fmt.Sprintf(`set -e; umask 077
d=$(mktemp -d); trap 'rm -r $d' EXIT
read -r pass; printf '%%s\n' "$pass" >$d/pass
read -r ca; printf '%%s' "$ca" | base64 -d >$d/ca.crt
PGPASSFILE=$d/pass psql -XAt "host=%s port=%d user=%s dbname=postgres sslmode=verify-full \
sslrootcert=$d/ca.crt application_name=%s"`, host.Address, sp.PostgreSQL.Port, cfg.User, program)},
			lab.Stdio{In: in, Out: &out, Err: &out})
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d: %s", code, &out)
		}
		_ = in.CloseWithError(fmt.Errorf("psql ended: %w", err))
		ended <- err
	}()
	if _, err := fmt.Fprintf(write, "*:*:*:%s:%s\n%s\nSELECT 'open';\n", cfg.User, cfg.Password,
		base64.StdEncoding.EncodeToString(ca)); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "clients of before and psql's new one", func() (bool, string) {
		got := s.cli(t, "certificates", "clients", "--output", "json")
		var found certificates.Clients
		if err := json.Unmarshal([]byte(got.stdout), &found); err != nil {
			t.Fatal(err, got.stderr)
		}
		var before, now bool
		for _, c := range found.Clients {
			before = before || !c.Since
			now = now || c.Application == program && c.Since && c.Address == host.Address &&
				c.Member == host.Member && c.Role == cfg.User && strings.HasPrefix(c.TLS, "TLSv1.") &&
				c.Sessions == 1
		}
		return found.Since != nil && before && now, got.stdout
	})
	if shown := s.cli(t, "certificates", "clients").stdout; !strings.Contains(shown, program) ||
		!strings.Contains(shown, "yes") || !strings.Contains(shown, "no\n") {
		t.Errorf("certificates clients:\n%s", shown)
	}
	must(struct{}{}, write.Close())(t)
	if err := <-ended; err != nil {
		t.Errorf("psql: %v", err)
	}
}

// testTimer makes a balancer the operator's machine: systemd there accepts the timer and its
// service, which puts a certificate right that differs from the state directory's.
func testTimer(t *testing.T, s site) {
	sp := s.spec(t)
	operator, host := sp.Balancers()[0].Name, s.databases()[0].Name
	s.carry(t, operator, binary, s.specFile, s.SSHKeyFile(), s.KnownHostsFile(), sp.StateDir,
		sp.Etcd.Archive)
	verb := binary + " --spec " + s.specFile + " certificates timer "
	if out, code := s.inHost(t, operator, verb+"show"); code != 1 {
		t.Errorf("without a timer: exit code %d\n%s", code, out)
	}
	s.mustInHost(t, operator, verb+"install --calendar 'Mon..Fri 03:00'")
	unit := "pgha-certificates-" + sp.Cluster
	if out := s.mustInHost(t, operator, "cd /etc/systemd/system && systemd-analyze verify ./"+unit+
		".timer ./"+unit+".service 2>&1"); strings.Contains(out, unit) {
		t.Errorf("systemd-analyze: %s", out)
	}
	s.mustInHost(t, host, "cd /etc/patroni/certs && cp rest-server.crt postgres-server.crt && "+
		"cp rest-server.key postgres-server.key")
	s.inventory(t, 1)
	s.mustInHost(t, operator, "systemctl start --no-block "+unit+".service")
	await(t, 3*time.Minute, "the service of the timer to succeed", func() (bool, string) {
		// A service that has not run yet says success, too, without a time of its end.
		ran := s.property(t, operator, unit+".service", "ExecMainExitTimestampMonotonic")
		result := s.property(t, operator, unit+".service", "Result")
		said, _ := s.inHost(t, operator, "journalctl -o cat -u "+unit+".service")
		if result != "success" {
			t.Fatalf("the service: %s\n%s", result, said)
		}
		return ran != "0" && ran != "" &&
			strings.Contains(said, "file /etc/patroni/certs/postgres-server.crt updated"), said
	})
	s.inventory(t, 0)
	out := s.mustInHost(t, operator, verb+"show")
	if !strings.Contains(out, "success") || !strings.Contains(out, "next: ") ||
		strings.Contains(out, "next: -") {
		t.Errorf("certificates timer show: %s", out)
	}
	s.mustInHost(t, operator, verb+"remove")
	if out, code := s.inHost(t, operator, "ls /etc/systemd/system/"+unit+".*"); code == 0 {
		t.Errorf("after the removal: %s", out)
	}
}

// carry copies files and directories to a host, with the same paths.
func (s site) carry(t *testing.T, host string, paths ...string) {
	t.Helper()
	tar := exec.CommandContext(t.Context(), "tar", append([]string{"-cPf", "-"}, paths...)...)
	var archive, said bytes.Buffer
	tar.Stdout, tar.Stderr = &archive, &said
	if err := tar.Run(); err != nil {
		t.Fatalf("tar: %v\n%s", err, &said)
	}
	code, err := s.Exec(t.Context(), host, []string{"tar", "-xPf", "-"},
		lab.Stdio{In: &archive, Out: &said, Err: &said})
	if err != nil || code != 0 {
		t.Fatalf("tar in %s: exit code %d, %v\n%s", host, code, err, &said)
	}
}

// killedAndUndone cuts the replacement of an authority off in its first two steps, and takes it
// back: the authority of before issues again.
func (s site) killedAndUndone(t *testing.T, name string) {
	t.Helper()
	issues := func() string {
		for _, a := range s.inventory(t, 0).Authorities {
			if a.Name == name && a.Role == "issues" {
				return a.SHA256
			}
		}
		return ""
	}
	before := issues()
	s.undisturbed(t, func() {
		s.cutOff(t, "step 1 of 3", "certificates", "rotate-ca", name, "--yes")
		s.cutOff(t, "step 2 of 3", "change", "continue", "--yes")
		s.verb(t, nil, "change", "undo")
	})
	if now := issues(); now != before || now == "" {
		t.Errorf("the authority of %s is %q, want %q", name, now, before)
	}
}

// killedAndContinued cuts it off in each step, and finishes it.
func (s site) killedAndContinued(t *testing.T, name string) {
	t.Helper()
	s.undisturbed(t, func() {
		s.cutOff(t, "step 1 of 3", "certificates", "rotate-ca", name, "--yes")
		for _, step := range []string{"step 2 of 3", "step 3 of 3"} {
			s.cutOff(t, step, "change", "continue", "--yes")
		}
		s.verb(t, nil, "change", "continue")
	})
}

func (s site) cutOff(t *testing.T, said string, args ...string) {
	t.Helper()
	if !s.killWhen(t, said, args...) {
		t.Fatalf("pgha-cli %v was not cut off at %q", args, said)
	}
	s.free(t)
}

// rotatedFirst replaces authorities, after which an empty machine joins a cluster that trusts the
// new ones alone; joined checks what it has.
func (s site) rotatedFirst(t *testing.T, host string) (joined func()) {
	t.Helper()
	old := s.keepOld(t)
	names := []string{"etcd", "postgres", "rest"}
	before := s.serials(t, host)
	s.verb(t, nil, append([]string{"certificates", "rotate-ca"}, names...)...)
	return func() {
		s.oldRefused(t, old, names...)
		for name, serial := range s.serials(t, host) {
			if serial == before[name] {
				t.Errorf("%s has the %s of before", host, name)
			}
		}
		s.inventory(t, 0)
	}
}

// serials are those on a host's disk, by certificate.
func (s site) serials(t *testing.T, host string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, c := range s.inventory(t, 0).Certificates {
		if c.Host == host && c.Disk != nil {
			found[c.Name] = c.Disk.Serial
		}
	}
	if len(found) == 0 {
		t.Errorf("%s has no certificates", host)
	}
	return found
}

// testShortLives has certificates that last for five minutes expire and be renewed, by the command that
// the timer runs, until those that replaced the first ones have ended as well.
func testShortLives(t *testing.T, s site) {
	original := must(os.ReadFile(s.specFile))(t)
	s.edit(t, value("5m", "tls", "leaf_lifetime"))
	var ends []time.Time
	renewals := 0
	s.undisturbed(t, func() {
		s.apply(t, pgha.ApplyOptions{})
		for generations := 2; generations > 0; generations-- {
			last := lastEnd(s.inventory(t, 0))
			ends = append(ends, last)
			await(t, 8*time.Minute, "the certificates to end", func() (bool, string) {
				found := s.cli(t, "certificates", "list", "--output", "json")
				if found.code == 1 {
					t.Fatalf("certificates list:\n%s%s", found.stdout, found.stderr)
				}
				if found.code == 2 { // some are due
					var result certificates.RenewResult
					s.verb(t, &result, "certificates", "renew", "--due")
					renewals += len(result.Renewed)
				}
				return time.Now().After(last), time.Until(last).String()
			})
		}
	})
	t.Logf("certificates ended at %v; %d were renewed", ends, renewals)
	if first := len(s.inventory(t, 0).Certificates); renewals < 2*first {
		t.Errorf("%d renewals of %d certificates", renewals, first)
	}
	writeFile(t, s.specFile, original)
	s.apply(t, pgha.ApplyOptions{})
	s.verb(t, nil, "certificates", "renew", "--all")
}

// lastEnd is when the last of the certificates ends.
func lastEnd(i certificates.Inventory) time.Time {
	var last time.Time
	for _, c := range i.Certificates {
		if c.State.NotAfter.After(last) {
			last = c.State.NotAfter
		}
	}
	return last
}
