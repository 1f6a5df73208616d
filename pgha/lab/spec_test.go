package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/internal/layouts"
)

func TestSpec(t *testing.T) {
	t.Parallel()
	for release, hosts := range map[string]int{"testing": 6, "trixie": 5} {
		l := testLab(t, release, hosts)
		got, err := l.Spec()
		if err != nil {
			t.Fatal(err)
		}
		got = bytes.ReplaceAll(got, []byte(string(l.cache)), []byte("/cache"))
		got = bytes.ReplaceAll(got, []byte("linux-"+runtime.GOARCH), []byte("linux-amd64"))
		golden.Check(t, filepath.Join("testdata", "spec-"+release+".yaml"), got)
	}
}

// TestSpecOfLayouts: a lab's specification has the roles of its layout, other ports for HAProxy
// where PostgreSQL is on the same host, and a virtual IP where balancers can share it.
func TestSpecOfLayouts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"witness": {"roles: [database, etcd, balancer], member: postgresql-01}",
			"{name: witness-01, address: 192.168.0.202, role: etcd}\n",
			"balancer: {write_port: 5000, read_port: 5001}\n", "vip: {address: 192.168.0.210}\n"},
		"separate-etcd": {"{name: etcd-03, address: 192.168.0.204, role: etcd}\n",
			"role: database, member: postgresql-02}\n", "vip: {"},
		"two-and-witness": {"roles: [database, etcd], member: postgresql-02}\n"},
	} {
		l := testLab(t, "testing", 3)
		layout, err := layouts.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		l.record.Hosts = planLayout(layout, l.record.network())
		text, err := l.Spec()
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s: no %q in\n%s", name, part, text)
			}
		}
		if vip := strings.Contains(string(text), "vip: {"); vip != (layout.Balancers() > 1) {
			t.Errorf("%s: a virtual IP: %v", name, vip)
		}
	}
}

// The addresses are all that an IPv6 lab's specification has of its own.
func TestSpecIPv6(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, kind := range []string{"testing", "ipv6"} {
		l := testLab(t, kind, 6)
		text, err := l.Spec()
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("/128]"), []byte("/32]"))
		texts = append(texts, strings.ReplaceAll(string(text), string(l.cache), "/cache"))
	}
	if diff := cmp.Diff(strings.ReplaceAll(texts[0], "192.168.0.", "fd00:192:168::"),
		texts[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The keys that prepareLab writes are read by other programs.
func TestPreparedKeys(t *testing.T) {
	t.Parallel()
	l := testLab(t, "testing", 3)
	private, err := os.ReadFile(l.SSHKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(l.SSHKeyFile()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("private key: %v, %v", info.Mode(), err)
	}
	authorized, err := os.ReadFile(filepath.Join(l.hostDir("postgres-02"),
		"upper/etc/ssh/lab_authorized_keys"))
	if err != nil || !bytes.Equal(authorized, ssh.MarshalAuthorizedKey(signer.PublicKey())) {
		t.Errorf("authorized key %q, %v", authorized, err)
	}
	check, err := knownhosts.New(l.KnownHostsFile())
	if err != nil {
		t.Fatal(err)
	}
	hostKey, err := os.ReadFile(filepath.Join(l.hostDir("postgres-02"),
		"upper/etc/ssh/ssh_host_ed25519_key"))
	if err != nil {
		t.Fatal(err)
	}
	hostSigner, err := ssh.ParsePrivateKey(hostKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"192.168.0.201:22", "postgres-02:22", "postgresql-02:22"} {
		if err := check(name, dummyAddress{}, hostSigner.PublicKey()); err != nil {
			t.Errorf("known_hosts, %s: %v", name, err)
		}
		if err := check(name, dummyAddress{}, signer.PublicKey()); err == nil {
			t.Errorf("known_hosts, %s: accepts another key", name)
		}
	}
	ids := map[string]bool{}
	for _, h := range l.Hosts() {
		id, err := os.ReadFile(filepath.Join(l.hostDir(h.Name), "upper/etc/machine-id"))
		if err != nil || len(strings.TrimSpace(string(id))) != 32 || ids[string(id)] {
			t.Errorf("machine-id of %s: %q, %v", h.Name, id, err)
		}
		ids[string(id)] = true
	}
}

type dummyAddress struct{}

func (dummyAddress) Network() string { return "tcp" }
func (dummyAddress) String() string  { return "192.168.0.250:22" }
