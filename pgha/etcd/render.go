package etcd

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Where things lie on a host.
const (
	configDir = "/etc/etcd"
	certDir   = configDir + "/certs"
	envFile   = configDir + "/etcd.env"
	unit      = "etcd.service"
	unitFile  = "/etc/systemd/system/" + unit
	user      = "etcd"

	caFile = certDir + "/ca.crt"
	// digestVariable carries the digest of the whole configuration into the process's environment, where a later run
	// reads which configuration a member really runs with.
	digestVariable = "PGHA_CONFIGURATION"
)

// The values of ETCD_INITIAL_CLUSTER_STATE.
const (
	stateNew      = "new"
	stateExisting = "existing"
)

// environment renders /etc/etcd/etcd.env of member m. Only etcd's first start, without data, looks at state.
func (o Options) environment(m Member, state, digest string) []byte {
	var b strings.Builder
	b.WriteString("# Written by pgha from the specification of the cluster; changes by hand are overwritten.\n")
	for _, kv := range o.settings(m) {
		fmt.Fprintf(&b, "%s=%q\n", kv[0], kv[1])
	}
	b.WriteString("# new only until the cluster has formed, so that a member that lost its data cannot form another one by itself.\n")
	fmt.Fprintf(&b, "ETCD_INITIAL_CLUSTER_STATE=%q\n", state)
	fmt.Fprintf(&b, "# What this member runs with; a later run compares it with the process's own environment.\n%s=%q\n", digestVariable, digest)
	return []byte(b.String())
}

// settings are the environment variables of member m, in the order of the file.
func (o Options) settings(m Member) [][2]string {
	peers := make([]string, len(o.Members))
	for i, p := range o.Members {
		peers[i] = p.Name + "=" + o.peerURL(p)
	}
	any := func(port int) string { return "https://" + net.JoinHostPort(anyAddress(m.Address), strconv.Itoa(port)) }
	return [][2]string{
		{"ETCD_NAME", m.Name},
		{"ETCD_DATA_DIR", o.DataDir},
		{"ETCD_INITIAL_CLUSTER", strings.Join(peers, ",")},
		{"ETCD_INITIAL_CLUSTER_TOKEN", o.Token},
		{"ETCD_INITIAL_ADVERTISE_PEER_URLS", o.peerURL(m)},
		{"ETCD_LISTEN_PEER_URLS", any(o.PeerPort)},
		{"ETCD_LISTEN_CLIENT_URLS", any(o.ClientPort)},
		{"ETCD_ADVERTISE_CLIENT_URLS", o.clientURL(m)},
		{"ETCD_CLIENT_CERT_AUTH", "true"},
		{"ETCD_TRUSTED_CA_FILE", caFile},
		{"ETCD_CERT_FILE", certDir + "/server.crt"},
		{"ETCD_KEY_FILE", certDir + "/server.key"},
		{"ETCD_CLIENT_CERT_FILE", certDir + "/gateway.crt"},
		{"ETCD_CLIENT_KEY_FILE", certDir + "/gateway.key"},
		{"ETCD_PEER_CLIENT_CERT_AUTH", "true"},
		{"ETCD_PEER_TRUSTED_CA_FILE", caFile},
		{"ETCD_PEER_CERT_FILE", certDir + "/peer.crt"},
		{"ETCD_PEER_KEY_FILE", certDir + "/peer.key"},
		{"ETCD_TLS_MIN_VERSION", "TLS1.2"},
		{"ETCD_HEARTBEAT_INTERVAL", strconv.FormatInt(o.HeartbeatInterval.Milliseconds(), 10)},
		{"ETCD_ELECTION_TIMEOUT", strconv.FormatInt(o.ElectionTimeout.Milliseconds(), 10)},
		{"ETCD_AUTO_COMPACTION_MODE", "periodic"},
		{"ETCD_AUTO_COMPACTION_RETENTION", o.AutoCompaction.String()},
		{"ETCD_LOGGER", "zap"},
		{"ETCD_LOG_LEVEL", "info"},
	}
}

// anyAddress is the address that listens on every interface, in the family of address.
func anyAddress(address string) string {
	if strings.Contains(address, ":") {
		return "::"
	}
	return "0.0.0.0"
}

// wantedOpenFiles is what the unit asks for where the host allows it.
const wantedOpenFiles = 40000

// service renders the unit. openFiles is the host's hard limit: asking for more than it would keep etcd from starting
// where the host cannot raise it, as in a container.
func (o Options) service(openFiles int) []byte {
	limit := wantedOpenFiles
	if openFiles > 0 {
		limit = min(limit, openFiles)
	}
	binary := "/usr/local/bin/etcd"
	if o.Source == SourceDistribution {
		binary = "/usr/bin/etcd"
	}
	return fmt.Appendf(nil, `# Written by pgha from the specification of the cluster; changes by hand are overwritten.
[Unit]
Description=etcd, the consensus store of the PostgreSQL cluster
Documentation=https://etcd.io/docs/
After=network-online.target
Wants=network-online.target
# However often it fails, it is worth another try: the cluster depends on it.
StartLimitIntervalSec=0

[Service]
Type=notify
User=%s
Group=%s
WorkingDirectory=%s
EnvironmentFile=%s
ExecStart=%s
# A first start is only ready once a quorum has met.
TimeoutStartSec=120
Restart=always
RestartSec=2s
LimitNOFILE=%d
# The kernel should sacrifice almost anything before the member that keeps the cluster's memory.
OOMScoreAdjust=-900
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full
ProtectHome=yes

[Install]
WantedBy=multi-user.target
`, user, user, o.DataDir, envFile, binary, limit)
}

// digest names everything that takes a restart to change.
func (o Options) digest(m Member, service []byte, version string) string {
	h := sha256.New()
	fmt.Fprintln(h, version)
	h.Write(service)
	for _, kv := range o.settings(m) {
		// The list of first members is of no meaning once the cluster has formed.
		if kv[0] != "ETCD_INITIAL_CLUSTER" {
			fmt.Fprintln(h, kv[0], kv[1])
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
