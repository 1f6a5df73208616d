package backup

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// Storage is what the repository's host keeps the repository on. The zero value is its own disk. At
// most one of the fields is set.
type Storage struct {
	// Mounted: Path is on a file system that is mounted there. Where nothing is mounted nothing is
	// written.
	Mounted bool
	S3      *S3
	SFTP    *SFTP
}

// S3 is a bucket of Amazon's S3 or of anything that speaks as it does, over TLS.
type S3 struct {
	// Endpoint is the name or IP address of the server. No default.
	Endpoint string
	// Port of it. 0 means 443.
	Port int
	// Bucket has to be there. No default.
	Bucket string
	// Region that requests are signed for. No default.
	Region string
	// InPath puts the bucket into the path of requests, and not into the server's name.
	InPath bool
	// CA is the PEM of the authority of the server's certificate. Empty means those that the host's
	// system trusts.
	CA []byte
	// AccessKey identifies SecretKey, which signs the requests. No default.
	AccessKey string
	SecretKey pki.Secret
}

// SFTP is a directory on a server of SSH.
type SFTP struct {
	// Address is the name or IP address of the server, and User who logs in. No default.
	Address, User string
	// Port of it. 0 means 22.
	Port int
	// HostKeys are the public keys of the server, each "type base64": all that it has, because the
	// client takes one of them. No default.
	HostKeys []string
	// Key is the private key, PEM without a passphrase. No default.
	Key pki.Secret
}

// knownHosts is what the client knows the server by.
func (s SFTP) knownHosts() []byte {
	name := s.Address
	if s.Port != 0 && s.Port != sshPort {
		name = fmt.Sprintf("[%s]:%d", s.Address, s.Port)
	}
	var b strings.Builder
	for _, key := range s.HostKeys {
		fields := strings.Fields(key)
		fmt.Fprintf(&b, "%s %s\n", name, strings.Join(fields[:min(len(fields), 2)], " "))
	}
	return []byte(b.String())
}

const (
	sshPort   = 22
	httpsPort = 443
)

// validate says what is wrong, or "".
func (s Storage) validate() string {
	switch {
	case s.S3 != nil && s.SFTP != nil || s.Mounted && (s.S3 != nil || s.SFTP != nil):
		return "the repository is on more than one storage"
	case s.S3 != nil:
		for name, value := range map[string]string{"endpoint": s.S3.Endpoint, "bucket": s.S3.Bucket,
			"region": s.S3.Region, "access key": s.S3.AccessKey,
			"secret key": string(s.S3.SecretKey.Reveal())} {
			if !oneWord(value) {
				return "the " + name + " of S3 is not one word"
			}
		}
	case s.SFTP != nil:
		if !oneWord(s.SFTP.Address) || !oneWord(s.SFTP.User) {
			return "address and user of SFTP have to be one word each"
		}
		if len(s.SFTP.HostKeys) == 0 || s.SFTP.Key.IsZero() {
			return "SFTP needs the keys of the server and a private key"
		}
		for _, key := range s.SFTP.HostKeys {
			fields := strings.Fields(key)
			if len(fields) < 2 || !oneWord(fields[0]) {
				return "a key of the SFTP server is not written as type and base64"
			}
			if _, err := base64.StdEncoding.DecodeString(fields[1]); err != nil {
				return "a key of the SFTP server is not written as type and base64"
			}
		}
	}
	return ""
}

// oneWord tells whether a text can be a value of pgbackrest.conf, whose values end with the line.
func oneWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Where the repository's host has what it needs for the storage.
func (o Options) storageDir() string     { return o.dir() + "/storage" }
func (o Options) storageCA() string      { return o.storageDir() + "/ca.crt" }
func (o Options) storageKey() string     { return o.storageDir() + "/key" }
func (o Options) storageServers() string { return o.storageDir() + "/known_hosts" }

// storageFiles are those of the storage on the repository's host.
func (o Options) storageFiles(own func(layout.File) layout.File) []layout.File {
	s := o.Storage
	list := []layout.File{own(layout.File{Path: o.storageDir(), Dir: true, Mode: 0o700,
		From: fromBackup})}
	switch {
	case s.S3 != nil && len(s.S3.CA) > 0:
		return append(list, own(layout.File{Path: o.storageCA(), Mode: 0o644, From: fromBackup}))
	case s.SFTP != nil:
		return append(list,
			own(layout.File{Path: o.storageKey(), Mode: 0o600, Secret: true, From: fromBackup}),
			own(layout.File{Path: o.storageServers(), Mode: 0o644, From: fromBackup}))
	}
	return nil
}

// storageResources put them in place.
func (o Options) storageResources(l layout.Layout) []remote.Resource {
	s := o.Storage
	switch {
	case s.S3 != nil && len(s.S3.CA) > 0:
		return []remote.Resource{l.Folder(o.storageDir()), l.Place(o.storageCA(), s.S3.CA)}
	case s.SFTP != nil:
		key := l.Place(o.storageKey(), s.SFTP.Key.Reveal())
		key.Validate = o.loginBy
		servers := l.Place(o.storageServers(), s.SFTP.knownHosts())
		servers.Validate = func(candidate string) remote.Cmd {
			return remote.Cmd{User: systemUser, Timeout: o.Wait,
				Argv: o.login(o.storageKey(), "--repo1-sftp-known-host="+candidate)}
		}
		return []remote.Resource{l.Folder(o.storageDir()), key, servers}
	}
	return nil
}

