package labtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/secrets"
	"github.com/pgha/toolkit/pgha/spec"
)

// pullWithin is how long a new operator may wait from nothing to a working status.
const pullWithin = 3 * time.Second

// newAge makes an identity and returns its file and its recipient.
func newAge(t *testing.T) (file, recipient string) {
	t.Helper()
	id := must(age.GenerateX25519Identity())(t)
	file = filepath.Join(t.TempDir(), "identity")
	writeFile(t, file, []byte(id.String()+"\n"))
	return file, id.Recipient().String()
}

// operator returns one who has a directory of his own and nothing in it.
func (s site) operator(t *testing.T, identity string, recipients ...string) site {
	t.Helper()
	dir := t.TempDir()
	text := keepState(string(must(os.ReadFile(s.specFile))(t)), filepath.Join(dir, "state"))
	at := strings.Index(text, "\nsecrets: ")
	if at >= 0 {
		end := at + 1 + strings.Index(text[at+1:], "\n")
		text = text[:at] + text[end:]
	}
	text = strings.TrimRight(text, "\n") + fmt.Sprintf(
		"\nsecrets: {age: {recipients: [%s], identity_file: %s}}\n", strings.Join(recipients, ", "),
		identity)
	other := s
	other.specFile = filepath.Join(dir, "pgha.yaml")
	writeFile(t, other.specFile, []byte(text))
	return other
}

// copies are the encrypted copies of the state as `state show` has them.
func (s site) copies(t *testing.T) secrets.Copies {
	t.Helper()
	got := s.cli(t, "state", "show", "--output", "json")
	var all secrets.Copies
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil {
		t.Fatalf("state show: %v\n%s%s", err, got.stdout, got.stderr)
	}
	return all
}

// inPlace fails the test unless etcd and every database host have the state as it is here.
func (s site) inPlace(t *testing.T) secrets.Copies {
	t.Helper()
	all := s.copies(t)
	if len(all.Copies) != 1+len(s.databases()) {
		t.Errorf("%d copies", len(all.Copies))
	}
	for _, c := range all.Copies {
		if c.Problem != "" || c.Generation != all.Generation {
			t.Errorf("the copy in %s: generation %d of %d, %s", c.Where, c.Generation,
				all.Generation, c.Problem)
		}
	}
	return all
}

// TestState is about the state of a cluster that its operators share: whoever has the specification
// and an identity continues from anywhere.
func TestState(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Options{Name: "e2e-state", Hosts: 3, Installed: true})
	plain := newSite(t, l, nil)
	plain.apply(t, pgha.ApplyOptions{})
	plain.awaitHealthy(t)
	runPart(t, "one copy", func(t *testing.T) { testOneCopy(t, plain) })
	mine, to := newAge(t)
	theirs, theirTo := newAge(t)
	first := plain.operator(t, mine, to, theirTo)
	copyState(t, plain.spec(t).StateDir, first.spec(t).StateDir)
	first.apply(t, pgha.ApplyOptions{})
	all := first.inPlace(t)
	t.Logf("a copy of three hosts has %d bytes", all.Copies[0].Bytes)
	first.applyNothing(t)
	runPart(t, "the machine is lost", func(t *testing.T) {
		testMachineIsLost(t, first, first.operator(t, theirs, to, theirTo))
	})
	runPart(t, "copies are lost", func(t *testing.T) {
		testCopiesAreLost(t, first, mine, to, theirTo)
	})
	runPart(t, "killed", func(t *testing.T) {
		testPushIsKilled(t, first, first.operator(t, theirs, to, theirTo))
	})
	runPart(t, "two at once", func(t *testing.T) {
		testTwoAtOnce(t, first, first.operator(t, theirs, to, theirTo))
	})
	runPart(t, "identities", func(t *testing.T) { testIdentities(t, first, mine, to, theirs, theirTo) })
	runPart(t, "another cluster", func(t *testing.T) { testAnotherCluster(t, first) })
	first.awaitHealthy(t)
	first.applyNothing(t)
}

