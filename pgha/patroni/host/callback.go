package host

import (
	_ "embed"
	"net/netip"
	"path"
	"strings"

	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed callback_etcd.py
var callbackScript []byte

// callback is the command that Patroni runs after a start or a change of role of its PostgreSQL; it
// adds action, role and scope. The command moves etcd's leadership off the primary's host: where
// both are lost at once, the new leader of etcd gives Patroni's lease its full time again, which
// costs the failover some five seconds.
//
// Patroni reads the callbacks again at a reload and waits for none of them. Without an etcd on the
// members' own hosts there is nothing to keep apart, and the command is "".
func (o Options) callback() (string, error) {
	words := []string{callbackPath, "--certs", CertsDir, "--leader-key", o.leaderKey()}
	shared := false
	for _, endpoint := range o.EtcdEndpoints {
		member := o.memberAt(endpoint)
		if member != "" {
			shared, endpoint = true, endpoint+"@"+member
		}
		words = append(words, "--etcd", endpoint)
	}
	if !shared {
		return "", nil
	}
	return shell.Join(words) // Patroni takes it apart again as a shell would
}

// leaderKey is where Patroni keeps the leader's name. As Patroni does it, several slashes in a row
// are one.
func (o Options) leaderKey() string {
	words := strings.FieldsFunc(o.Namespace+"/"+o.Scope, func(c rune) bool { return c == '/' })
	return "/" + strings.Join(words, "/") + "/leader"
}

// memberAt names the member on whose host this endpoint of etcd is; "" if it has a host of its own.
func (o Options) memberAt(endpoint string) string {
	e, err := netip.ParseAddrPort(endpoint)
	if err != nil {
		return ""
	}
	for _, m := range o.Members {
		if a, err := netip.ParseAddr(m.Address); err == nil && a == e.Addr() {
			return m.Name
		}
	}
	return ""
}

// callbackResources put the command on a host. It runs as postgres, who may not change it.
func (o Options) callbackResources() []remote.Resource {
	l := Layout(o)
	return []remote.Resource{l.Folder(path.Dir(callbackPath)),
		l.Place(callbackPath, callbackScript)}
}
