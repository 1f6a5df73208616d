package labtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/restore"
)

// TestRepositories keeps backups on a mount, on a server of SSH and in a bucket, and goes back from
// each; then all hosts are lost, and the cluster begins again with what is in the bucket, and
// another one, too.
func TestRepositories(t *testing.T) {
	t.Parallel()
	rarely(t)
	options := lab.Options{Name: "e2e-repositories", Installed: true, Hosts: 4, Databases: 3}
	outside := t.TempDir()
	s := newSite(t, startLab(t, options), func(text string) string {
		return keepState(text, filepath.Join(outside, "state"))
	})
	store := newBucket(t, outside)
	store.serve(t, s.Lab)
	base := s.specText(t)
	for _, kind := range []struct{ name, repository string }{
		{"directory", s.mounted(t)},
		{"sftp", s.sshServer(t, outside)},
		{"s3", store.repository("")},
	} {
		t.Run(kind.name, func(t *testing.T) {
			writeFile(t, s.specFile, []byte(base+"backup: {archive_timeout: 10, repository: ["+
				kind.repository+"]}\n"))
			s.apply(t, pgha.ApplyOptions{})
			testGoBack(t, s)
			if kind.name == "sftp" {
				testKeyRefused(t, s, filepath.Join(outside, "id_ed25519"))
			}
		})
	}
	t.Run("refused", func(t *testing.T) { testRepositoryUnreachable(t, s) })
	t.Run("all hosts lost", func(t *testing.T) { testAllLost(t, s, options, store) })
	t.Run("another cluster", func(t *testing.T) { testAnother(t, s, options, store, base) })
}

// testGoBack drops a table, and goes back to before that.
func testGoBack(t *testing.T, s site) {
	s.verb(t, nil, "backup", "--type", "full")
	leader, _ := s.leader(t)
	s.sql(t, leader, "DROP TABLE IF EXISTS kept")
	s.rows(t, 100)
	moment := s.now(t)
	s.rows(t, 10)
	s.sql(t, leader, "DROP TABLE kept")
	var r restore.Result
	s.verb(t, &r, "restore", "--to", moment)
	t.Logf("restored in %s", r.Elapsed)
	s.wantRows(t, 100)
	s.verb(t, nil, "restore", "confirm")
	s.verb(t, nil, "backup", "check")
	s.applyNothing(t)
}

// testKeyRefused: a key that the server does not know does not take the place of the one in force.
func testKeyRefused(t *testing.T, s site, file string) {
	good := must(os.ReadFile(file))(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, pem.EncodeToMemory(must(ssh.MarshalPrivateKey(private, ""))(t)))
	if got := s.cli(t, "apply", "--yes"); got.code != 1 ||
		!strings.Contains(got.stderr, "the repository cannot be reached: sftp://keeper@") {
		t.Errorf("a key that the server does not know: exit code %d\n%s%s", got.code, got.stdout,
			got.stderr)
	}
	s.verb(t, nil, "backup", "check")
	writeFile(t, file, good)
	s.applyNothing(t)
}

// testRepositoryUnreachable: a repository that cannot be read takes the place of none that can.
func testRepositoryUnreachable(t *testing.T, s site) {
	good := s.specText(t)
	for from, to := range map[string]string{
		"bucket: backups": "bucket: elsewhere", "access_key: AKIAEXAMPLE": "access_key: AKIAOTHER",
		"port: 7070": "port: 7071",
	} {
		writeFile(t, s.specFile, []byte(edited(t, good, from, to)))
		got := s.cli(t, "apply", "--yes")
		if got.code != 1 || !strings.Contains(got.stderr, "the repository cannot be reached: s3://") ||
			!strings.Contains(got.stdout, "0 changes") {
			t.Errorf("%s: exit code %d\n%s%s", to, got.code, got.stdout, got.stderr)
		}
	}
	writeFile(t, s.specFile, []byte(good))
	s.verb(t, nil, "backup", "check")
	s.applyNothing(t)
}

