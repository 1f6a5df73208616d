package host

import (
	_ "embed"
	"path"
	"strings"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed validate_config.py
var validateScript string

// Resources are everything that lies on the member's host, in the order in which it is put there.
// The options must be valid.
func Resources(o Options, m Member) ([]remote.Resource, error) {
	o = o.WithDefaults()
	config, err := Config(o, m)
	if err != nil {
		return nil, err
	}
	l := Layout(o)
	list := []remote.Resource{l.Folder(configDir), l.Folder(CertsDir),
		ServerLayout(o).Folder(o.DataDir)}
	list = append(list, Certificates(o, m))
	list = append(list, o.callbackResources()...)
	list = append(list, PasswordFiles(o, m)...)
	watch, err := o.watchResources(m)
	if err != nil {
		return nil, err
	}
	list = append(list, watch...)
	failover, err := o.failoverResources(m)
	if err != nil {
		return nil, err
	}
	list = append(list, failover...)
	list = append(list, ConfigFile(o, config), l.Folder(dropInDir),
		l.Place(dropInPath, dropIn(o, m)))
	ctl, err := o.ctlResources()
	if err != nil {
		return nil, err
	}
	list = append(list, ctl...)
	for _, unit := range serverUnits() {
		where := standAsidePath(unit)
		list = append(list, l.Folder(path.Dir(where)), l.Place(where, []byte(standAside)))
	}
	return list, nil
}

// ConfigFile is config.yml with this content, which Patroni itself judges before it replaces the
// old one. A difference is shown where neither text can hold a secret.
func ConfigFile(o Options, content []byte) remote.File {
	f := Layout(o).Place(ConfigPath, content)
	f.Validate = validateConfig
	if f.Secret = len(o.Extra) > 0 || !public(content); !f.Secret {
		f.Public = public
	}
	return f
}

// standAside keeps the package's own clusters from being started beside Patroni's, at boot or by
// hand.
const standAside = `# Written by pgha: on this host PostgreSQL is started by Patroni alone.
[Unit]
ConditionPathExists=!` + ConfigPath + "\n"

// Certificates are the member's certificates and keys, and the authorities it trusts, in the order
// of Patroni's sections.
func Certificates(o Options, m Member) remote.Together {
	l := Layout(o)
	list := remote.Together{}
	for _, c := range []struct {
		name string
		ca   []byte
		pair pki.KeyPair
	}{
		{layout.EtcdClient, o.EtcdCA, m.EtcdClient}, {layout.RESTServer, o.RESTCA, m.REST},
		{layout.RESTClient, nil, m.RESTClient}, {layout.Postgres, o.PostgresCA, m.Postgres},
	} {
		at := layout.CertificateOf(c.name)
		if c.ca != nil { // RESTServer and RESTClient share one file
			list = append(list, l.Place(at.CA, c.ca))
		}
		list = append(list, l.Place(at.File, c.pair.Cert), l.Place(at.Key, c.pair.Key.Reveal()))
	}
	return list
}

// Units are Patroni, which is reloaded when a file changes that it reads, its watcher, and the
// agent of a fast failover if there is one: all run, now and after a boot.
func Units(o Options, m Member) []remote.Resource {
	return append([]remote.Resource{
		remote.Unit{Name: Unit, Enabled: remote.Yes, Running: remote.Yes, ReloadOn: reloadOn(o, m)},
		watchRunning(),
	}, o.failoverRunning()...)
}

// reloadOn are the files Patroni reads again when it reloads.
func reloadOn(o Options, m Member) []string {
	paths := []string{ConfigPath}
	for _, f := range Certificates(o, m) {
		paths = append(paths, f.Path)
	}
	return paths
}

// validateConfig lets Patroni itself judge the file, as the user it runs as.
func validateConfig(path string) remote.Cmd {
	return remote.Cmd{
		Argv:  []string{"/usr/bin/python3", "-I", "-", path},
		Stdin: strings.NewReader(validateScript),
		User:  systemUser,
	}
}

// dropIn changes the unit that the package brings where it does not suit a database.
func dropIn(o Options, m Member) []byte {
	text := `# Written by pgha.
[Unit]
# After five quick failures systemd would give up for good; a member must come back whenever etcd does.
StartLimitIntervalSec=0

[Service]
# The package allows 30 seconds for everything. A shutdown checkpoint may take minutes, and so may the wait for etcd at boot.
TimeoutSec=300
Restart=always
# To the balancers a member without Patroni is down, so every moment counts.
RestartSec=500ms
# pg_basebackup that Patroni ends, or leaves behind, streams on from a child process (4.1.5 with 15.18 and 18.6): a
# slot stays on the source, and its segments arrive in the pg_wal of the next copy, or of the server that runs there.
ExecStopPost=-/bin/sh -c 'for p in $$(pgrep -x pg_basebackup); do grep -q "/patroni.service$$" /proc/$$p/cgroup && kill -KILL $$p; done'
# The kernel shall rather kill a backend than Patroni or the postmaster; the postmaster puts its children back to 0.
OOMScoreAdjust=-900
Environment=PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj
# Replicas and pg_rewind log in with what stands there.
Environment=PGPASSFILE=` + PasswordFile + `
`
	if m.HasWatchdog && o.Watchdog != WatchdogOff {
		text += "# Patroni runs as postgres and must be able to open the watchdog.\n" +
			"ExecStartPre=-+/bin/chown postgres /dev/watchdog\n"
	}
	return []byte(text)
}
