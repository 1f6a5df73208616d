package vip_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/vip"
)

// What keepalived 2.3.4 logged, on Debian testing, when it was reloaded with files changed by hand.
const (
	goodReload = `Reloading keepalived.service - Keepalive Daemon (LVS and VRRP)...
Reloading ...
Configuration file /etc/keepalived/keepalived.conf
Reloading
VRRP_Script(check_haproxy) considered successful on reload
Reload complete
Reloaded keepalived.service - Keepalive Daemon (LVS and VRRP).
`
	missingInterface = `Reloading keepalived.service - Keepalive Daemon (LVS and VRRP)...
Reloading ...
Configuration file /etc/keepalived/keepalived.conf
Reloading
(/etc/keepalived/keepalived.conf: Line 28) WARNING - interface nosuch0 for vrrp_instance VI_1 doesn't exist
Non-existent interface specified in configuration
Reloaded keepalived.service - Keepalive Daemon (LVS and VRRP).
Stopped
pid 384 exited with permanent error CONFIG. Terminating
Stopped Keepalived v2.3.4 (06/10,2025)
keepalived.service: Main process exited, code=exited, status=2/INVALIDARGUMENT
`
	unknownWord = `Reloading keepalived.service - Keepalive Daemon (LVS and VRRP)...
Reloading ...
Configuration file /etc/keepalived/keepalived.conf
Reloading
(/etc/keepalived/keepalived.conf: Line 31) Unknown keyword 'advert_intt'
VRRP_Script(check_haproxy) considered successful on reload
Reload complete
Reloaded keepalived.service - Keepalive Daemon (LVS and VRRP).
`
	openBrace = `Reloading keepalived.service - Keepalive Daemon (LVS and VRRP)...
Reloading ...
Reloaded keepalived.service - Keepalive Daemon (LVS and VRRP).
Configuration file /etc/keepalived/keepalived.conf
There are 1 missing '}'s or extra '{'s
Reloading
There are 1 missing '}'s or extra '{'s
Reload complete
VRRP_Script(check_haproxy) succeeded
`
	notExecutable = `Reloading keepalived.service - Keepalive Daemon (LVS and VRRP)...
Reloading ...
Configuration file /etc/keepalived/keepalived.conf
Reloading
WARNING - script '/etc/keepalived/check_haproxy.sh' is not executable for uid:gid 999:995 - disabling.
Reload complete
Reloaded keepalived.service - Keepalive Daemon (LVS and VRRP).
`
	beingRead = `Reloading keepalived.service - Keepalive Daemon (LVS and VRRP)...
Reloading ...
Reloaded keepalived.service - Keepalive Daemon (LVS and VRRP).
`
)

func TestParseReload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		journal     string
		done, ended bool
		complaints  []string
	}{
		"good": {goodReload, true, false, nil},
		"never": {"Startup complete\n(VI_1) Entering BACKUP STATE\n", false,
			false, nil},
		"of a journal that is lost":  {"", false, false, nil},
		"not at its end":             {beingRead, false, false, nil},
		"the last one counts":        {unknownWord + goodReload, true, false, nil},
		"the last one is being read": {goodReload + beingRead, false, false, nil},
		"an address moves behind it": {goodReload + "(VI_1) Entering MASTER STATE\n", true,
			false, nil},
		"ended over an interface": {
			missingInterface, false, true,
			[]string{
				"(/etc/keepalived/keepalived.conf: Line 28) WARNING - interface nosuch0 for " +
					"vrrp_instance VI_1 doesn't exist",
				"Non-existent interface specified in configuration",
			},
		},
		"a word that it does not know": {
			unknownWord, true, false,
			[]string{"(/etc/keepalived/keepalived.conf: Line 31) Unknown keyword 'advert_intt'"},
		},
		"said twice": {openBrace, true, false, []string{"There are 1 missing '}'s or extra '{'s"}},
		"a script that it cannot run": {
			notExecutable, true, false,
			[]string{
				"WARNING - script '/etc/keepalived/check_haproxy.sh' is not executable for " +
					"uid:gid 999:995 - disabling.",
			},
		},
	} {
		r := vip.ParseReload(c.journal)
		if r.Done != c.done || r.Ended != c.ended || !slices.Equal(r.Complaints, c.complaints) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestConfigureAsksForTheReload stops at the first balancer whose keepalived refuses its file.
func TestConfigureAsksForTheReload(t *testing.T) {
	t.Parallel()
	for journal, want := range map[string]string{
		missingInterface: "lb1: keepalived ended when it read its new configuration: " +
			"(/etc/keepalived/keepalived.conf: Line 28) WARNING",
		unknownWord: "lb1: keepalived does not take all of its new configuration: " +
			"(/etc/keepalived/keepalived.conf: Line 31) Unknown",
		notExecutable: "is not executable",
	} {
		f := newFarm()
		f.holder = "lb3"
		configure(t, f)
		for _, h := range f.hosts {
			h.Changes()
		}
		f.journal, f.RouterID = journal, 77
		err := vip.Configure(t.Context(), f.Options)
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(remote.Hint(err), "journalctl -u keepalived") {
			t.Errorf("%v\nwant %s", err, want)
		}
		if mutations, _ := f.hosts[1].Changes(); len(mutations) > 0 {
			t.Errorf("the balancer behind it was changed: %q", mutations)
		}
	}
}
