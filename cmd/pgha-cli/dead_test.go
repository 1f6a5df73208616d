package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/internal/schematest"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

// answer is what a command line prints and ends with.
type answer struct {
	code           int
	stdout, stderr string
}

// typedIn runs a command line as in a pipe. It must not run beside another: applications of cli
// share the flag for help (urfave/cli v2.27.7), and setting it is a race.
func typedIn(t *testing.T, args ...string) answer {
	t.Helper()
	var stdout, stderr bytes.Buffer
	out := &terminal.Terminal{Stdout: &stdout, Stderr: &stderr}
	code := perform(t.Context(), out, newApp(out), append([]string{"pgha-cli"}, args...))
	schematest.Check(t, schemaFile, args, stdout.String())
	return answer{code, stdout.String(), stderr.String()}
}

// confused answers every command with nonsense, and fails half of them.
func confused(_ context.Context, line string, _ io.Reader, stdout, stderr io.Writer) int {
	mark, _, _ := strings.Cut(line, " $$; ") // the beginning of each command of ssh.Conn
	fmt.Fprintf(stdout, "%s 4711\n{\"\x1b[2J]: nonsense\n", strings.TrimPrefix(mark, "echo "))
	fmt.Fprint(stderr, "sh: \x1b]0;owned\a: not found\n")
	return 127 * (len(line) % 2)
}