// testAllLost: the hosts come back empty. The first run is cut off when the data is there, and
// Patroni has not led with it.
func testAllLost(t *testing.T, s site, options lab.Options, store bucket) {
	s.rows(t, 25)
	s.verb(t, nil, "backup", "check") // brings what has been written to the archive
	s.rows(t, 3)
	s.refused(t, "the cluster has databases already", "restore", "--as", s.specFile)
	s.again(t, options, store)
	if !s.killWhen(t, "patroni (", "restore", "--as", s.specFile, "--yes") {
		t.Fatal("it was not cut off")
	}
	s.refused(t, "the cluster has databases already", "restore", "--as", s.specFile)
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	leader, _ := s.leader(t)
	rows := s.sql(t, leader, "SELECT count(*) FROM kept")
	t.Logf("%s rows of 128, of which 3 were not in the archive yet", rows)
	s.wantRows(t, 125)
	s.verb(t, nil, "backup")
	s.verb(t, nil, "backup", "check")
	s.verb(t, nil, "switchover")
	s.verb(t, nil, "backup", "check")
	s.applyNothing(t)
	s.verify(t)
}

// testAnother: another cluster begins with a moment of the first one, whose repository stays as it
// is.
func testAnother(t *testing.T, s site, options lab.Options, store bucket, base string) {
	s.rows(t, 5)
	moment := s.now(t)
	s.rows(t, 2)
	s.verb(t, nil, "backup", "check")
	former := s.specText(t)
	s.again(t, options, store)
	staging := edited(t, keepState(base, filepath.Join(t.TempDir(), "state")),
		"cluster: postgresql-cluster", "cluster: staging")
	section := "backup: {archive_timeout: 10, repository: [" + store.repository("/staging") + "]}\n"
	file := filepath.Join(filepath.Dir(s.specFile), "staging.yaml")
	writeFile(t, file, []byte(staging+section))
	if got := s.cli(t, "restore", "--as", file, "--to", moment, "--yes"); got.code != 0 {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	writeFile(t, s.specFile, []byte(staging+section))
	s.wantRows(t, 130)
	s.verb(t, nil, "backup", "--type", "full")
	s.verb(t, nil, "backup", "check")
	s.applyNothing(t)
	if out, _ := s.inHost(t, s.databases()[0].Name, "ls /etc/pgbackrest"); strings.Contains(out,
		"borrowed") {
		t.Errorf("the keys of the other cluster's repository are still there: %s", out)
	}
	// The same by the specification alone, on hosts that are empty once more.
	s.again(t, options, store)
	from := edited(t, store.repository(""), "type: s3", "type: s3, path: /postgresql-cluster")
	key := filepath.Join(stateOf(former), "secrets", "backup")
	writeFile(t, s.specFile, []byte(staging+"backup: {archive_timeout: 10, repository: ["+
		store.repository("/again")+"],\n  bootstrap_from: {cluster: postgresql-cluster, to: '"+moment+
		"', encryption_key_file: "+key+", repository: "+from+"}}\n"))
	s.apply(t, pgha.ApplyOptions{})
	s.wantRows(t, 130)
	s.applyNothing(t)
}

// again takes the lab down and up: empty hosts of the same names.
func (s site) again(t *testing.T, options lab.Options, store bucket) {
	t.Helper()
	if err := lab.Down(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	store.serve(t, l)
}

// stateOf is the state directory of a specification.
func stateOf(text string) string {
	for line := range strings.Lines(text) {
		if dir, ok := strings.CutPrefix(line, "state_dir: "); ok {
			return strings.Trim(strings.TrimSpace(dir), `"`)
		}
	}
	return ""
}

// mounted mounts a file system on the balancer, and is a repository there.
func (s site) mounted(t *testing.T) string {
	t.Helper()
	s.mustInHost(t, "haproxy-01", "mkdir -p /mnt/backup && mount -t tmpfs -o size=1g none /mnt/backup")
	return "{type: directory, host: haproxy-01, path: /mnt/backup/pgbackrest}"
}

// sshServer makes a user on the balancer, and is a repository there.
func (s site) sshServer(t *testing.T, dir string) string {
	t.Helper()
	key := filepath.Join(dir, "id_ed25519")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := must(ssh.MarshalPrivateKey(private, ""))(t)
	writeFile(t, key, pem.EncodeToMemory(block))
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(
		must(ssh.NewPublicKey(private.Public()))(t))))
	s.mustInHost(t, "haproxy-01", "useradd -m -s /bin/sh keeper && install -d -o keeper /backup "+
		"~keeper/.ssh && echo '"+public+"' >~keeper/.ssh/authorized_keys")
	host := s.mustInHost(t, "haproxy-01", "cat /etc/ssh/ssh_host_*_key.pub")
	var keys []string
	for line := range strings.Lines(host) {
		parsed, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, fmt.Sprintf("%q", strings.TrimSpace(
			string(ssh.MarshalAuthorizedKey(parsed)))))
	}
	balancer := must(s.Host("haproxy-01"))(t)
	return fmt.Sprintf("{type: sftp, address: %s, user: keeper, path: /backup/prod, key_file: %s, "+
		"host_keys: [%s]}", balancer.Address, key, strings.Join(keys, ", "))
}

