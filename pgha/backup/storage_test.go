package backup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestKeyIsTriedFirst: a key of SFTP logs in before it takes the place of the one in force, with
// the servers' keys that the specification has now, and a refusal says where.
func TestKeyIsTriedFirst(t *testing.T) {
	const known = "10.0.0.8 ssh-ed25519 AAAA\n"
	o := Options{Stanza: "prod", Storage: Storage{SFTP: &SFTP{Address: "10.0.0.8", User: "keeper",
		HostKeys: []string{"ssh-ed25519 AAAA"}, Key: pki.NewSecret([]byte("PRIVATE"))}}}.WithDefaults()
	dir := t.TempDir()
	// This one keeps what it was called with, and has no entry.
	program := "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + dir + "/argv\ncat \"$PGBACKREST_REPO1_SFTP_KNOWN_HOST\" >" +
		dir + "/known\nexit 3\n"
	if err := os.WriteFile(filepath.Join(dir, "pgbackrest"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", t.TempDir())
	cmd := o.loginBy("/etc/pgbackrest/storage/key.candidate")
	run := exec.CommandContext(t.Context(), cmd.Argv[0], cmd.Argv[1:]...)
	if err := run.Run(); run.ProcessState.ExitCode() != 3 {
		t.Fatalf("a key that was refused: %v", err)
	}
	argv, _ := os.ReadFile(filepath.Join(dir, "argv"))
	for _, want := range []string{"--no-config", "--repo1-path=/var/lib/pgbackrest",
		"--repo1-sftp-host-user=keeper", "--repo1-sftp-host-port=22",
		"--repo1-sftp-private-key-file=/etc/pgbackrest/storage/key.candidate"} {
		if !strings.Contains(string(argv), want+"\n") {
			t.Errorf("pgbackrest was not called with %s:\n%s", want, argv)
		}
	}
	if !strings.HasSuffix(string(argv), "\nrepo-ls\n") || strings.Contains(string(argv), "PRIVATE") {
		t.Errorf("pgbackrest was called with\n%s", argv)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "known")); string(got) != known {
		t.Errorf("the servers were %q", got)
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, tried := range []remote.Cmd{cmd, {Argv: o.login("a")}} {
		err := o.unreachable(remote.NewExitError("h", tried, remote.Result{ExitCode: 3,
			Stderr: []byte("public key authentication failed")}))
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(),
			"sftp://keeper@10.0.0.8/var/lib/pgbackrest: public key authentication failed") {
			t.Errorf("%s: %v", tried.Argv[0], err)
		}
	}
}