// halfDead writes the specification of a cluster that was applied from here. The ports of its hosts
// are refused but for those that are named, which are confused.
func halfDead(t *testing.T, alive ...string) string {
	t.Helper()
	dir := t.TempDir()
	identity := filepath.Join(dir, "id_ed25519")
	if err := remotetest.WriteIdentity(identity); err != nil {
		t.Fatal(err)
	}
	server := func() *remotetest.Server {
		return remotetest.StartServer(t, remotetest.ServerOptions{Identity: identity,
			NoNetwork: true, Answer: confused})
	}
	gone := server()
	gone.Close()
	text := "version: 1\ncluster: dead\nstate_dir: dead.state\netcd: {source: distribution}\n" +
		"postgresql: {source: distribution}\nvip: {address: 192.0.2.9}\n" +
		"ssh: {agent: false, host_keys: accept-new, known_hosts: known, identity_files: " +
		"[id_ed25519]}\nhosts:\n"
	for i, name := range []string{"pg-1", "pg-2", "pg-3", "lb-1", "lb-2"} {
		role, port := "database", gone.Port()
		if strings.HasPrefix(name, "lb") {
			role = "balancer"
		}
		if slices.Contains(alive, name) {
			port = server().Port()
		}
		text += fmt.Sprintf("  - {name: %s, address: 192.0.2.%d, role: %s, ssh: {address: "+
			"127.0.0.1, port: %s}}\n",
			name, i+1, role, port)
	}
	file := filepath.Join(dir, "pgha.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeState(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDeadCluster asks everything of a cluster of which two hosts answer nonsense and the others
// nothing: every command ends, with the exit code that the README gives, says what it could not do
// and why, and nothing that came from a host commands the terminal.
func TestDeadCluster(t *testing.T) {
	file := halfDead(t, "lb-1", "pg-2")
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	const away, noMember, noQuorum = "host unreachable: connect to 127.0.0.1",
		"no member of the cluster answers",
		"etcd has no quorum"
	for _, tt := range []struct {
		line string
		code int
		says string // in either output
	}{
		{"preflight", exitFailed, away},
		{"plan", exitFailed, away},
		{"plan --accept --yes", exitFailed, away},
		{"apply", exitFailed, away},
		{"status", exitFailed, "cluster dead: not healthy"},
		{"verify", exitFailed, "verification failed: 31 of 31 checks"},
		{"doctor", exitFailed, "pg-2 cannot be asked"},
		{"doctor --fix host-unreachable@pg-2 --yes", exitRefused, "mend it by hand"},
		{"doctor --fix nothing-of-the-kind --yes", exitRefused,
			"there is no finding nothing-of-the-kind"},
		{"doctor bundle " + bundle, exitOK, "8 files"},
		{"advise", exitFailed, "not whole: nothing is known about member pg-2"},
		{"history", exitFailed, noMember},
		{"history --operations", exitFailed, "read the trail of operations"},
		{"why", exitFailed, away},
		{"logs all", exitFailed, away},
		{"logs patroni lb-1", exitUsage, "lb-1"},
		{"query x", exitFailed, "without Patroni, name the member to ask"},
		{"query --member pg-9 x", exitRefused, "pg-9"},
		{"connection", exitOK, "host=192.0.2.9 port=5432"},
		{"switchover --yes", exitRefused, noQuorum},
		{"switchover --dry-run", exitRefused, noQuorum},
		{"switchover --cancel", exitFailed, "etcd is unhealthy"},
		{"failover --yes", exitRefused, noQuorum},
		{"restart --yes", exitRefused, noQuorum},
		{"reinit pg-2 --yes", exitRefused, noQuorum},
		{"rolling-reboot --yes", exitRefused, noQuorum},
		{"reload", exitFailed, "take lock /pgha/dead/lock: etcd is unhealthy"},
		{"pause --yes", exitFailed, "etcd is unhealthy"},
		{"resume", exitFailed, "etcd is unhealthy"},
		{"config show", exitFailed, noMember},
		{"config set ttl=30 --yes", exitFailed, "etcd is unhealthy"},
		{"config edit --yes", exitFailed, noMember},
		{"sync on --yes", exitFailed, "etcd is unhealthy"},
		{"secrets rotate --yes", exitFailed, "exit status 127"},
		{"start", exitFailed, "lock /run/pgha.lock: the host answered"},
		{"stop --yes", exitFailed, "lock /run/pgha.lock: the host answered"},
		{"reset --yes-destroy dead", exitFailed, "lock /run/pgha.lock: the host answered"},
		{"drill switchover --consent dead", exitFailed, away},
		{"--timeout 1ns status", exitTimeout, "deadline exceeded"},
	} {
		got := typedIn(t, append([]string{"--spec", file}, strings.Fields(tt.line)...)...)
		if all := got.stdout + got.stderr; got.code != tt.code || !strings.Contains(all, tt.says) {
			t.Errorf("%s ends with %d, want %d and %q:\n%s", tt.line, got.code, tt.code,
				tt.says, all)
		} else if strings.ContainsAny(all, "\x1b\a\x00") {
			t.Errorf("%s prints what a host sent to the terminal:\n%q", tt.line, all)
		}
	}
	if info, err := os.Stat(bundle); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the bundle can be read by others: %v, %v", info, err)
	}
}

// TestDeadClusterInJSON: programs that read the output get one document, in which the error and the
// hint are fields, and the same exit code.
func TestDeadClusterInJSON(t *testing.T) {
	file := halfDead(t, "lb-1")
	for _, tt := range []struct {
		line  string
		code  int
		field string // that must be there, and its value unless it is ""
		value string
	}{
		{"status", exitFailed, "unreachable", ""},
		{"status --explain", exitFailed, "timings", ""},
		{"doctor", exitFailed, "healthy", "false"},
		{"advise", exitFailed, "problems", ""},
		{"switchover --dry-run", exitRefused, "dry_run", "true"},
		{"switchover --yes", exitRefused, "dry_run", "false"},
		{"restart --dry-run", exitRefused, "error", ""},
		{"failover --yes", exitRefused, "error", ""},
		{"pause --yes", exitFailed, "changes", "[]"},
		{"resume --dry-run", exitFailed, "error", ""},
		{"start", exitRefused, "error", ""},
		{"stop --yes", exitRefused, "error", ""},
		{"reload", exitFailed, "error", ""},
		{"config set ttl=30 --dry-run", exitFailed, "error", ""},
		{"sync strict --yes", exitFailed, "error", ""},
	} {
		args := append([]string{"--spec", file}, strings.Fields(tt.line)...)
		got := typedIn(t, append(args, "--output", "json")...)
		var document map[string]json.RawMessage
		if err := json.Unmarshal([]byte(got.stdout), &document); err != nil {
			t.Errorf("%s prints %v:\n%s", tt.line, err, got.stdout)
			continue
		}
		value := string(document[tt.field])
		if got.code != tt.code || value == "" || tt.value != "" && value != tt.value {
			t.Errorf("%s ends with %d, want %d; %s is %s:\n%s", tt.line, got.code, tt.code,
				tt.field, value, got.stdout)
		}
	}
	checks := typedIn(t, "--spec", file, "verify", "-o", "json")
	var verified checksAnswer
	err := json.Unmarshal([]byte(checks.stdout), &verified)
	list := verified.Checks
	if err != nil || checks.code != exitFailed || len(list) < 20 {
		t.Errorf("verify ends with %d, %d checks, %v", checks.code, len(list), err)
	}
	for _, c := range list {
		if c.OK || c.Problem == "" {
			t.Errorf("%s is all right on a dead cluster: %+v", c.Name, c)
		}
	}
}
