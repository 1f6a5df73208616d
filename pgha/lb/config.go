package lb

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/layout"
)

//go:embed haproxy.cfg.tmpl
var configTemplate string

// Names and places that the configuration, the host and the runtime socket agree on.
const (
	// Unit is HAProxy's systemd unit, and ConfigPath the file that it reads.
	Unit       = layout.HAProxyUnit
	ConfigPath = "/etc/haproxy/haproxy.cfg"
	certsDir   = "/etc/haproxy/certs"
	caPath     = layout.HAProxyCA
	socketPath = layout.AdminSocket

	standIn = ":primary"
)

// Config renders haproxy.cfg. The same options give the same bytes, for every balancer. It is
// accepted without a warning by HAProxy 2.4 and later. Errors match ErrInvalid. Safe for concurrent
// use, changes nothing.
func Config(o Options) ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("render haproxy.cfg: %w", err)
	}
	t, err := template.New("haproxy.cfg").Option("missingkey=error").Funcs(
		template.FuncMap{"word": word,
			"ms": milliseconds}).Parse(configTemplate)
	if err != nil {
		return nil, fmt.Errorf("render haproxy.cfg: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, newModel(o.withDefaults())); err != nil {
		return nil, fmt.Errorf("render haproxy.cfg: %w", err)
	}
	return out.Bytes(), nil
}

// tryFor is about how long a new session waits for a server that takes it, where servers refuse at
// once: a planned switchover takes less.
const tryFor = 3 * time.Second

// model is what the template sees.
type model struct {
	Options
	Servers               []server
	WriteBinds, ReadBinds []string
	HealthBind            string
	MetricsBind           string
	WriteProxy, ReadProxy string
	Socket, CAFile        string
	ReadCheck             string
	Retries               int
	// Settled is when the first check of every server is over after a start.
	Settled time.Duration
}

// server is one line of a proxy.
type server struct{ Name, Address, CertName, StandIn, Track string }

func newModel(o Options) model {
	m := model{
		Options:    o,
		WriteProxy: WriteProxy, ReadProxy: ReadProxy, Socket: socketPath, CAFile: caPath,
		WriteBinds:  binds(o, o.WritePort, o.FormerWritePort),
		ReadBinds:   binds(o, o.ReadPort, o.FormerReadPort),
		HealthBind:  hostport.Join("127.0.0.1", o.HealthPort),
		MetricsBind: bind(o, o.MetricsPort),
		ReadCheck:   "/replica",
		Retries:     max(2, int(tryFor/o.ConnectTimeout)),
		Settled:     o.Checks.Interval + time.Second,
	}
	if o.ReadMaxLag > 0 {
		m.ReadCheck += "?lag=" + strconv.FormatInt(o.ReadMaxLag, 10)
	}
	for _, b := range o.Backends {
		b.CertName = cmp.Or(b.CertName, b.Name)
		m.Servers = append(m.Servers, server{
			Name: b.Name, CertName: b.CertName, StandIn: b.Name + standIn,
			Track:   WriteProxy + "/" + b.Name,
			Address: hostport.Join(b.Address, o.PostgresPort),
		})
	}
	return m
}

// binds listens on a port, and on that of before if there is one.
func binds(o Options, port, former int) []string {
	all := []string{bind(o, port)}
	if former != 0 {
		all = append(all, bind(o, former))
	}
	return all
}

// bind listens on every address of the families in use: IPv6 only where the cluster has it, because
// binding to it fails on a host that has it turned off.
func bind(o Options, port int) string {
	six := func(b Backend) bool {
		a, err := netip.ParseAddr(b.Address)
		return err == nil && a.Is6()
	}
	if slices.ContainsFunc(o.Backends, six) {
		return fmt.Sprintf("[::]:%d v4v6", port)
	}
	return fmt.Sprintf("*:%d", port)
}

// word makes s one word of haproxy.cfg.
func word(s string) (string, error) {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return "", fmt.Errorf("%q: a control character can't stand in haproxy.cfg", s)
		}
		if strings.ContainsRune(` \#"'$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return `""`, nil
	}
	return b.String(), nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }
