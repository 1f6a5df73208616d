package backup

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed scratch.py
var scratchProgram []byte

//go:embed gap.py
var gapProgram []byte

//go:embed canary.sql
var canarySQL []byte

// dropIn makes systemd bring a crashed server back at once and for ever, and not take three seconds
// for its start, as Debian's unit does.
const dropIn = `# Written by pgha.
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=always
RestartSec=1s
ExecStartPost=
`

// Configure installs pgBackRest on the repository's host and on those of the databases, and makes
// its server run there with the configuration that Config renders. It makes no stanza: see
// Register.
//
// Where Storage is mounted and nothing is, nothing is written; where it is a server, a
// configuration, and a key of SFTP, by which that cannot be read does not replace the one in force.
// Either error matches ErrUnreachable.
//
// On the hosts it writes /etc/pgbackrest, a drop-in of pgbackrest.service, and below
// /usr/local/lib/pgha what its units run. The repository's host gets its directory, and a timer for
// each type of backup that has a calendar event, and one that looks for gaps after a failover; a
// database's one that writes a row each minute, and that of ProofHost one that proves backups.
// pgBackRest's server reads its certificates again without a restart; what it is doing continues.
//
// A host that is left out stays as it is. Safe to repeat: where nothing differs nothing is changed.
// Errors match ErrInvalid or name the host.
func Configure(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("configure pgBackRest: %w", err)
	}
	o = o.WithDefaults()
	hosts := o.hosts()
	targets := make([]*remote.Target, len(hosts))
	resources := map[string][]remote.Resource{}
	for i, h := range hosts {
		targets[i] = h.Target
		var err error
		if resources[name(h)], err = o.resources(h); err != nil {
			return fmt.Errorf("configure pgBackRest: %w", err)
		}
	}
	if err := refuseNoMount(ctx, o); err != nil {
		return fmt.Errorf("configure pgBackRest: %w", err)
	}
	err := remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		// The package is installed with its unit masked: what is wanted of that comes afterwards.
		if _, err := t.Ensure(ctx, Layout(o, Host{Target: t}).Packages); err != nil {
			return err
		}
		_, err := t.Ensure(ctx, resources[t.Name]...)
		return o.unreachable(err)
	})
	if err != nil {
		return fmt.Errorf("configure pgBackRest: %w", err)
	}
	return nil
}

// resources is everything that a host needs, in order.
func (o Options) resources(h Host) ([]remote.Resource, error) {
	config, err := Config(o, h)
	if err != nil {
		return nil, err
	}
	l, at := Layout(o, h), layout.CertificateOf(layout.Backup)
	list := []remote.Resource{
		l.Folder(configDir), l.Folder(certsDir),
		l.Place(at.CA, o.CA), l.Place(at.File, h.Certificate.Cert),
		l.Place(at.Key, h.Certificate.Key.Reveal()),
	}
	if o.isRepository(h) {
		list = append(list, o.storageResources(l)...)
	}
	main := l.Place(ConfigPath, config)
	if o.isRepository(h) && !o.Storage.isFolder() {
		main.Validate = o.look
	}
	list = append(list, main,
		l.Folder(dropInDir), l.Place(Mark, []byte(dropIn)),
		l.Folder(programs))
	if o.isRepository(h) {
		if o.Storage.isFolder() {
			list = append(list, l.Folder(o.Path))
		}
		list = append(list, l.Place(takeUnitPath, []byte(o.takeUnit())))
		for _, t := range Types() {
			list = append(list, o.timer(l, takeTimer(t), o.event(t), "pgha-backup@"+string(t))...)
		}
		list = append(list, l.Place(gapPath, gapProgram),
			l.Place(servicePath(gapUnit), []byte(o.gapService())))
		list = append(list, o.timer(l, gapUnit, "*-*-* *:0/5:30", gapUnit)...)
	}
	if o.isDatabase(h) {
		list = append(list, l.Place(o.settingsPath(), o.scratchSettings()),
			l.Place(scratchPath, scratchProgram), l.Place(replicaPath, replicaProgram),
			l.Folder(proofDir),
			l.Place(canarySQLPath, canarySQL),
			l.Place(servicePath(canaryUnit), []byte(o.canaryService())))
		list = append(list, o.timer(l, canaryUnit, "*-*-* *:*:00", canaryUnit)...)
	}
	if name(h) == o.ProofHost {
		list = append(list, l.Place(servicePath(proofUnit), []byte(o.proofService())))
		list = append(list, o.timer(l, proofUnit, o.Proof, proofUnit)...)
	}
	list = append(list, former(l, o.settingsPath())...)
	return append(list, remote.Unit{Name: Unit, Enabled: remote.Yes, Running: remote.Yes,
		ReloadOn: []string{ConfigPath, at.CA, at.File, at.Key}}), nil
}

// event is when a type of backup is made.
func (o Options) event(t Type) string {
	return map[Type]string{Full: o.Full, Differential: o.Differential,
		Incremental: o.Incremental}[t]
}