// login reads the top of a repository behind SFTP with the key in a file, whatever the
// configuration in force says: that may be of another server.
func (o Options) login(key string, more ...string) []string {
	s := o.Storage.SFTP
	argv := []string{"pgbackrest", "--no-config", "--stanza=" + o.Stanza, "--log-level-file=off",
		"--repo1-path=" + o.Path, "--repo1-type=sftp", "--repo1-sftp-host=" + s.Address,
		fmt.Sprintf("--repo1-sftp-host-port=%d", cmp.Or(s.Port, sshPort)),
		"--repo1-sftp-host-user=" + s.User, "--repo1-sftp-private-key-file=" + key,
		"--repo1-sftp-host-key-hash-type=sha256", "--repo1-sftp-host-key-check-type=strict"}
	return append(append(argv, more...), "repo-ls")
}

// loginBy tries a key before it takes its place, with the keys of the server that the specification
// has now: the file of them is placed after it.
func (o Options) loginBy(key string) remote.Cmd {
	const script = `f=$(mktemp) && trap 'rm -f "$f"' EXIT && printf %s "$1" >"$f" && shift && ` +
		`PGBACKREST_REPO1_SFTP_KNOWN_HOST="$f" "$@"`
	argv := []string{"sh", "-c", script, "sh", string(o.Storage.SFTP.knownHosts())}
	return remote.Cmd{User: systemUser, Timeout: o.Wait, Argv: append(argv, o.login(key)...)}
}

// isFolder tells whether the repository is a directory in a file system of its host's.
func (s Storage) isFolder() bool { return s.S3 == nil && s.SFTP == nil }

// Where says where the repository is, for people: "/var/lib/pgbackrest on haproxy-03",
// "s3://bucket/path", "sftp://user@server/path".
func (o Options) Where() string {
	o = o.WithDefaults()
	switch s := o.Storage; {
	case s.S3 != nil:
		return "s3://" + s.S3.Bucket + o.Path
	case s.SFTP != nil:
		return "sftp://" + s.SFTP.User + "@" + s.SFTP.Address + o.Path
	}
	return o.Path + " on " + name(o.Repository)
}

// Reach looks whether the repository's host can read the repository, which need not have anything
// yet: the server answers, the key is right, the bucket or the mount is there. Changes nothing. The
// error matches ErrUnreachable and has the words of pgBackRest or of findmnt.
func Reach(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	t := o.Repository.Target
	if o.Storage.isFolder() {
		return refuseNoMount(ctx, o)
	}
	_, err := t.Run(ctx, o.look(o.configPath()))
	return o.unreachable(err)
}

// look reads the top of the repository by the configuration in a file.
func (o Options) look(config string) remote.Cmd {
	return remote.Cmd{User: systemUser, Timeout: o.Wait, Argv: []string{"pgbackrest",
		"--config=" + config, "--stanza=" + o.Stanza, "--log-level-file=off", "repo-ls"}}
}

// unreachable explains that look has failed.
func (o Options) unreachable(err error) error {
	var exit *remote.ExitError
	if !errors.As(err, &exit) || !strings.HasSuffix(exit.Cmd, "repo-ls") {
		return err
	}
	return errs.WithNext(remote.OnHost(exit.Host, fmt.Errorf("%w: %s: %s", ErrUnreachable, o.Where(),
		said([]byte(exit.Stderr)))), errs.Text("compare backup.repository of the specification with "+
		"what the server has: its name and port, the key, the bucket or the directory"))
}

// ErrUnreachable: the repository's host cannot reach the storage, or may not read it.
var ErrUnreachable = errs.New(errs.Unhealthy, "the repository cannot be reached")

// refuseNoMount refuses a path that has to be on a mounted file system, and is not: what was
// written there would fill the disk of the system, and be hidden by the next mount.
func refuseNoMount(ctx context.Context, o Options) error {
	t := o.Repository.Target
	if !o.Storage.Mounted || t.LeftOut {
		return nil
	}
	at, err := t.Output(ctx, "sh", "-c",
		`d=$1; while [ ! -e "$d" ]; do d=${d%/*}; d=${d:-/}; done; stat -c %m -- "$d"`, "sh", o.Path)
	if err != nil {
		return fmt.Errorf("look at the mount: %w", remote.OnHost(t.Name, err))
	}
	if strings.TrimSpace(at) != "/" {
		return nil
	}
	return errs.WithNext(remote.OnHost(t.Name, fmt.Errorf("%w: nothing is mounted at %s: it is on the "+
		"disk of the system", ErrUnreachable, o.Path)), errs.Text("mount it, and let the host do so "+
		"when it starts (/etc/fstab)"))
}
