package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// DialContext connects to an address inside the lab, from this machine's end
// of the lab's network. The host part is an address of that network
// (ErrOutside for any other), or the name of a host or member. It has the
// signature of net.Dialer.DialContext, for SSH, HTTP and PostgreSQL clients.
// When the lab is gone it returns ErrNotRunning.
func (l *Lab) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	address, err := l.resolve(address)
	if err != nil {
		return nil, err
	}
	if !namespaceExists(lanNamespace(l.Name())) {
		return nil, notRunning(l.Name())
	}
	var conn net.Conn
	err = inNetworkNamespace(namespacePath(lanNamespace(l.Name())), func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dial in lab %s: %w", l.Name(), err)
	}
	return conn, nil
}

// resolve turns names into addresses, so that no resolver of this machine is
// ever asked, and refuses what is not the lab's.
func (l *Lab) resolve(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("dial in lab %s: %w", l.Name(), err)
	}
	if h, err := l.plan(host); err == nil {
		host = h.Address
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !l.record.network().contains(ip) {
		return "", fmt.Errorf("dial %s in lab %s: %w", address, l.Name(), ErrOutside)
	}
	return net.JoinHostPort(ip.String(), port), nil
}