// timer starts a service by a calendar event; without one there is no timer.
func (o Options) timer(l layout.Layout, unit, event, service string) []remote.Resource {
	if event == "" {
		return []remote.Resource{
			remote.Unit{Name: unit + ".timer", Running: remote.No, Enabled: remote.No},
			remote.Absent{Path: timerPath(unit)},
		}
	}
	file := l.Place(timerPath(unit), fmt.Appendf(nil, `# Written by pgha.
[Unit]
Description=%s, by the calendar

[Timer]
OnCalendar=%s
Persistent=%t
AccuracySec=1s
Unit=%s.service

[Install]
WantedBy=timers.target
`, service, event, unit != canaryUnit, service))
	file.Validate = func(string) remote.Cmd {
		return remote.Cmd{Argv: []string{"systemd-analyze", "calendar", event}}
	}
	return []remote.Resource{file, remote.Unit{Name: unit + ".timer", Enabled: remote.Yes,
		Running: remote.Yes, RestartOn: []string{timerPath(unit)}}}
}

// takeUnit makes a backup of the type that stands behind the @. What is too old goes after a full
// one.
func (o Options) takeUnit() string {
	return fmt.Sprintf(`# Written by pgha.
[Unit]
Description=Backup of %[1]s: %%i
After=network-online.target %[2]s

[Service]
Type=oneshot
User=%[3]s
Nice=5
IOSchedulingClass=idle
ExecStart=/usr/bin/pgbackrest --stanza=%[1]s --type=%%i backup
ExecStartPost=/bin/sh -c '[ %%i != full ] || exec /usr/bin/pgbackrest --stanza=%[1]s expire'
`, o.Stanza, Unit, systemUser)
}

// gapService looks, after a failover, whether the archive has a gap, and mends what can be.
func (o Options) gapService() string {
	always := ""
	if o.DropAboveMB > 0 {
		always = " always" // a gap needs no failover then
	}
	return fmt.Sprintf(`# Written by pgha.
[Unit]
Description=Look for a gap in the archive of %[1]s after a failover
After=network-online.target %[2]s

[Service]
Type=oneshot
User=%[3]s
Nice=5
IOSchedulingClass=idle
ExecStart=/usr/bin/python3 %[4]s %[1]s%[5]s
`, o.Stanza, Unit, systemUser, gapPath, always)
}

// canaryService writes the time into a row, where the server is the primary.
func (o Options) canaryService() string {
	return fmt.Sprintf(`# Written by pgha: restored backups tell by this row how old they are.
[Unit]
Description=Time of the database, for the proof of backups
ConditionPathExists=%[1]s/.s.PGSQL.%[2]d

[Service]
Type=oneshot
User=%[3]s
TimeoutStartSec=30
ExecStart=/usr/bin/%[4]s -f %[5]s
`, layout.SocketDir, o.ListenPort, systemUser, strings.Join(o.psql(), " "), canarySQLPath)
}

// psql is the client of the host's own server, as the superuser.
func (o Options) psql() []string {
	return []string{"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", layout.SocketDir, "-p",
		fmt.Sprint(o.ListenPort), "-U", o.Superuser, "-d", "postgres"}
}

// proofService restores the newest backup beside the server, and reads it.
func (o Options) proofService() string {
	return fmt.Sprintf(`# Written by pgha.
[Unit]
Description=Proof that the newest backup of %[1]s can be restored
After=network-online.target

[Service]
Type=oneshot
User=%[2]s
Nice=10
IOSchedulingClass=idle
ExecStart=/usr/bin/python3 %[3]s %[4]s prove %[5]s %[6]s
`, o.Stanza, systemUser, scratchPath, o.settingsPath(), o.scratchDir("proof"), proofResult)
}

// scratchDir is a directory beside the data, for a purpose.
func (o Options) scratchDir(purpose string) string { return o.DataDir + "." + purpose }

// scratchSettings are what scratch.py reads.
func (o Options) scratchSettings() []byte {
	// The row is written each minute, and is in the archive when the segment is; the rest is for a
	// busy host.
	stale := time.Minute + 2*o.ArchiveTimeout + time.Minute
	text, err := json.Marshal(map[string]any{"pgbackrest": o.pgbackrest(), "superuser": o.Superuser,
		"copied": copiedResult, "stale": int(stale.Seconds()), "archives": !o.borrowed(),
		"data": o.DataDir, "bin": path.Join("/usr/lib/postgresql", fmt.Sprint(o.PostgreSQLVersion),
			"bin")})
	if err != nil {
		panic(err) // it has no type that cannot be written
	}
	return append(text, '\n')
}

// headers are what pgBackRest prints of a request that a server of HTTP refused, beside its answer.
var headers = regexp.MustCompile(`(?s)\*\*\* Request Headers \*\*\*:.*?(\*\*\* Response Content|$)`)

// stamp begins pgBackRest's lines.
var stamp = regexp.MustCompile(`(?m)^(?:[0-9-]+ [0-9:.]+ )?P[0-9]{2}\s+`)

// said is what pgBackRest complained of, in one line.
func said(text []byte) string {
	text = headers.ReplaceAll(stamp.ReplaceAll(text, nil), []byte("$1"))
	return strings.Join(strings.Fields(string(text)), " ")
}
