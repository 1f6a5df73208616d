package etcd

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed install.sh
var installScript string

// facts are what one look at a member's host tells.
type facts struct {
	version   string // of the installed etcd, "" without one
	openFiles int    // hard limit
	arch      string
	hasData   bool   // etcd has started here before
	digest    string // of the configuration that the running process was started with
	running   bool
}

// look asks one host for its facts in one round trip.
func (o Options) look(ctx context.Context, t *remote.Target) (facts, error) {
	binary := "/usr/local/bin/etcd"
	if o.Source == SourceDistribution {
		binary = "/usr/bin/etcd"
	}
	res, err := t.Batch(ctx,
		[]string{binary, "--version"},
		[]string{"sh", "-c", "ulimit -Hn"},
		[]string{"dpkg", "--print-architecture"},
		[]string{"test", "-d", o.DataDir + "/member"},
		[]string{"sh", "-c", `pid=$(systemctl show -p MainPID --value "$1") && [ "$pid" != 0 ] && tr '\0' '\n' <"/proc/$pid/environ"`, "sh", unit},
	)
	if err != nil {
		return facts{}, err
	}
	f := facts{arch: strings.TrimSpace(string(res[2].Stdout)), hasData: res[3].ExitCode == 0, running: res[4].ExitCode == 0}
	for line := range strings.Lines(string(res[0].Stdout)) {
		if v, ok := strings.CutPrefix(line, "etcd Version: "); ok {
			f.version = strings.TrimSpace(v)
		}
	}
	f.openFiles, _ = strconv.Atoi(strings.TrimSpace(string(res[1].Stdout)))
	for line := range strings.Lines(string(res[4].Stdout)) {
		if v, ok := strings.CutPrefix(line, digestVariable+"="); ok {
			f.digest = strings.TrimSpace(v)
		}
	}
	return f, nil
}

// Install puts programs, user, folders, certificates, configuration and unit in place on all members at the same time,
// and starts nothing. Safe to repeat. It needs the packages of PackageNames.
func Install(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return err
	}
	seen, err := o.lookAll(ctx)
	if err != nil {
		return err
	}
	return o.installAll(ctx, seen)
}

func (o Options) lookAll(ctx context.Context) ([]facts, error) {
	seen := make([]facts, len(o.Members))
	err := o.each(ctx, func(ctx context.Context, i int, m Member) (err error) {
		seen[i], err = o.look(ctx, m.Target)
		return err
	})
	return seen, err
}

func (o Options) installAll(ctx context.Context, seen []facts) error {
	formed := false
	for _, f := range seen {
		formed = formed || f.hasData
	}
	return o.each(ctx, func(ctx context.Context, i int, m Member) error {
		if err := o.program(ctx, m.Target, seen[i]); err != nil {
			return err
		}
		state := stateNew
		if seen[i].hasData && formed {
			state = stateExisting
		}
		return o.configure(ctx, m, seen[i], state)
	})
}

// configure settles everything on one host but the process itself.
func (o Options) configure(ctx context.Context, m Member, f facts, state string) error {
	service := o.service(f.openFiles)
	file := func(path string, content []byte) remote.Resource {
		return remote.File{FileMeta: remote.FileMeta{Path: path, Group: user, Mode: 0o644}, Content: content}
	}
	secret := func(path string, content []byte) remote.Resource {
		return remote.File{FileMeta: remote.FileMeta{Path: path, Group: user, Mode: 0o640}, Content: content, Secret: true}
	}
	_, err := m.Target.Ensure(ctx,
		remote.User{Name: user, Home: o.DataDir},
		remote.Dir{FileMeta: remote.FileMeta{Path: configDir}},
		remote.Dir{FileMeta: remote.FileMeta{Path: certDir, Group: user, Mode: 0o750}},
		remote.Dir{FileMeta: remote.FileMeta{Path: o.DataDir, Owner: user, Group: user, Mode: 0o700}},
		file(caFile, o.CA),
		file(certDir+"/server.crt", m.Server.Cert), secret(certDir+"/server.key", m.Server.Key),
		file(certDir+"/peer.crt", m.Peer.Cert), secret(certDir+"/peer.key", m.Peer.Key),
		file(certDir+"/gateway.crt", m.Gateway.Cert), secret(certDir+"/gateway.key", m.Gateway.Key),
		remote.File{FileMeta: remote.FileMeta{Path: envFile}, Content: o.environment(m, state, o.digest(m, service, o.wantedVersion(f)))},
		remote.File{FileMeta: remote.FileMeta{Path: unitFile}, Content: service},
		remote.Unit{Name: unit, Enabled: remote.Yes},
	)
	return err
}

// wantedVersion is the version the configuration's digest is made for.
func (o Options) wantedVersion(f facts) string {
	if o.Source == SourceDistribution {
		return f.version
	}
	return o.Version
}

// program installs etcd's programs unless the wanted version is there.
func (o Options) program(ctx context.Context, t *remote.Target, f facts) error {
	if o.Source == SourceDistribution || f.version == o.Version {
		return nil
	}
	argv := []string{o.Version, o.SHA256, o.downloadURL(f.arch)}
	if o.Source == SourceArchive {
		argv = argv[:2]
		if err := o.upload(ctx, t); err != nil {
			return err
		}
	}
	_, err := t.Do(ctx, "etcd "+o.Version, "installed", remote.Cmd{Script: installScript, Argv: argv, Timeout: 15 * time.Minute})
	return remote.WithHint(err, "check etcd.version and etcd.sha256, or use etcd.source: archive on hosts that cannot reach the release page")
}

func (o Options) downloadURL(arch string) string {
	if o.URL != "" {
		return o.URL
	}
	return fmt.Sprintf("https://github.com/etcd-io/etcd/releases/download/v%[1]s/etcd-v%[1]s-linux-%[2]s.tar.gz", o.Version, arch)
}

// upload sends the archive; the host's copy is checked against the checksum before anything of it is used.
func (o Options) upload(ctx context.Context, t *remote.Target) error {
	f, err := os.Open(o.Archive)
	if err != nil {
		return fmt.Errorf("open etcd archive: %w", err)
	}
	defer f.Close()
	if _, err := t.Ensure(ctx, remote.Dir{FileMeta: remote.FileMeta{Path: "/var/cache/pgha"}}); err != nil {
		return err
	}
	_, err = t.Put(ctx, f, remote.FileMeta{Path: "/var/cache/pgha/etcd-" + o.Version + ".tar.gz", Mode: 0o600})
	return err
}

// each runs f for every member at the same time and returns all errors in the members' order.
func (o Options) each(ctx context.Context, f func(ctx context.Context, i int, m Member) error) error {
	errs := make([]error, len(o.Members))
	var wg sync.WaitGroup
	for i, m := range o.Members {
		wg.Go(func() { errs[i] = remote.OnHost(m.Target.Name, f(ctx, i, m)) })
	}
	wg.Wait()
	var all *multierror.Error
	for _, err := range errs {
		if err != nil {
			all = multierror.Append(all, err)
		}
	}
	return all.ErrorOrNil()
}
