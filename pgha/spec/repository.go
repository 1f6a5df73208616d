package spec

import (
	"cmp"
	"encoding/pem"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/sshkey"
)

// RepositoryType is a kind of repository.
type RepositoryType string

// The kinds of repositories.
const (
	// RepositoryHost is a directory on one of the cluster's hosts.
	RepositoryHost RepositoryType = "host"
	// RepositoryDirectory is a directory on a file system that is mounted on one of the hosts, such
	// as one of NFS. Where nothing is mounted nothing is written.
	RepositoryDirectory RepositoryType = "directory"
	// RepositoryS3 is a bucket of Amazon's S3 or of anything that speaks as it does.
	RepositoryS3 RepositoryType = "s3"
	// RepositorySFTP is a directory on a server of SSH.
	RepositorySFTP RepositoryType = "sftp"
)

// URIStyle is how the bucket stands in requests.
type URIStyle string

// The styles of requests.
const (
	// URIHost puts the bucket into the name of the server: bucket.endpoint.
	URIHost URIStyle = "host"
	// URIPath puts it into the path, as most servers but Amazon's want it.
	URIPath URIStyle = "path"
)

// BackupRepository is a place where backups are kept. Whatever its type, one host reads and writes
// it for all: that has the keys, and the databases' hosts reach it over TLS.
type BackupRepository struct {
	// Type of the repository. No default.
	Type RepositoryType `yaml:"type"`
	// Host is the name of the host that reads and writes it. Best is one without a database: what a
	// host's loss costs should not be the backups as well. Default: none for RepositoryHost; else
	// the last host without a database, or the last host.
	Host string `yaml:"host"`
	// Path of the directory, or what all names in the bucket begin with. Default:
	// "/var/lib/pgbackrest" for RepositoryHost, "/" and the cluster's name for RepositoryS3; none
	// for the others.
	Path string `yaml:"path"`

	// Endpoint is the server of RepositoryS3, such as "s3.eu-central-1.amazonaws.com". It speaks
	// TLS. No default.
	Endpoint string `yaml:"endpoint,omitempty"`
	// Bucket of RepositoryS3, which has to be there. No default.
	Bucket string `yaml:"bucket,omitempty"`
	// Port of the server of RepositoryS3 or RepositorySFTP. Default: 443 and 22.
	Port int `yaml:"port,omitempty"`
	// Region of RepositoryS3. Default: "us-east-1", which servers that have none take.
	Region string `yaml:"region,omitempty"`
	// URIStyle of RepositoryS3. Default: URIHost.
	URIStyle URIStyle `yaml:"uri_style,omitempty"`
	// CAFile holds the authority of the server's certificate of RepositoryS3, PEM, on this machine.
	// Default: none; the authorities that the system of Host trusts.
	CAFile string `yaml:"ca_file,omitempty"`
	// AccessKey is the identifier of the access key of RepositoryS3, which is not secret. No
	// default.
	AccessKey string `yaml:"access_key,omitempty"`

	// Address is the server of RepositorySFTP, a name or an IP address. No default.
	Address string `yaml:"address,omitempty"`
	// User to log in as, of RepositorySFTP. No default.
	User string `yaml:"user,omitempty"`
	// HostKeys are the public keys of the server of RepositorySFTP, each "type base64" as
	// ssh-keyscan prints it behind the name: all that the server has, because the client takes one
	// of them. No default.
	HostKeys []string `yaml:"host_keys,omitempty"`

	// KeyFile holds the secret access key of RepositoryS3 or the private key of RepositorySFTP,
	// without a passphrase; a file on this machine, readable by its owner only. Default: none.
	KeyFile string `yaml:"key_file,omitempty"`
	// KeyCommand is run on this machine, without a shell, and prints it, as ["pass", "show",
	// "s3/backup"] does; not together with KeyFile. Default: none.
	KeyCommand []string `yaml:"key_command,omitempty"`
}

// repositories are all that the section names, by their fields.
func (b *Backup) repositories() map[string]*BackupRepository {
	all := map[string]*BackupRepository{}
	for i := range b.Repository {
		all[element("backup.repository", i)] = &b.Repository[i]
	}
	if b.BootstrapFrom != nil && b.BootstrapFrom.Repository != nil {
		all[bootstrapFrom+".repository"] = b.BootstrapFrom.Repository
	}
	return all
}

const repositoryPath = "/var/lib/pgbackrest"

