package etcd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
)

// findEtcd returns an etcd to test with: that of PGHA_TEST_ETCD, of the PATH, or out of the archive
// that the lab built.
func findEtcd(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("PGHA_TEST_ETCD"); path != "" {
		return path
	}
	if path, err := exec.LookPath("etcd"); err == nil {
		return path
	}
	archives, err := filepath.Glob("/var/cache/pgha-lab/etcd/3.6.*/etcd-v3.6.*.tar.gz")
	if err != nil || len(archives) == 0 {
		t.Skip("no etcd here: set PGHA_TEST_ETCD to one, or let `pgha-cli lab up` build it")
	}
	return unpackEtcd(t, archives[0])
}

func unpackEtcd(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", archive, "-C", dir,
		"--strip-components=1").CombinedOutput(); err != nil {
		t.Skipf("the lab's etcd cannot be unpacked: %v: %s", err, out)
	}
	return filepath.Join(dir, "etcd")
}

// cluster is a real etcd cluster on the loopback interface, made of the settings that this package
// renders.
type cluster struct {
	Options
	t         *testing.T
	binary    string
	dir       string
	processes []*exec.Cmd
	forced    bool     // members start as recover.sh starts them
	among     []string // those that a member finds there when it joins; nil for all
}

// newCluster prepares n members and starts none.
func newCluster(t *testing.T, n int) *cluster {
	t.Helper()
	binary := findEtcd(t)
	c := &cluster{Options: memberOptions(t, n), t: t, binary: binary, dir: t.TempDir(),
		processes: make([]*exec.Cmd, n)}
	c.ClientPort, c.PeerPort = freePort(t), freePort(t)
	c.Options = c.withDefaults()
	return c
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (c *cluster) dataDir(i int) string { return filepath.Join(c.dir, c.Members[i].Name) }

// environ are the settings of member i with its paths below the test's folder and its own address
// to listen on.
func (c *cluster) environ(i int, state string) []string {
	m := c.Members[i]
	certs := filepath.Join(c.dir, m.Name+"-certs")
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(certs, name), content, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := os.MkdirAll(certs, 0o700); err != nil {
		c.t.Fatal(err)
	}
	write("ca.crt", c.CA)
	for name, pair := range map[string]pki.KeyPair{"server": m.Server, "peer": m.Peer,
		"gateway": m.Gateway} {
		write(name+".crt", pair.Cert)
		write(name+".key", pair.Key.Reveal())
	}
	env := []string{"ETCD_INITIAL_CLUSTER_STATE=" + state}
	if c.forced {
		env = append(env, "ETCD_FORCE_NEW_CLUSTER=true")
	}
	for _, s := range c.settings(m, c.among) {
		value := strings.ReplaceAll(s.value, certDir, certs)
		value = strings.ReplaceAll(value, "0.0.0.0", m.Address)
		if s.name == "ETCD_DATA_DIR" {
			value = c.dataDir(i)
		}
		env = append(env, s.name+"="+value)
	}
	return env
}

func (c *cluster) logFile(i int) string { return c.dataDir(i) + ".log" }

// start starts the given members, which end with the test at the latest.
func (c *cluster) start(state string, members ...int) {
	c.t.Helper()
	for _, i := range members {
		log, err := os.Create(c.logFile(i))
		if err != nil {
			c.t.Fatal(err)
		}
		p := exec.Command(c.binary)
		p.Env, p.Stdout, p.Stderr = c.environ(i, state), log, log
		if err := p.Start(); err != nil {
			c.t.Fatal(err)
		}
		_ = log.Close()
		c.processes[i] = p
		c.t.Cleanup(func() { _, _ = p.Process.Kill(), p.Wait() })
	}
}

// kill ends a member the hard way.
func (c *cluster) kill(i int) {
	_, _ = c.processes[i].Process.Kill(), c.processes[i].Wait()
}

func (c *cluster) log(i int) string {
	text, err := os.ReadFile(c.logFile(i))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// up starts all members and waits until they are healthy.
func (c *cluster) up() {
	c.t.Helper()
	c.start("new", c.all()...)
	c.healthy(c.all()...)
}

func (c *cluster) healthy(members ...int) {
	c.t.Helper()
	if err := c.awaitHealth(c.t.Context(), members); err != nil {
		for i := range c.Members {
			c.t.Logf("%s: %s", c.Members[i].Name, lastLines(c.log(i), 5))
		}
		c.t.Fatal(err)
	}
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
