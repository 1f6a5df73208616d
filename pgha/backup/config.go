package backup

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"

	"github.com/pgha/toolkit/pgha/layout"
)

//go:embed pgbackrest.conf.tmpl
var configTemplate string

// ConfigPath is the file that pgBackRest reads.
const ConfigPath = configDir + "/pgbackrest.conf"

// model is what the template sees.
type model struct {
	Options
	// Keeps: the host keeps the backups.
	Keeps      bool
	CipherPass string
	// Peers are the addresses of those who may connect, and Servers those of the databases that
	// the host knows; "" for its own.
	Peers, Servers            []string
	CAFile, CertFile, KeyFile string
	Socket                    string
	// What the template says of Storage beside its own fields.
	StorageCA, StorageKey, StorageServers string
	HTTPSPort, SSHPort                    int
	SecretKey                             string
}

// Config renders the host's pgbackrest.conf. On the repository's host it has the key that files are
// encrypted with. pgBackRest 2.54 and later accept it. The same options give the same bytes. Errors
// match ErrInvalid. Contacts no host.
func Config(o Options, h Host) ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("render pgbackrest.conf: %w", err)
	}
	o = o.WithDefaults()
	at := layout.CertificateOf(layout.Backup)
	m := model{Options: o, Keeps: o.isRepository(h), CAFile: at.CA, CertFile: at.File,
		KeyFile: at.Key, Socket: layout.SocketDir,
		StorageCA: o.storageCA(), StorageKey: o.storageKey(),
		StorageServers: o.storageServers(),
		HTTPSPort:      httpsPort, SSHPort: sshPort}
	if m.Keeps {
		m.CipherPass = string(o.Key.Reveal())
		if s := o.Storage.S3; s != nil {
			m.SecretKey = string(s.SecretKey.Reveal())
		}
	}
	// A command about one server takes the first: that is the host's own, if it has one.
	if o.isDatabase(h) {
		m.Servers = append(m.Servers, "")
	}
	if !m.Keeps {
		m.Peers = []string{o.Repository.Target.Address}
	}
	for _, d := range o.Databases {
		if m.Keeps && name(d) != name(h) {
			m.Servers = append(m.Servers, d.Target.Address)
			m.Peers = append(m.Peers, d.Target.Address)
		}
	}
	number := func(i int) string { return fmt.Sprintf("pg%d", i+1) }
	t, err := template.New("pgbackrest.conf").Option("missingkey=error").
		Funcs(template.FuncMap{"number": number}).Parse(configTemplate)
	if err != nil {
		return nil, fmt.Errorf("render pgbackrest.conf: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, m); err != nil {
		return nil, fmt.Errorf("render pgbackrest.conf: %w", err)
	}
	return out.Bytes(), nil
}

// Parameters are PostgreSQL's settings that make every server of the cluster archive its log. They
// follow from Stanza and ArchiveTimeout. Pure computation.
//
// Replicas are given no restore_command: a promotion waits for it, and for several of them one
// after the other (PostgreSQL 15.18, findings/postgresql-promotion-waits-for-restore-command.sh),
// so that a repository that is silent would hold up a failover. They have the log from the leader,
// which keeps it for them in replication slots.
func Parameters(o Options) map[string]any {
	o = o.WithDefaults()
	return map[string]any{
		"archive_mode":    "on",
		"archive_command": "pgbackrest --stanza=" + o.Stanza + ` archive-push "%p"`,
		"archive_timeout": fmt.Sprintf("%ds", int(o.ArchiveTimeout.Seconds())),
	}
}