// bucket is a server of S3 with a certificate, on this machine, in the lab's network.
type bucket struct {
	owner        *testing.T // the server ends with this test
	dir, program string
}

// newBucket builds the server, whose module is none of the library's requirements.
func newBucket(t *testing.T, dir string) bucket {
	t.Helper()
	b := bucket{t, dir, filepath.Join(dir, "versitygw")}
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../tools/s3", "-o", b.program,
		"github.com/versity/versitygw/cmd/versitygw")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server of S3: %v\n%s", err, out)
	}
	ca := must(pki.NewCA("a store"))(t)
	pair := must(ca.Issue(pki.Request{CommonName: "store", Usage: pki.ServerUsage,
		IPs: []netip.Addr{netip.MustParseAddr("192.168.0.1")}}))(t)
	writeFile(t, b.file("ca.crt"), ca.CertPEM())
	writeFile(t, b.file("s3.crt"), pair.CertPEM)
	writeFile(t, b.file("s3.key"), pair.KeyPEM.Reveal())
	writeFile(t, b.file("secret"), []byte("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n"))
	if err := os.MkdirAll(b.file("data/backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b bucket) file(name string) string { return filepath.Join(b.dir, name) }

// serve runs the server in the network of a lab, until that goes down or the owner ends.
func (b bucket) serve(t *testing.T, l *lab.Lab) {
	t.Helper()
	ctx, end := context.WithCancel(b.owner.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = l.Run(ctx, []string{"sh", "-c", `ROOT_ACCESS_KEY=AKIAEXAMPLE ROOT_SECRET_KEY=$(cat "$1") ` +
			`exec "$0" --quiet --port 192.168.0.1:7070 --cert "$2" --key "$3" posix "$4"`, b.program,
			b.file("secret"), b.file("s3.crt"), b.file("s3.key"), b.file("data")}, lab.Stdio{})
	}()
	b.owner.Cleanup(func() { end(); <-ended })
	await(t, time.Minute, "the server of S3", func() (bool, string) {
		conn, err := l.DialContext(t.Context(), "tcp", net.JoinHostPort("192.168.0.1", "7070"))
		if err != nil {
			return false, err.Error()
		}
		return conn.Close() == nil, ""
	})
}

// repository is one in the bucket, below a path; "" for the default.
func (b bucket) repository(path string) string {
	if path != "" {
		path = ", path: " + path
	}
	return "{type: s3" + path + ", endpoint: 192.168.0.1, port: 7070, bucket: backups, uri_style: path, " +
		"ca_file: " + b.file("ca.crt") + ", access_key: AKIAEXAMPLE, key_file: " + b.file("secret") + "}"
}