// deriveRepository fills in what depends on the type and on other fields.
func (s *Spec) deriveRepository(d *decoder, field string, r *BackupRepository) {
	switch r.Type {
	case RepositoryHost:
		fill(d, field+".path", &r.Path, repositoryPath)
	case RepositoryS3:
		fill(d, field+".path", &r.Path, "/"+s.Cluster)
		fill(d, field+".port", &r.Port, 443)
		fill(d, field+".region", &r.Region, "us-east-1")
		fill(d, field+".uri_style", &r.URIStyle, URIHost)
	case RepositorySFTP:
		fill(d, field+".port", &r.Port, 22)
	case RepositoryDirectory:
	}
	if r.Type != RepositoryHost {
		fill(d, field+".host", &r.Host, s.goodForBackups())
	}
}

// goodForBackups is the last host without a database, or the last host.
func (s *Spec) goodForBackups() string {
	name := ""
	for _, h := range s.Hosts {
		if !h.Has(RoleDatabase) {
			name = h.Name
		}
	}
	if name == "" && len(s.Hosts) > 0 {
		name = s.Hosts[len(s.Hosts)-1].Name
	}
	return cmp.Or(name, "haproxy-03")
}

// repositoryChecker checks a repository.
type repositoryChecker struct{ *checker }

// check wants fields of the repository's type alone.
func (c repositoryChecker) check(field string, r BackupRepository) {
	oneOf(c.checker, field+".type", r.Type, RepositoryHost, RepositoryDirectory, RepositoryS3,
		RepositorySFTP)
	c.ofType(field, r)
	switch {
	case r.Host == "":
		c.bad(field+".host", "is missing", "write the name of one of the hosts, such as "+
			c.goodForBackups())
	case !slices.ContainsFunc(c.Hosts, func(h Host) bool { return h.Name == r.Host }):
		c.bad(field+".host", quoted(r.Host)+" is none of the hosts",
			didYouMean(r.Host, hostNames(c.Hosts)))
	}
	switch r.Type {
	case RepositoryHost:
		c.directory(field+".path", r.Path, repositoryPath)
		c.apartFromData(field+".path", r.Path)
	case RepositoryDirectory:
		if r.Path == "" {
			c.bad(field+".path", "is missing", "write a directory below a mount, such as "+
				"/mnt/backup/pgbackrest")
			break
		}
		c.directory(field+".path", r.Path, "/mnt/backup/pgbackrest")
		c.apartFromData(field+".path", r.Path)
	case RepositoryS3:
		c.s3(field, r)
	case RepositorySFTP:
		c.sftp(field, r)
	}
}

// ofType refuses fields of another type.
func (c repositoryChecker) ofType(field string, r BackupRepository) {
	for _, f := range []struct {
		name string
		set  bool
		of   []RepositoryType
	}{
		{"endpoint", r.Endpoint != "", []RepositoryType{RepositoryS3}},
		{"bucket", r.Bucket != "", []RepositoryType{RepositoryS3}},
		{"region", r.Region != "", []RepositoryType{RepositoryS3}},
		{"uri_style", r.URIStyle != "", []RepositoryType{RepositoryS3}},
		{"ca_file", r.CAFile != "", []RepositoryType{RepositoryS3}},
		{"access_key", r.AccessKey != "", []RepositoryType{RepositoryS3}},
		{"address", r.Address != "", []RepositoryType{RepositorySFTP}},
		{"port", r.Port != 0, []RepositoryType{RepositoryS3, RepositorySFTP}},
		{"user", r.User != "", []RepositoryType{RepositorySFTP}},
		{"host_keys", len(r.HostKeys) > 0, []RepositoryType{RepositorySFTP}},
		{"key_file", r.KeyFile != "", []RepositoryType{RepositoryS3, RepositorySFTP}},
		{"key_command", len(r.KeyCommand) > 0, []RepositoryType{RepositoryS3, RepositorySFTP}},
	} {
		if f.set && !slices.Contains(f.of, r.Type) {
			c.bad(field+"."+f.name, fmt.Sprintf("says nothing about a repository of type %s", r.Type),
				fmt.Sprintf("delete the line, or write type: %s", f.of[0]))
		}
	}
}

// apartFromData wants a directory that is none of the servers'.
func (c repositoryChecker) apartFromData(field, dir string) {
	for _, other := range []struct{ field, dir string }{
		{"postgresql.data_dir", c.PostgreSQL.DataDir}, {"etcd.data_dir", c.Etcd.DataDir},
	} {
		if dir == other.dir || strings.HasPrefix(dir+"/", other.dir+"/") ||
			strings.HasPrefix(other.dir+"/", dir+"/") {
			c.bad(field, "is not apart from "+other.field,
				"write a directory of its own, such as "+repositoryPath)
		}
	}
}

