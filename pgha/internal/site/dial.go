package site

import (
	"cmp"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/ssh"
	"github.com/pgha/toolkit/pgha/spec"
)

// dialHost connects to a host as the spec says.
func dialHost(ctx context.Context, sp *spec.Spec, h spec.Host, opts Options,
	asked *questions) (remote.Executor,
	error) {
	cfg := sshConfig(ctx, sp, h, opts, asked)
	return ssh.Dial(ctx, cfg)
}

// dialAt leads SSH to the addresses that names of hosts were found to have, so that each is looked
// up once. SSH itself gets the name, by which known_hosts knows the host.
func dialAt(dial dialer, named, sp *spec.Spec) dialer {
	names := named.Names()
	if len(names) == 0 {
		return dial
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	at := map[string]string{}
	for _, h := range names {
		if found, err := sp.Host(h.Name); err == nil {
			at[h.Address] = found.Address
		}
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if name, port, err := net.SplitHostPort(address); err == nil && at[name] != "" {
			address = net.JoinHostPort(at[name], port)
		}
		return dial(ctx, network, address)
	}
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// sshConfig merges the spec's general SSH settings with the host's own.
func sshConfig(ctx context.Context, sp *spec.Spec, h spec.Host, opts Options,
	asked *questions) ssh.Config {
	general, own := sp.SSH, sp.SSHOf(h)
	cfg := ssh.Config{
		Name:            h.Name,
		Address:         own.Address,
		Port:            own.Port,
		User:            own.User,
		KnownHostsFiles: []string{expandHome(general.KnownHosts)},
		AcceptNew:       general.HostKeys == spec.HostKeysAcceptNew,
		Timeout:         general.ConnectTimeout,
		MaxSessions:     general.MaxSessions,
		Dial:            opts.Dial,
	}
	if general.IdentityFiles != nil {
		cfg.IdentityFiles = []string{} // none but the agent's, where the list is empty
	}
	for _, file := range general.IdentityFiles {
		cfg.IdentityFiles = append(cfg.IdentityFiles, expandHome(file))
	}
	if opts.Timeout > 0 {
		cfg.Timeout = opts.Timeout
	}
	if general.Agent {
		cfg.AgentSocket = os.Getenv("SSH_AUTH_SOCK")
	}
	if own.HostKey != "" {
		cfg.Fingerprints = []string{own.HostKey}
	}
	asked.answer(ctx, h.Name, &cfg)
	if own.Jump != "" {
		cfg.Jump = jumpConfig(own.Jump, cfg)
	}
	return cfg
}

// jumpConfig is the connection to a jump host; what it doesn't name is as for the host itself.
func jumpConfig(jump string, cfg ssh.Config) *ssh.Config {
	cfg.Jump, cfg.Fingerprints = nil, nil
	to, err := spec.ParseJump(jump)
	if err != nil {
		to.Address = jump // the spec has been checked
	}
	cfg.Name, cfg.Address, cfg.Port = to.Address, to.Address, to.Port
	cfg.User = cmp.Or(to.User, cfg.User)
	return &cfg
}

// expandHome replaces a leading ~/ by the home directory.
func expandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	home, err := os.UserHomeDir()
	if !ok || err != nil {
		return path
	}
	return filepath.Join(home, rest)
}
