package pgha

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// dialHost connects to a host as the spec says.
func dialHost(ctx context.Context, sp *Spec, h spec.Host, opts ConnectOptions) (remote.Executor, error) {
	cfg := sshConfig(ctx, sp, h, opts)
	return remote.DialSSH(ctx, cfg)
}

// sshConfig merges the spec's general SSH settings with the host's own.
func sshConfig(ctx context.Context, sp *Spec, h spec.Host, opts ConnectOptions) remote.SSHConfig {
	general, own := sp.SSH, sp.SSHOf(h)
	cfg := remote.SSHConfig{
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
	if ask := opts.Password; ask != nil {
		cfg.Password = func(ctx context.Context) (string, error) {
			return ask(ctx, fmt.Sprintf("password of %s on %s", cfg.User, h.Name))
		}
		cfg.SudoPassword = func(ctx context.Context) (string, error) {
			return ask(ctx, fmt.Sprintf("sudo password of %s on %s", cfg.User, h.Name))
		}
		cfg.Passphrase = func(file string) ([]byte, error) {
			s, err := ask(ctx, "passphrase of "+file)
			return []byte(s), err
		}
	}
	if own.Jump != "" {
		cfg.Jump = jumpConfig(own.Jump, cfg)
	}
	return cfg
}

// jumpConfig reads user@host:port; what is missing is as for the host itself.
func jumpConfig(jump string, cfg remote.SSHConfig) *remote.SSHConfig {
	j := cfg
	j.Jump, j.Fingerprints, j.Port = nil, nil, 22
	if user, rest, ok := strings.Cut(jump, "@"); ok {
		j.User, jump = user, rest
	}
	if host, port, ok := strings.Cut(jump, ":"); ok {
		jump = host
		j.Port, _ = strconv.Atoi(port) // the spec has checked that it is a number
	}
	j.Name, j.Address = jump, jump
	return &j
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
