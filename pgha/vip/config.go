package vip

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/pgha/toolkit/pgha/layout"
)

//go:embed keepalived.conf.tmpl
var configTemplate string

//go:embed check_haproxy.sh
var checkScript []byte

//go:embed check_pooler.sh
var checkPoolerScript []byte

//go:embed validate.sh
var validateScript string

// Names and places that the configuration and the host agree on.
const (
	// Unit is keepalived's systemd unit, and ConfigPath the file that it reads.
	Unit       = layout.KeepalivedUnit
	ConfigPath = configDir + "/keepalived.conf"
	configDir  = "/etc/keepalived"
	scriptPath = layout.CheckScript
	scriptUser = "keepalived_script"
	poolerPath = layout.PoolerCheckScript
)

// Config renders keepalived.conf for the balancer with index i of o.Balancers, whose Interface must
// be known. The same options give the same bytes. keepalived 2.2 and later accept it. Errors match
// ErrInvalid. Safe for concurrent use, changes nothing.
func Config(o Options, i int) ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("render keepalived.conf: %w", err)
	}
	if i < 0 || i >= len(o.Balancers) {
		return nil, fmt.Errorf("render keepalived.conf: %w: there is no balancer with index %d",
			ErrInvalid, i)
	}
	o = o.withDefaults()
	m := model{Options: o, Self: o.Balancers[i], Advertised: o.advertised(), ScriptUser: scriptUser,
		ScriptPath: scriptPath, PoolerPath: poolerPath}
	if m.Self.Interface == "" {
		return nil,
			fmt.Errorf("render keepalived.conf: %w: balancer %s: the interface is not known",
				ErrInvalid, m.Self.Name)
	}
	for j, b := range o.Balancers {
		if j != i {
			m.Peers = append(m.Peers, b)
		}
	}
	t, err := template.New("keepalived.conf").Option("missingkey=error").Funcs(
		template.FuncMap{"word": word, "seconds": seconds}).Parse(configTemplate)
	if err != nil {
		return nil, fmt.Errorf("render keepalived.conf: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, m); err != nil {
		return nil, fmt.Errorf("render keepalived.conf: %w", err)
	}
	return out.Bytes(), nil
}

// model is what the template sees.
type model struct {
	Options
	Self                   Balancer
	Peers                  []Balancer
	Advertised             netip.Addr
	ScriptUser, ScriptPath string
	PoolerPath             string
}

// word makes s one word of keepalived.conf. keepalived has comments ("!", "#"), blocks, variables
// and quotes but no escape for all of them, so what isn't plain is refused; Validate lets none of
// it through.
func word(s string) (string, error) {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("!#{}$\"'\\~<>@", r)
	}) {
		return "", fmt.Errorf("%q can't stand in keepalived.conf", s)
	}
	return s, nil
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
