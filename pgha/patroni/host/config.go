package host

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
)

const configHeader = `# Patroni's configuration of this member, written by pgha from the cluster's specification.
# Do not edit it here: the next apply puts it back. Settings of the whole cluster live in the DCS
# (patronictl edit-config); bootstrap.dcs is only read once, when the cluster is made.
`

// Config returns the bytes of the member's config.yml (ConfigPath). It holds no passwords, but it
// may in Extra, so the file is 0600 and belongs to postgres. The same options give the same bytes.
// Nothing is read or changed on any host.
//
// Only the first member gets a bootstrap section. Patroni lets nobody without one initialize a
// cluster, so all members can be started at once and the race for the first leader has one runner.
func Config(o Options, m Member) ([]byte, error) {
	doc, err := document(o, m)
	if err != nil {
		return nil, fmt.Errorf("render config.yml of %s: %w", m.Name, err)
	}
	content, err := text(configHeader, doc)
	if err != nil {
		return nil, fmt.Errorf("render config.yml of %s: %w", m.Name, err)
	}
	return content, nil
}

// text is a document for PyYAML, behind a header.
func text(header string, doc *yaml.Node) ([]byte, error) {
	quoteForPython(doc)
	buf := bytes.NewBufferString(header)
	enc := yaml.NewEncoder(buf)
	enc.SetIndent(2)
	err := enc.Encode(doc)
	return buf.Bytes(), err
}

// document is the member's config.yml before it becomes text.
func document(o Options, m Member) (*yaml.Node, error) {
	o, m = o.WithDefaults(), m.withDefaults()
	model := o.model(m)
	if model.Bootstrap != nil {
		command, err := shell.Join(append(o.psql(), "-f", rolesPath))
		if err != nil {
			return nil, err
		}
		model.Bootstrap.PostBootstrap = command
	}
	callback, err := o.callback()
	if err != nil {
		return nil, fmt.Errorf("callbacks: %w", err)
	}
	if callback != "" {
		model.PostgreSQL.Callbacks = &callbackSection{OnStart: callback, OnRoleChange: callback}
	}
	doc := &yaml.Node{}
	if err := doc.Encode(model); err != nil {
		return nil, err
	}
	if len(o.Extra) > 0 {
		var extra yaml.Node
		if err := extra.Encode(o.Extra); err != nil {
			return nil, fmt.Errorf("extra: %w", err)
		}
		merge(doc, &extra)
	}
	return doc, nil
}

// merge puts the mapping over onto the mapping base: mappings are merged, anything else is
// replaced.
func merge(base, over *yaml.Node) {
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, value := over.Content[i], over.Content[i+1]
		old := lookup(base, key.Value)
		switch {
		case old == nil:
			base.Content = append(base.Content, key, value)
		case old.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			merge(old, value)
		default:
			*old = *value
		}
	}
}

// oddPlain are texts that PyYAML, which Patroni reads the file with, may take for a number, a time
// or a value of its own where Go's encoder sees plain text: "=", "0x_", "2026-01-01 1:00:00 +1".
var oddPlain = regexp.MustCompile(`^[-+=.0-9][0-9a-fA-FxobTtZ_:+. \t-]*$`)

// quoteForPython puts quotes around such texts. Addresses are none.
func quoteForPython(n *yaml.Node) {
	for _, child := range n.Content {
		quoteForPython(child)
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Style != 0 ||
		!oddPlain.MatchString(n.Value) {
		return
	}
	if _, err := netip.ParseAddrPort(n.Value); err != nil {
		n.Style = yaml.DoubleQuotedStyle
	}
}

func lookup(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// model fills the file's sections in. The receiver and m have their defaults.
func (o Options) model(m Member) file {
	rest, server := layout.CertificateOf(layout.RESTServer), layout.CertificateOf(layout.Postgres)
	f := file{
		Scope: o.Scope, Namespace: o.Namespace, Name: m.Name,
		Log:   logSection{Level: "INFO"},
		Etcd3: o.etcdSection(),
		RESTAPI: restSection{
			Listen:         listen(m.Address, o.RESTPort),
			ConnectAddress: hostport.Join(m.Address, o.RESTPort),
			CertFile:       rest.File, KeyFile: rest.Key, CAFile: rest.CA, VerifyClient: "optional",
			ServerTokens: "ProductOnly",
		},
		Ctl:      ctl(),
		Watchdog: watchdogSection{Mode: WatchdogOff},
		Tags:     m.tags(),
		PostgreSQL: postgresSection{
			Listen:         listen(m.Address, o.ListenPort),
			ConnectAddress: hostport.Join(m.Address, o.ListenPort),
			DataDir:        o.DataDir, BinDir: o.BinDir, PgPass: PasswordFile, UseUnixSocket: true,
			Authentication: authentication{
				Superuser: loginOf(o.Superuser), Replication: loginOf(o.Replication),
				Rewind: loginOf(o.Rewind),
			},
			BaseBackup: []map[string]string{{"checkpoint": "fast"}},
			Parameters: map[string]any{
				"ssl": "on", "ssl_cert_file": server.File, "ssl_key_file": server.Key,
				"unix_socket_directories": socketDir,
			},
			PgHBA: o.hba(), PgIdent: o.ident(),
		},
	}
	if m.HasWatchdog && o.Watchdog != WatchdogOff {
		f.Watchdog = watchdogSection{Mode: o.Watchdog, Device: "/dev/watchdog", SafetyMargin: 5}
	}
	if o.isFirst(m) {
		f.Bootstrap = &bootstrapSection{DCS: o.bootstrapDCS(), InitDB: o.initdb()}
	}
	return f
}

// etcdSection is how Patroni and patronictl reach etcd.
func (o Options) etcdSection() etcdSection {
	c := layout.CertificateOf(layout.EtcdClient)
	return etcdSection{Hosts: o.EtcdEndpoints, Protocol: "https", CACert: c.CA, Cert: c.File,
		Key: c.Key}
}

// ctl is what Patroni and patronictl show to the REST API of members.
func ctl() ctlSection {
	c := layout.CertificateOf(layout.RESTClient)
	return ctlSection{CACert: c.CA, CertFile: c.File, KeyFile: c.Key}
}

// bootstrapDCS is the dynamic configuration a new cluster begins with, and the record of what the
// last run wrote into the DCS (written). Patroni 4.0 runs synchronous_mode quorum but its validator
// takes it for a mistake, so that one is left to patroni.SyncConfig, before there is any data.
func (o Options) bootstrapDCS() map[string]any {
	d := Dynamic(o)
	if o.SynchronousMode == SynchronousQuorum {
		delete(d, "synchronous_mode")
	}
	maps.DeleteFunc(dynamic.Parameters(d), func(_ string, value any) bool { return value == nil })
	return d
}

func (o Options) initdb() []any {
	opts := []any{map[string]string{"encoding": o.Encoding}, map[string]string{"locale": o.Locale}}
	if !o.NoChecksums {
		return append(opts, "data-checksums")
	}
	if o.PostgreSQLVersion >= 18 {
		return append(opts, "no-data-checksums")
	}
	return opts
}

// tags are those of the options and what each member has without them. A replica is copied from
// before the leader is, unless it streams from nobody and may be far behind.
func (m Member) tags() map[string]any {
	tags := map[string]any{"nofailover": false, "noloadbalance": false, "nosync": false,
		"clonefrom": health.PromiseOf(m.Tags).Streams}
	// Patroni takes only one of each of these pairs.
	for priority, flag := range map[string]string{"failover_priority": "nofailover",
		"sync_priority": "nosync"} {
		if _, ok := m.Tags[priority]; ok {
			delete(tags, flag)
		}
	}
	for name, value := range m.Tags {
		tags[name] = value
	}
	return tags
}

// loginOf makes a role connect to other members only over TLS, and only to the server its
// certificate names.
func loginOf(c Credentials) login {
	return login{Username: c.Username, SSLMode: "verify-full", SSLRootCert: PostgresCAFile}
}

// listen is every interface, of IPv6 too only where the cluster uses it.
func listen(address string, port int) string {
	if isIPv6(address) {
		return "*:" + strconv.Itoa(port)
	}
	return "0.0.0.0:" + strconv.Itoa(port)
}