func (c repositoryChecker) s3(field string, r BackupRepository) {
	c.pathIn(field+".path", r.Path, "/"+c.Cluster)
	c.needs(field+".endpoint", r.Endpoint, "write the server, such as s3.eu-central-1.amazonaws.com")
	if r.Endpoint != "" {
		if _, err := netip.ParseAddr(r.Endpoint); err != nil && !isHostName(r.Endpoint) {
			c.bad(field+".endpoint", quoted(r.Endpoint)+" is no server",
				"write its name alone, without https:// and without the bucket; its port is a field "+
					"of its own")
		}
	}
	within(c.checker, field+".port", r.Port, 1, 65535)
	c.needs(field+".bucket", r.Bucket, "write the name of a bucket that is there")
	c.needs(field+".access_key", r.AccessKey, "write the identifier of the access key")
	c.oneWord(field+".bucket", r.Bucket)
	c.oneWord(field+".region", r.Region)
	c.oneWord(field+".access_key", r.AccessKey)
	oneOf(c.checker, field+".uri_style", r.URIStyle, URIHost, URIPath)
	if r.CAFile != "" {
		if text, ok := c.smallFile(field+".ca_file", r.CAFile, false); ok {
			if block, _ := pem.Decode(text); block == nil || block.Type != "CERTIFICATE" {
				c.bad(field+".ca_file", r.CAFile+" holds no certificate", "name a file in PEM form")
			}
		}
	}
	if text, ok := c.backupKey(field, r); ok && strings.ContainsFunc(strings.TrimSpace(text),
		func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.bad(field+".key_file", r.KeyFile+" does not hold a secret access key, which is one word",
			"write the secret access key alone on one line")
	}
}

func (c repositoryChecker) sftp(field string, r BackupRepository) {
	if r.Path == "" {
		c.bad(field+".path", "is missing", "write a directory on the server, such as /backup/"+c.Cluster)
	} else {
		c.pathIn(field+".path", r.Path, "/backup/"+c.Cluster)
	}
	c.needs(field+".address", r.Address, "write the server's name or IP address")
	if _, err := netip.ParseAddr(r.Address); err != nil && r.Address != "" && !isHostName(r.Address) {
		c.bad(field+".address", quoted(r.Address)+" is no server", "write a name or an IP address")
	}
	within(c.checker, field+".port", r.Port, 1, 65535)
	c.needs(field+".user", r.User, "write the user to log in as")
	c.oneWord(field+".user", r.User)
	const keyscan = "write what ssh-keyscan prints behind the server's name, after you have compared " +
		"it with what the server says of itself"
	if len(r.HostKeys) == 0 {
		c.bad(field+".host_keys", "is missing: nothing would tell the server from another one",
			keyscan)
	}
	for i, key := range r.HostKeys {
		if sshkey.Public(key) != nil {
			c.bad(element(field+".host_keys", i), "is no public key", keyscan)
		}
	}
	if text, ok := c.backupKey(field, r); ok {
		if sshkey.Private([]byte(text)) != nil {
			c.bad(field+".key_file", r.KeyFile+" holds no private key that can be used without a "+
				"passphrase", "name a key that ssh-keygen -N '' made")
		}
	}
}

// backupKey checks where the key comes from, and returns that of a file.
func (c repositoryChecker) backupKey(field string, r BackupRepository) (string, bool) {
	_, given := c.d.at[field+".key_command"]
	given = given || len(r.KeyCommand) > 0
	switch {
	case r.KeyFile != "" && given:
		c.bad(field+".key_command", "stands beside key_file, and only one of them can give the key",
			"delete one of the two")
	case r.KeyFile != "":
		text, ok := c.smallFile(field+".key_file", r.KeyFile, true)
		return string(text), ok
	case given:
		c.secretCommand(field+".key_command", r.KeyCommand, "pass, show, backup/key")
	default:
		c.bad(field+".key_file", "is missing", "name a file on this machine with the key, or write "+
			"key_command")
	}
	return "", false
}

func (c repositoryChecker) needs(field, value, remedy string) {
	if value == "" {
		c.bad(field, "is missing", remedy)
	}
}

// oneWord refuses what pgbackrest.conf could not hold.
func (c repositoryChecker) oneWord(field, value string) {
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.bad(field, quoted(value)+" is not one word of plain letters, digits and signs",
			"write it without spaces")
	}
}

// pathIn checks a path in a store that is no file system of a host's.
func (c repositoryChecker) pathIn(field, path, example string) {
	if !isPlainPath(path) || !strings.HasPrefix(path, "/") || strings.Contains(path, "//") ||
		len(path) > 1 && strings.HasSuffix(path, "/") {
		c.bad(field, quoted(path)+" is not a plain absolute path", "write a path such as "+example)
	}
}
