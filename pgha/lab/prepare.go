package lab

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/layouts"
)

const (
	keyFile        = "ssh_key"
	knownHostsFile = "known_hosts"
	cutMarker      = "cable-cut"
	consoleLog     = "console.log"
)

// prepareLab writes the files of a new lab. The record comes last: a lab
// with a record has all its files.
func prepareLab(c cache, rel release, image string, layers map[string]string,
	o Options) (record, error) {
	r := record{Name: o.Name, Release: rel.name, Image: image, IPv6: o.IPv6, Layers: layers,
		Layout: o.Layout, Hosts: planHosts(o.Hosts, o.Databases, networkOf(o.IPv6)),
		Created: time.Now().UTC()}
	if o.Layout != "" {
		l, err := layouts.Named(o.Layout)
		if err != nil {
			return r, err
		}
		r.Hosts = planLayout(l, networkOf(o.IPv6))
	}
	dir := c.lab(r.Name)
	if err := removeTree(dir); err != nil {
		return r, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "state"), 0o700); err != nil {
		return r, fmt.Errorf("make lab directory: %w", err)
	}
	key, err := newSSHKey("lab " + r.Name)
	if err != nil {
		return r, err
	}
	if err := key.write(filepath.Join(dir, keyFile)); err != nil {
		return r, err
	}
	hostKeys := map[string]string{}
	for _, h := range r.Hosts {
		if hostKeys[h.Name], err = prepareHost(hostDir(c, r.Name, h.Name), h, r, key); err != nil {
			return r, err
		}
	}
	if err := writeAtomic(filepath.Join(dir, knownHostsFile), r.knownHosts(hostKeys),
		0o644); err != nil {
		return r, err
	}
	return r, r.write(c)
}

func hostDir(c cache, lab, host string) string { return c.path("labs", lab, "hosts", host) }

// prepareHost writes what makes a host out of the image into the upper layer
// of its overlay, and returns its SSH host key.
func prepareHost(dir string, h hostPlan, r record, login sshKey) (string, error) {
	for _, sub := range []string{"upper", "work", "root", "upper/etc", "upper/etc/ssh",
		"upper/etc/ssh/sshd_config.d"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", fmt.Errorf("make host directory: %w", err)
		}
	}
	hostKey, err := newSSHKey(h.Name)
	if err != nil {
		return "", err
	}
	etc := filepath.Join(dir, "upper", "etc")
	if err := hostKey.write(filepath.Join(etc, "ssh", "ssh_host_ed25519_key")); err != nil {
		return "", err
	}
	var machineID [16]byte
	rand.Read(machineID[:])
	files := map[string]string{
		filepath.Join(dir, "netns"):                   "", // the namespace is bound here
		filepath.Join(etc, "hostname"):                h.Name + "\n",
		filepath.Join(etc, "hosts"):                   hostsFile(r.Hosts),
		filepath.Join(etc, "machine-id"):              hex.EncodeToString(machineID[:]) + "\n",
		filepath.Join(etc, "ssh/lab_authorized_keys"): string(login.authorized),
		// The image exempts the address of IPv4 labs; of several lines sshd takes the first.
		filepath.Join(etc, "ssh/sshd_config.d/05-lab.conf"): "PerSourcePenaltyExemptList " +
			r.network().machine() + "\n",
	}
	for path, body := range files {
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			return "", fmt.Errorf("write host file: %w", err)
		}
	}
	return strings.TrimSpace(string(hostKey.authorized)), nil
}

func hostsFile(hosts []hostPlan) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	for _, h := range hosts {
		fmt.Fprintln(&b,
			strings.TrimSpace(strings.Join([]string{h.Address, h.Name, h.Member}, " ")))
	}
	return b.String()
}

// A cable that was cut stays cut over a power loss, so it is a file.

func cableIsCut(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, cutMarker))
	return err == nil
}

func markCable(dir string, cut bool) error {
	path := filepath.Join(dir, cutMarker)
	if cut {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return fmt.Errorf("mark cable: %w", err)
		}
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mark cable: %w", err)
	}
	return nil
}
