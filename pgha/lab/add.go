package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
)

// Add makes one more bare host of a role (RoleDatabase, RoleBalancer, RoleEtcd) and boots it, as a
// machine that is put beside the others: its name and address are the next ones. It returns the lab
// with the host; l does not have it. The other hosts' /etc/hosts and the lab's known_hosts file
// name it, and Spec does.
//
// It is not safe to repeat: each call makes another host, up to 10 in a lab. One that was
// interrupted is finished by Start, if it got so far that the lab has the host.
func (l *Lab) Add(ctx context.Context, role string) (*Lab, Host, error) {
	if role != RoleDatabase && role != RoleBalancer && role != RoleEtcd {
		return nil, Host{}, fmt.Errorf("add a host: role %q: want %s, %s or %s", role, RoleDatabase,
			RoleBalancer, RoleEtcd)
	}
	unlock, err := lock(ctx, l.cache.labLock(l.Name()), true)
	if err != nil {
		return nil, Host{}, err
	}
	defer unlock()
	larger := *l
	if larger.record, err = readRecord(l.cache, l.Name()); err != nil {
		return nil, Host{}, err
	}
	h, err := larger.record.add(role)
	if err == nil {
		err = larger.furnish(h)
	}
	if err != nil {
		return nil, Host{}, fmt.Errorf("add a host: %w", err)
	}
	if err := larger.startHost(ctx, h); err != nil {
		return nil, Host{}, errs.WithNext(err, errs.Text("it belongs to the lab now: %s boots it",
			errs.Verb("lab", "start", h.Name, "--lab-name", l.Name())))
	}
	if err := larger.introduce(ctx, h); err != nil {
		return nil, Host{}, err
	}
	added, err := larger.Host(h.Name)
	return &larger, added, err
}

// add plans the next host of a role.
func (r *record) add(role string) (hostPlan, error) {
	if len(r.Hosts) == maxHosts {
		return hostPlan{}, fmt.Errorf("%w: a lab has at most %d hosts", ErrConflict, maxHosts)
	}
	number := 1
	for _, h := range r.Hosts {
		if h.has(role) {
			number++
		}
	}
	h := planHost(role, number, r.network().host(len(r.Hosts)))
	r.Hosts = append(r.Hosts, h)
	return h, nil
}

// furnish writes the host's files. The record comes last: a host of it has all of them.
func (l *Lab) furnish(h hostPlan) error {
	dir := l.hostDir(h.Name)
	if err := removeTree(dir); err != nil { // of an Add that was interrupted
		return err
	}
	login, err := readSSHKey(l.SSHKeyFile())
	if err != nil {
		return err
	}
	key, err := prepareHost(dir, h, l.record, login)
	if err != nil {
		return err
	}
	known, err := os.ReadFile(l.KnownHostsFile())
	if err != nil {
		return fmt.Errorf("read known hosts: %w", err)
	}
	one := record{Hosts: []hostPlan{h}}
	known = append(known, one.knownHosts(map[string]string{h.Name: key})...)
	if err := writeAtomic(l.KnownHostsFile(), known, 0o644); err != nil {
		return err
	}
	return l.record.write(l.cache)
}

// introduce tells the other hosts the new one's name. A host without power is told on its disk.
func (l *Lab) introduce(ctx context.Context, h hostPlan) error {
	line := strings.TrimSpace(strings.Join([]string{h.Address, h.Name, h.Member}, " ")) + "\n"
	for _, other := range l.Hosts() {
		if other.Name == h.Name {
			continue
		}
		if !other.Running {
			file := filepath.Join(l.hostDir(other.Name), "upper", "etc", "hosts")
			names, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, append(names, line...), 0o644)
			}
			if err != nil {
				return fmt.Errorf("tell %s of %s: %w", other.Name, h.Name, err)
			}
			continue
		}
		var said bytes.Buffer
		exit, err := l.Exec(ctx, other.Name, []string{"sh", "-c", "cat >>/etc/hosts"},
			Stdio{In: strings.NewReader(line), Err: &said})
		if err == nil && exit != 0 {
			err = fmt.Errorf("exit code %d: %s", exit, said.String())
		}
		if err != nil {
			return fmt.Errorf("tell %s of %s: %w", other.Name, h.Name, err)
		}
	}
	return nil
}
