package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// WipeOptions say how Wipe replaces a host. The zero value keeps its SSH host key.
type WipeOptions struct {
	// NewHostKey gives the host another SSH host key, and leaves the lab's known_hosts file as it
	// is: whoever connects is warned of a changed key, as after a real replacement.
	NewHostKey bool
}

// Wipe replaces a host by an empty machine with the same name and address: it takes the power
// away, throws the disk with everything on it away, and boots what Start made at first. The cable
// stays cut if it was. Wiping an empty host is fine.
func (l *Lab) Wipe(ctx context.Context, host string, o WipeOptions) error {
	return l.fault(ctx, host, "wipe", "replacing the host by an empty one", func(h hostPlan) error {
		if err := l.powerOff(ctx, h); err != nil {
			return err
		}
		if err := l.emptyDisk(h, o.NewHostKey); err != nil {
			return err
		}
		return l.startHost(ctx, h)
	})
}

// emptyDisk makes the host's disk as prepareLab made it.
func (l *Lab) emptyDisk(h hostPlan, newKey bool) error {
	dir := l.hostDir(h.Name)
	cut := cableIsCut(dir)
	login, err := readSSHKey(l.SSHKeyFile())
	if err != nil {
		return err
	}
	hostKey := filepath.Join(dir, "upper", "etc", "ssh", "ssh_host_ed25519_key")
	old, err := readSSHKey(hostKey)
	if err != nil {
		return err
	}
	if err := removeTree(dir); err != nil {
		return err
	}
	if _, err := prepareHost(dir, h, l.record, login); err != nil {
		return err
	}
	if cut {
		if err := markCable(dir, true); err != nil {
			return err
		}
	}
	if newKey {
		return nil
	}
	return old.write(hostKey)
}

// readSSHKey reads what sshKey.write has written.
func readSSHKey(path string) (sshKey, error) {
	private, err := os.ReadFile(path)
	if err != nil {
		return sshKey{}, fmt.Errorf("read ssh key: %w", err)
	}
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		return sshKey{}, fmt.Errorf("read ssh key: %w", err)
	}
	return sshKey{private: private, authorized: public}, nil
}
