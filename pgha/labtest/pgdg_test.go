package labtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// onlyFromPGDG takes out of the release's own repository what is in PostgreSQL's, too: it must not
// come from there.
const onlyFromPGDG = `set -e
cd /srv/repo/dists/trixie
rm -f Release* InRelease main/binary-*/Packages.*
for index in main/binary-*/Packages; do
	awk 'BEGIN { RS = ""; ORS = "\n\n" } !/^Package: (postgresql|patroni)/' "$index" >/tmp/index
	cat /tmp/index >"$index"
done
sed -i 's/^Signed-By:.*/Trusted: yes\nAllow-Insecure: yes/' /etc/apt/sources.list.d/lab.sources
rm -rf /var/lib/apt/lists/*
apt-get -qq update`

// TestPGDG installs PostgreSQL from a signed repository laid out like PostgreSQL's own, first with
// a wrong key.
func TestPGDG(t *testing.T) {
	t.Parallel()
	rarely(t)
	l := startLab(t, lab.Options{Name: "e2e-pgdg", Release: "trixie", Hosts: 4})
	keyFile := filepath.Join(t.TempDir(), "repository.asc")
	s := newSite(t, l, func(text string) string {
		return edited(t, text, "postgresql: {version: 17, source: distribution,",
			"postgresql: {version: 17, source: mirror, repository: {url: "+
				"\"file:/srv/repo/pgdg\", key_file: \""+keyFile+"\"},")
	})
	for _, h := range s.databases() {
		s.mustInHost(t, h.Name, onlyFromPGDG)
	}
	key := s.mustInHost(t, "postgres-01", "cat /srv/repo/pgdg/ACCC4CF8.asc")
	writeFile(t, keyFile, otherKey(t))
	refused(t, s)
	writeFile(t, keyFile, []byte(key+"\n"))
	s.apply(t, pgha.ApplyOptions{})
	s.verify(t)
	for _, h := range s.databases() {
		policy := s.mustInHost(t, h.Name, "apt-cache policy postgresql-17 patroni")
		if strings.Count(policy, "file:/srv/repo/pgdg trixie-pgdg/main") != 2 ||
			strings.Contains(policy, "Installed: (none)") {
			t.Errorf("%s: not installed from the repository:\n%s", h.Name, policy)
		}
	}
	s.applyNothing(t)
}

// refused wants Apply to say which hosts could not install what, and to leave no half of PostgreSQL
// behind.
func refused(t *testing.T, s site) {
	t.Helper()
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		_, err := c.Apply(t.Context(), pgha.ApplyOptions{})
		if err == nil {
			t.Fatal("apply accepted a repository that is signed with another key")
		}
		t.Logf("refused: %v", err)
		for _, want := range []string{"postgres-01", "postgres-02", "postgres-03",
			"postgresql-17"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not name %s: %v", want, err)
			}
		}
		if strings.Contains(err.Error(), "haproxy-01") {
			t.Errorf("the balancer failed, too: %v", err)
		}
	})
	for _, h := range s.Hosts() {
		if out := s.mustInHost(t, h.Name, "dpkg --audit"); out != "" {
			t.Errorf("%s has half-installed packages:\n%s", h.Name, out)
		}
		if out := s.mustInHost(t, h.Name,
			"systemctl list-units --failed --no-legend --plain"); out != "" {
			t.Errorf("%s has failed units:\n%s", h.Name, out)
		}
	}
	if out, _ := s.inHost(t, "haproxy-01", "systemctl is-active haproxy"); out != "active" {
		t.Errorf("haproxy on the balancer is %s", out)
	}
}

// otherKey makes a key that signed nothing.
func otherKey(t *testing.T) []byte {
	t.Helper()
	home := t.TempDir()
	gpg := func(args ...string) []byte {
		out, err := exec.CommandContext(t.Context(), "gpg", append([]string{
			"--homedir", home, "--batch", "--quiet",
		}, args...)...).Output()
		if err != nil {
			t.Fatalf("gpg %v: %v", args, err)
		}
		return out
	}
	defer func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() }()
	gpg("--passphrase", "", "--quick-generate-key", "nobody@example.org", "ed25519", "sign", "1d")
	return gpg("--armor", "--export")
}
