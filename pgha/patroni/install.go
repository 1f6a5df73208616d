package patroni

import (
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pgha/toolkit/internal/parallel"

	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed validate_config.py
var validateScript string

// Install puts configuration and certificates on every member's host, all hosts at once, and keeps the package's
// own units out of Patroni's way. It starts nothing. The packages (PackageNames) must be installed.
//
// What it writes: ConfigPath (checked by patroni --validate-config before it replaces the old one), beside it the passwords
// that replicas log in with and the verifiers that the roles of a new cluster get, CertsDir, the command
// /usr/local/lib/pgha/move-etcd-leader that Patroni calls back, the unit pgha-watch.service that wakes Patroni when
// PostgreSQL dies, drop-ins for Patroni's unit and the package's, and the folder of the data directory if it is missing. A
// running Patroni is not told; Bootstrap does that. Safe to repeat. The error gathers every host that failed, in the order
// of the members.
func Install(ctx context.Context, o Options) error {
	o = o.withDefaults()
	wishes, err := o.wishes(func(Member) []remote.Resource { return nil })
	if err != nil {
		return err
	}
	return parallel.Each(o.Members, func(i int, m Member) error { return ensure(ctx, m, wishes[i]) })
}

// wishes are all that the members' hosts shall have: the files of this package, and what more adds.
func (o Options) wishes(more func(Member) []remote.Resource) ([][]remote.Resource, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	wishes := make([][]remote.Resource, len(o.Members))
	for i, m := range o.Members {
		if m.Target == nil {
			return nil, fmt.Errorf("%w: member %s has no target", ErrInvalid, m.Name)
		}
		resources, err := o.resources(m)
		if err != nil {
			return nil, err
		}
		wishes[i] = append(resources, more(m)...)
	}
	return wishes, nil
}

func ensure(ctx context.Context, m Member, wishes []remote.Resource) error {
	_, err := m.Target.Ensure(ctx, wishes...)
	return remote.OnHost(m.Target.Name, err)
}

// eachMember runs f for all members at once and gathers their errors in the members' order.
func (o Options) eachMember(f func(Member) error) error {
	return parallel.Each(o.Members, func(_ int, m Member) error { return remote.OnHost(m.Target.Name, f(m)) })
}

// resources are everything that lies on the member's host.
func (o Options) resources(m Member) ([]remote.Resource, error) {
	config, err := Config(o, m)
	if err != nil {
		return nil, err
	}
	list := []remote.Resource{
		remote.Dir{FileMeta: owned(configDir, 0o750)},
		remote.Dir{FileMeta: owned(CertsDir, 0o700)},
		remote.Dir{FileMeta: owned(o.DataDir, 0o700)},
	}
	list = append(list, o.certificates(m))
	list = append(list, callbackResources()...)
	list = append(list, o.passwordResources(m)...)
	watch, err := o.watchResources(m)
	if err != nil {
		return nil, err
	}
	list = append(list, watch...)
	list = append(list,
		remote.File{FileMeta: owned(ConfigPath, 0o600), Content: config, Secret: true, Validate: validateConfig},
		remote.Dir{FileMeta: remote.FileMeta{Path: dropInDir}},
		remote.File{FileMeta: remote.FileMeta{Path: dropInDir + "/pgha.conf"}, Content: dropIn(o, m)},
	)
	for _, unit := range []string{"postgresql.service", "postgresql@.service"} {
		dir := "/etc/systemd/system/" + unit + ".d"
		list = append(list,
			remote.Dir{FileMeta: remote.FileMeta{Path: dir}},
			remote.File{FileMeta: remote.FileMeta{Path: dir + "/pgha.conf"}, Content: []byte(standAside)})
	}
	return list, nil
}

// standAside keeps the package's own clusters from being started beside Patroni's, at boot or by hand.
const standAside = `# Written by pgha: on this host PostgreSQL is started by Patroni alone.
[Unit]
ConditionPathExists=!` + ConfigPath + "\n"

// certificates are in the order Patroni's sections have.
func (o Options) certificates(m Member) remote.Together {
	var files remote.Together
	add := func(path string, content []byte, secret bool) {
		mode := fs.FileMode(0o644)
		if secret {
			mode = 0o600
		}
		files = append(files, remote.File{FileMeta: owned(path, mode), Content: content, Secret: secret})
	}
	add(etcdCA, o.EtcdCA, false)
	add(etcdCert, m.EtcdClient.Cert, false)
	add(etcdKey, m.EtcdClient.Key, true)
	add(restCA, o.RESTCA, false)
	add(restCert, m.REST.Cert, false)
	add(restKey, m.REST.Key, true)
	add(restClientCert, m.RESTClient.Cert, false)
	add(restClientKey, m.RESTClient.Key, true)
	add(postgresCA, o.PostgresCA, false)
	add(postgresCert, m.Postgres.Cert, false)
	add(postgresKey, m.Postgres.Key, true)
	return files
}

// reloadOn are the files Patroni reads again when it is told to reload.
func (o Options) reloadOn(m Member) []string {
	paths := []string{ConfigPath}
	for _, f := range o.certificates(m) {
		paths = append(paths, f.Path)
	}
	return paths
}

func owned(path string, mode fs.FileMode) remote.FileMeta {
	return remote.FileMeta{Path: path, Mode: mode, Owner: systemUser, Group: systemUser}
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
# The kernel shall rather kill a backend than Patroni or the postmaster; the postmaster puts its children back to 0.
OOMScoreAdjust=-900
Environment=PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj
# Replicas and pg_rewind log in with what stands there.
Environment=PGPASSFILE=` + passPath + `
`
	if m.HasWatchdog && o.Watchdog != WatchdogOff {
		text += "# Patroni runs as postgres and must be able to open the watchdog.\nExecStartPre=-+/bin/chown postgres /dev/watchdog\n"
	}
	return []byte(text)
}
