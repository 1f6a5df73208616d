package sitetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
)

// HostDir is the folder of pgha's own on hosts.
const HostDir = "/var/lib/pgha"

// Below runs commands here, with dir in the place of HostDir.
func Below(name, dir string) remote.Executor {
	return &below{&remote.Local{Name: name}, dir}
}

type below struct {
	remote.Executor
	dir string
}

// Unwrap implements remote.Unwrapper: connections lead to this machine.
func (b *below) Unwrap() remote.Executor { return b.Executor }

// DialContext implements remote.Dialer: only what runs on this machine answers, at once, as no
// packet may leave it.
func (b *below) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Run implements remote.Executor.
func (b *below) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	move := func(text string) string { return strings.ReplaceAll(text, HostDir, b.dir) }
	argv := make([]string, len(cmd.Argv))
	for i, a := range cmd.Argv {
		argv[i] = move(a)
	}
	cmd.Argv, cmd.Script = argv, move(cmd.Script)
	if cmd.Stdin != nil {
		text, err := io.ReadAll(cmd.Stdin)
		if err != nil {
			return remote.Result{}, err
		}
		cmd.Stdin = strings.NewReader(move(string(text)))
	}
	return b.Executor.Run(ctx, cmd)
}

// HostsBelow is the site of HeldHosts with hosts that run commands here, each with a folder of its
// own in the place of HostDir. The folders are returned by the hosts' names.
func HostsBelow(t *testing.T) (*site.Site, map[string]string) {
	t.Helper()
	c, _ := HeldHosts(t)
	dirs := map[string]string{}
	for _, h := range c.Spec.Hosts {
		dirs[h.Name] = t.TempDir()
		c.Connections[h.Name] = &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address},
			Executor: Below(h.Name, dirs[h.Name])}
	}
	return c, dirs
}
