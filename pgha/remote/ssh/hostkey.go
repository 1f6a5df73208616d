package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/pgha/remote"
)

// hostKeyPolicy decides whether a host is the one it should be: pinned fingerprints alone if there
// are any, else the known_hosts files, else trust on first use if that was asked for.
type hostKeyPolicy struct {
	cfg  *Config
	db   *knownhosts.HostKeyDB
	seen []string // fingerprints shown so far, for the error
}

func newHostKeyPolicy(cfg *Config) (*hostKeyPolicy, error) {
	p := &hostKeyPolicy{cfg: cfg}
	if len(cfg.Fingerprints) > 0 {
		for _, f := range cfg.Fingerprints {
			if !strings.HasPrefix(f, "SHA256:") {
				return nil, fmt.Errorf(
					"host key fingerprint %q: want the form SHA256:..., as `ssh-keygen -l` "+
						"prints it", f)
			}
		}
		return p, nil
	}
	db, err := readKnownHosts(cfg.KnownHostsFiles)
	p.db = db
	return p, err
}

func readKnownHosts(files []string) (*knownhosts.HostKeyDB, error) {
	var present []string
	for _, f := range files {
		if _, err := os.Stat(f); err == nil {
			present = append(present, f)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read known hosts: %w", err)
		}
	}
	db, err := knownhosts.NewDB(present...)
	if err != nil {
		return nil, fmt.Errorf("read known hosts: %w", err)
	}
	return db, nil
}

// algorithms are the sets of key algorithms to try, one connection each.
func (p *hostKeyPolicy) algorithms() [][]string {
	if p.db != nil {
		// Only the kinds of key on record: a key of another kind would look like a changed one. A
		// host without any gets the usual order, with the kind that ssh-keygen makes by default in
		// front.
		if known := p.db.HostKeyAlgorithms(p.cfg.hostPort()); len(known) > 0 {
			return [][]string{known}
		}
		return [][]string{{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
			ssh.KeyAlgoECDSA521,
			ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}}
	}
	return [][]string{
		{ssh.KeyAlgoED25519},
		{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
		{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
	}
}

// check is the ssh.HostKeyCallback. The address that a jump host or a test's dialer reports says
// nothing, so the one that was asked for stands in for it.
func (p *hostKeyPolicy) check(hostPort string, _ net.Addr, key ssh.PublicKey) error {
	shown := ssh.FingerprintSHA256(key)
	p.seen = append(p.seen, shown)
	if p.db == nil {
		if slices.Contains(p.cfg.Fingerprints, shown) {
			return nil
		}
		return p.changed(strings.Join(p.cfg.Fingerprints, " or "))
	}
	err := p.db.HostKeyCallback()(hostPort, stringAddr(hostPort), key)
	switch {
	case err == nil:
		return nil
	case knownhosts.IsHostKeyChanged(err):
		return p.changed("the one in " + strings.Join(p.cfg.KnownHostsFiles, " or "))
	case !knownhosts.IsHostUnknown(err):
		return fmt.Errorf("%w: %w", ErrHostKeyChanged, err)
	case p.cfg.AcceptNew:
		return p.remember(hostPort, key)
	}
	return remote.WithHint(fmt.Errorf("%w: it shows %s %s", ErrHostKeyUnknown, key.Type(), shown),
		fmt.Sprintf(
			"compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host's "+
				"own console, then set hosts[].ssh.host_key of %s to %s", p.cfg.Name, shown))
}

func (p *hostKeyPolicy) changed(want string) error {
	return remote.WithHint(fmt.Errorf("%w: it shows %s, expected %s", ErrHostKeyChanged,
		strings.Join(p.seen, ", "), want),
		fmt.Sprintf(
			"if %s was reinstalled, check the new key on its console, then correct "+
				"hosts[].ssh.host_key or run `ssh-keygen -R '%s'`; if not, somebody may be in "+
				"between",
			p.cfg.Name, knownhosts.Normalize(p.cfg.hostPort())))
}

// remember appends the key to the first known_hosts file. A lock on the file keeps other
// connections and processes out, and what they may have written meanwhile is looked at first.
func (p *hostKeyPolicy) remember(hostPort string, key ssh.PublicKey) (err error) {
	if len(p.cfg.KnownHostsFiles) == 0 {
		return remote.WithHint(fmt.Errorf("%w: there is no file to record it in",
			ErrHostKeyUnknown),
			"name a known_hosts file")
	}
	defer func() {
		if err != nil && !errors.Is(err, ErrHostKeyChanged) {
			err = fmt.Errorf("record host key: %w", err)
		}
	}()
	name := p.cfg.KnownHostsFiles[0]
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	db, err := readKnownHosts(p.cfg.KnownHostsFiles)
	if err != nil {
		return err
	}
	switch err := db.HostKeyCallback()(hostPort, stringAddr(hostPort), key); {
	case err == nil:
		return nil
	case knownhosts.IsHostKeyChanged(err):
		return p.changed("the one in " + name)
	}
	return appendLine(f, knownhosts.Line([]string{hostPort}, key))
}

// appendLine writes one line in one write, after ending a last line that lacks its newline.
func appendLine(f *os.File, line string) error {
	var last [1]byte
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if info.Size() > 0 {
		if _, err := f.ReadAt(last[:], info.Size()-1); err != nil && err != io.EOF {
			return err
		}
		if last[0] != '\n' {
			out.WriteByte('\n')
		}
	}
	out.WriteString(line + "\n")
	_, err = f.Write(out.Bytes())
	return err
}

// stringAddr is a net.Addr for a host:port that was never resolved.
type stringAddr string

func (stringAddr) Network() string  { return "tcp" }
func (a stringAddr) String() string { return string(a) }
