package etcd

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/layout"
)

// Where things lie on a host.
const (
	configDir = "/etc/etcd"
	certDir   = layout.EtcdCerts
	envFile   = configDir + "/etcd.env"
	// CAFile holds the authorities that etcd trusts; a host that has it belongs to a cluster.
	CAFile = layout.EtcdCA

	user = "etcd"
)

// Variables that are not etcd's own.
const (
	// digestVariable carries the digest of the whole configuration into the process's environment,
	// where a later run reads which configuration a member really runs with.
	digestVariable = "PGHA_CONFIGURATION"
	// emptyVariable says whether the unit may start etcd without data.
	emptyVariable = "PGHA_MAY_START_EMPTY"
)

// entry is how a member comes into the cluster should its host hold no data. With data etcd looks
// at none of it.
type entry struct {
	state, mayStartEmpty string
	// among are the names of the cluster's members at this moment; nil for all of the options'. A
	// joining etcd refuses to start if it is given more or fewer than there are ("member count is
	// unequal", etcd 3.6.10).
	among []string
}

var (
	// forms the cluster, together with the others
	founding = entry{state: "new", mayStartEmpty: "yes"}
	// has taken part: must not start without data
	formed = entry{state: "existing", mayStartEmpty: "no"}
)

// joining is the entry of a member that was added to a cluster that lives.
func joining(among []string) entry {
	return entry{state: "existing", mayStartEmpty: "yes", among: among}
}

const header = "# Written by pgha from the specification of the cluster; changes by hand are " +
	"overwritten.\n"

// environment renders /etc/etcd/etcd.env of member m.
func (o Options) environment(m Member, e entry) []byte {
	var b strings.Builder
	b.WriteString(header)
	write := func(name, value string) { fmt.Fprintf(&b, "%s=%s\n", name, quote(value)) }
	for _, s := range o.settings(m, e.among) {
		write(s.name, s.value)
	}
	b.WriteString(
		"\n# Of meaning only where there is no data: \"new\" until the cluster has formed, and " +
			"from then on \"existing\".\n")
	write("ETCD_INITIAL_CLUSTER_STATE", e.state)
	b.WriteString("# Whether the unit starts etcd without data; see there.\n")
	write(emptyVariable, e.mayStartEmpty)
	b.WriteString("# Names the configuration; the next run of pgha compares it with the " +
		"process's own environment.\n")
	write(digestVariable, o.digest(m))
	return []byte(b.String())
}

type setting struct{ name, value string }

// settings are etcd's environment variables of member m, in the order of the file; among is as in
// entry.
func (o Options) settings(m Member, among []string) []setting {
	var peers []string
	for _, p := range o.Members {
		if among == nil || slices.Contains(among, p.Name) {
			peers = append(peers, p.Name+"="+o.peerURL(p))
		}
	}
	all := anyAddress(m.Address)
	list := []setting{
		{"ETCD_NAME", m.Name},
		{"ETCD_DATA_DIR", o.DataDir},
		{"ETCD_INITIAL_CLUSTER", strings.Join(peers, ",")},
		{"ETCD_INITIAL_CLUSTER_TOKEN", o.Token},
		{"ETCD_INITIAL_ADVERTISE_PEER_URLS", o.peerURL(m)},
		{"ETCD_LISTEN_PEER_URLS", "https://" + hostport.Join(all, o.PeerPort)},
		{"ETCD_LISTEN_CLIENT_URLS", "https://" + hostport.Join(all, o.ClientPort)},
		{"ETCD_ADVERTISE_CLIENT_URLS", o.clientURL(m)},
		{"ETCD_CLIENT_CERT_AUTH", "true"},
		{"ETCD_TRUSTED_CA_FILE", CAFile},
		{"ETCD_CERT_FILE", layout.CertificateOf(layout.EtcdServer).File},
		{"ETCD_KEY_FILE", layout.CertificateOf(layout.EtcdServer).Key},
		{"ETCD_PEER_CLIENT_CERT_AUTH", "true"},
		{"ETCD_PEER_TRUSTED_CA_FILE", CAFile},
		{"ETCD_PEER_CERT_FILE", layout.CertificateOf(layout.EtcdPeer).File},
		{"ETCD_PEER_KEY_FILE", layout.CertificateOf(layout.EtcdPeer).Key},
		{"ETCD_TLS_MIN_VERSION", "TLS1.2"},
		{"ETCD_HEARTBEAT_INTERVAL", strconv.FormatInt(o.HeartbeatInterval.Milliseconds(), 10)},
		{"ETCD_ELECTION_TIMEOUT", strconv.FormatInt(o.ElectionTimeout.Milliseconds(), 10)},
		{"ETCD_AUTO_COMPACTION_MODE", "periodic"},
		{"ETCD_AUTO_COMPACTION_RETENTION", o.AutoCompaction.String()},
		{"ETCD_LOGGER", "zap"},
		{"ETCD_LOG_LEVEL", "info"},
	}
	if !m.Gateway.IsZero() {
		gateway := layout.CertificateOf(layout.EtcdGateway)
		list = append(list, setting{"ETCD_CLIENT_CERT_FILE", gateway.File},
			setting{"ETCD_CLIENT_KEY_FILE", gateway.Key})
	}
	if o.Revoked != nil {
		list = append(list, setting{"ETCD_CLIENT_CRL_FILE", layout.EtcdRevoked},
			setting{"ETCD_PEER_CRL_FILE", layout.EtcdRevoked})
	}
	if o.MetricsPort > 0 {
		list = append(list, setting{"ETCD_LISTEN_METRICS_URLS",
			"http://" + hostport.Join(m.Address, o.MetricsPort)})
	}
	if o.QuotaBytes > 0 {
		list = append(list, setting{"ETCD_QUOTA_BACKEND_BYTES",
			strconv.FormatInt(o.QuotaBytes, 10)})
	}
	return list
}

// digest names everything that etcd reads at its start only: program, unit, settings and CA.
// Certificates are not in it, because etcd reads them again for every connection; nor is what has
// no meaning once there is data.
func (o Options) digest(m Member) string {
	h := sha256.New()
	version := o.Version
	if o.Source == SourceDistribution {
		version = "" // apt restarts the unit by itself when it changes the program
	}
	fmt.Fprintf(h, "%s\n%s\n%s\n", version, o.service(), o.CA)
	for _, s := range o.settings(m, nil) {
		if !strings.HasPrefix(s.name, "ETCD_INITIAL_") {
			fmt.Fprintln(h, s.name, s.value)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// quote makes value one double-quoted word of a systemd environment file. Values hold no control
// characters: Validate sees to it.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`,
		`\$`).Replace(value) + `"`
}

// anyAddress is the address that listens on every interface, in the family of address.
func anyAddress(address string) string {
	if strings.Contains(address, ":") {
		return "::"
	}
	return "0.0.0.0"
}