// testOneCopy: without recipients nothing secret is on the hosts, and status says so.
func testOneCopy(t *testing.T, s site) {
	got := s.cli(t, "status")
	if !strings.Contains(got.stdout, "state: one copy") {
		t.Errorf("status says\n%s", got.stdout)
	}
	for _, h := range s.databases() {
		if out, code := s.inHost(t, h.Name, "ls /var/lib/pgha/state.age"); code == 0 {
			t.Errorf("%s has %s", h.Name, out)
		}
	}
	if all := s.copies(t); len(all.Copies) > 0 || all.SystemIdentifier == "" ||
		all.EtcdCluster == "" {
		t.Errorf("%+v", all)
	}
}

// testMachineIsLost: the directory is gone, and another operator goes on with the specification and
// an identity alone.
func testMachineIsLost(t *testing.T, first, second site) {
	was := first.copies(t).Generation
	dir := first.spec(t).StateDir
	kept := filepath.Join(t.TempDir(), "kept")
	copyState(t, dir, kept)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	pulled := second.cli(t, "state", "pull")
	status := second.cli(t, "status")
	took := time.Since(began)
	t.Logf("from nothing to a working status: %s, state pull %s, status %s",
		took.Round(10*time.Millisecond), pulled.took.Round(10*time.Millisecond),
		status.took.Round(10*time.Millisecond))
	if pulled.code != 0 || status.code != 0 || !strings.Contains(status.stdout, "5 copies") {
		t.Fatalf("state pull %d, status %d\n%s%s%s", pulled.code, status.code, pulled.stderr,
			status.stdout, status.stderr)
	}
	if took > pullWithin {
		t.Errorf("it took %s, more than %s", took, pullWithin)
	}
	if now := second.inPlace(t); now.Generation != was {
		t.Errorf("generation %d in place of %d", now.Generation, was)
	}
	if got := second.cli(t, "plan"); got.code != 0 ||
		!strings.Contains(got.stdout, "nothing to change") {
		t.Errorf("plan ends with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	second.applyNothing(t)
	second.verb(t, nil, "secrets", "rotate")
	second.verb(t, nil, "certificates", "renew", "--all", second.databases()[0].Name)
	second.inPlace(t)
	_, other := second.leader(t)
	var moved pgha.SwitchoverResult
	second.verb(t, &moved, "switchover", "--to", other)
	second.awaitHealthy(t)
	// The first one comes back with what it had, which is older by now.
	copyState(t, kept, dir)
	got := first.cli(t, "plan")
	if got.code != 0 || !strings.Contains(got.stderr, "was fetched from") {
		t.Errorf("plan of a directory that is older ends with %d\n%s%s", got.code, got.stdout,
			got.stderr)
	}
	first.inPlace(t)
	first.applyNothing(t)
}

// testCopiesAreLost deletes etcd's copies, then all but one host's, then the hosts' alone.
func testCopiesAreLost(t *testing.T, s site, identity string, recipients ...string) {
	hosts := s.databases()
	forgetEtcd := func() {
		s.mustInHost(t, hosts[0].Name, "etcdctl del --prefix pgha-state/")
		if c := s.copies(t).Copies[0]; c.Where != "etcd" || c.Problem == "" {
			t.Fatalf("etcd still has a copy: %+v", c)
		}
	}
	forget := func(list []lab.Host) {
		for _, h := range list {
			s.mustInHost(t, h.Name, "rm -f /var/lib/pgha/state.age*")
		}
	}
	goesOn := func(what string) {
		t.Helper()
		other := s.operator(t, identity, recipients...)
		if got := other.cli(t, "state", "pull"); got.code != 0 {
			t.Errorf("%s: state pull ends with %d\n%s%s", what, got.code, got.stdout, got.stderr)
			return
		}
		if got := other.cli(t, "plan"); got.code != 0 {
			t.Errorf("%s: plan ends with %d\n%s%s", what, got.code, got.stdout, got.stderr)
		}
		other.apply(t, pgha.ApplyOptions{})
		other.inPlace(t)
	}
	forgetEtcd()
	forget(hosts[1:])
	goesOn("one host has it")
	forget(hosts)
	goesOn("etcd has it")
	s.cli(t, "state", "pull")
	// The file is age's own.
	s.inPlace(t)
}

// testPushIsKilled: an operator's process is killed at the moment in which the state is written
// here, and in which the first host has it. Another one continues.
func testPushIsKilled(t *testing.T, first, second site) {
	record := filepath.Join(first.spec(t).StateDir, "cluster.json")
	host := first.databases()[0].Name
	for name, reached := range map[string]func() string{
		"as it is written here": func() string { return string(must(os.ReadFile(record))(t)) },
		"as the first host has it": func() string {
			out, _ := first.inHost(t, host, "cat /var/lib/pgha/state.age.json")
			return out
		},
	} {
		if got := first.cli(t, "state", "pull"); got.code != 0 {
			t.Fatalf("%s: state pull ends with %d\n%s", name, got.code, got.stderr)
		}
		was := reached()
		cmd := exec.CommandContext(t.Context(), binary, "--lab", "--lab-name", first.Name(), "--spec",
			first.specFile, "secrets", "rotate", "rewind", "superuser", "--yes")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, time.Minute, name, func() (bool, string) { return reached() != was, was })
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if got := second.cli(t, "secrets", "rotate", "rewind", "superuser", "--yes"); got.code != 0 {
			t.Errorf("%s: the other one's rotation ends with %d\n%s", name, got.code, got.stderr)
		}
		second.inPlace(t)
		second.awaitHealthy(t)
		second.applyNothing(t)
		got := first.cli(t, "plan")
		if got.code == 3 && strings.Contains(got.stderr, "changed apart") {
			t.Logf("%s: what reached no copy is refused\n%s", name, got.stderr)
			if err := os.RemoveAll(first.spec(t).StateDir); err != nil {
				t.Fatal(err)
			}
			got = first.cli(t, "plan")
		}
		if got.code != 0 {
			t.Errorf("%s: the first one's plan ends with %d\n%s%s", name, got.code, got.stdout,
				got.stderr)
		}
	}
}

// testTwoAtOnce: the second of two is refused and told what to do.
func testTwoAtOnce(t *testing.T, first, second site) {
	if got := second.cli(t, "state", "pull"); got.code != 0 {
		t.Fatalf("state pull ends with %d\n%s", got.code, got.stderr)
	}
	// One who has connected before the other one's change, and changes after it.
	second.with(t, pgha.ConnectOptions{Existing: true}, func(c *pgha.Cluster) {
		first.verb(t, nil, "secrets", "rotate", "rewind")
		before := treeOf(t, second.spec(t).StateDir)
		_, err := c.RotateSecrets(t.Context(), pgha.RotateOptions{Which: []string{"rewind"}})
		if pgha.KindOf(err) != pgha.KindOf(pgha.ErrRefused) {
			t.Errorf("the second rotation: %v", err)
		}
		t.Logf("the second hears: %v", err)
		if len(before) != len(treeOf(t, second.spec(t).StateDir)) {
			t.Error("the second one's directory was changed")
		}
	})
	// At the same moment.
	outcomes := make(chan outcome, 2)
	for _, s := range []site{first, second} {
		go func() { outcomes <- s.cli(t, "secrets", "rotate", "rewind", "--yes") }()
	}
	one, two := <-outcomes, <-outcomes
	for _, got := range []outcome{one, two} {
		if got.code != 0 && got.code != 3 && got.code != 5 {
			t.Errorf("it ends with %d\n%s", got.code, got.stderr)
		}
		if got.code != 0 {
			t.Logf("the one that was later: exit code %d\n%s", got.code, got.stderr)
		}
	}
	if one.code != 0 && two.code != 0 {
		t.Errorf("both were refused\n%s%s", one.stderr, two.stderr)
	}
	first.cli(t, "state", "pull")
	first.inPlace(t)
	first.applyNothing(t)
}

// testIdentities: an identity that opens nothing, and an operator who leaves.
func testIdentities(t *testing.T, s site, mine, to, theirs, theirTo string) {
	stranger, strangerTo := newAge(t)
	for _, args := range [][]string{{"state", "pull"}, {"apply", "--yes"}} {
		other := s.operator(t, stranger, to, theirTo, strangerTo)
		got := other.cli(t, args...)
		if got.code == 0 || !strings.Contains(got.stderr, "encrypted with age") ||
			!strings.Contains(got.stderr, "secrets encrypt") {
			t.Errorf("%v with an identity that opens nothing: %d\n%s%s", args, got.code, got.stdout,
				got.stderr)
		}
		if _, err := os.Stat(other.spec(t).StateDir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v has made a state directory: %v", args, err)
		}
	}
	kept := s.specFile
	alone := s.operator(t, mine, to)
	copyState(t, s.spec(t).StateDir, alone.spec(t).StateDir)
	got := alone.cli(t, "secrets", "encrypt")
	if got.code != 0 || !strings.Contains(got.stdout, theirTo) ||
		!strings.Contains(got.stdout, "the password of superuser") ||
		!strings.Contains(got.stdout, "secrets rotate") {
		t.Errorf("secrets encrypt ends with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if all := alone.inPlace(t); len(all.Versions) != 1 {
		t.Errorf("etcd keeps the versions %v, which he opens", all.Versions)
	}
	left := s.operator(t, theirs, to, theirTo)
	if got := left.cli(t, "state", "pull"); got.code == 0 {
		t.Errorf("who left fetches the state\n%s", got.stdout)
	}
	alone.applyNothing(t)
	// And back: the other tests go on with both.
	s.specFile = kept
	if got := s.cli(t, "state", "pull"); got.code != 0 {
		t.Errorf("state pull ends with %d\n%s", got.code, got.stderr)
	}
	if got := s.cli(t, "secrets", "encrypt"); got.code != 0 {
		t.Errorf("secrets encrypt ends with %d\n%s", got.code, got.stderr)
	}
	s.inPlace(t)
}

// testAnotherCluster: the state of a cluster with other databases is refused by every verb before
// anything is changed, and so is a specification of another name.
func testAnotherCluster(t *testing.T, s site) {
	files, processes := digests(t, s), s.processes(t)
	dir := s.spec(t).StateDir
	kept := filepath.Join(t.TempDir(), "kept")
	copyState(t, dir, kept)
	defer copyState(t, kept, dir)
	record := must(os.ReadFile(filepath.Join(dir, "cluster.json")))(t)
	var id map[string]any
	if err := json.Unmarshal(record, &id); err != nil {
		t.Fatal(err)
	}
	id["system_identifier"] = "7000000000000000001"
	text := must(json.Marshal(id))(t)
	writeFile(t, filepath.Join(dir, "cluster.json"), text)
	_, other := s.leader(t)
	for _, args := range [][]string{{"plan"}, {"apply", "--yes"}, {"switchover", "--to", other, "--yes"},
		{"restart", other, "--yes"}, {"secrets", "rotate", "--yes"}, {"stop", "--yes"},
		{"config", "set", "work_mem=7MB", "--yes"}} {
		if got := s.cli(t, args...); got.code != 3 ||
			!strings.Contains(got.stderr, "7000000000000000001") {
			t.Errorf("%v ends with %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
	copyState(t, kept, dir)
	original := must(os.ReadFile(s.specFile))(t)
	defer writeFile(t, s.specFile, original)
	s.edit(t, spec.Change{Path: []string{"cluster"}, Value: "shop"})
	for _, args := range [][]string{{"plan"}, {"apply", "--yes"}, {"status"},
		{"switchover", "--to", other, "--yes"}} {
		if got := s.cli(t, args...); got.code != 3 ||
			!strings.Contains(got.stderr, "a state_dir of its own") {
			t.Errorf("%v of another name ends with %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
	for host, lines := range digests(t, s) {
		if strings.Join(lines, "\n") != strings.Join(files[host], "\n") {
			t.Errorf("files of %s were changed", host)
		}
	}
	if diff := cmp.Diff(processes, s.processes(t)); diff != "" {
		t.Errorf("processes were changed (-before +after):\n%s", diff)
	}
}
