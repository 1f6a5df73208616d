package spec

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/etcdrelease"
)

func (c *checker) etcd() {
	e := c.Etcd
	oneOf(c, "etcd.source", e.Source, SourceRelease, SourceArchive, SourceDistribution)
	c.etcdVersion()
	c.etcdArchive()
	c.directory("etcd.data_dir", e.DataDir, "/var/lib/etcd")
	c.between("etcd.heartbeat_interval", e.HeartbeatInterval, 10*time.Millisecond, 10*time.Second,
		time.Millisecond)
	c.between("etcd.auto_compaction", e.AutoCompaction, time.Minute, 1000*time.Hour, time.Second)
	// 50 s is etcd's own limit, five heartbeats its rule.
	c.between("etcd.election_timeout", e.ElectionTimeout, 50*time.Millisecond, 50*time.Second,
		time.Millisecond)
	if e.ElectionTimeout < 5*e.HeartbeatInterval {
		c.bad(c.blame("etcd.election_timeout", "etcd.heartbeat_interval"),
			fmt.Sprintf("election_timeout %s is less than 5 * heartbeat_interval %s = %s",
				e.ElectionTimeout, e.HeartbeatInterval, 5*e.HeartbeatInterval),
			fmt.Sprintf("write election_timeout: %s or more; ten heartbeats are usual",
				5*e.HeartbeatInterval))
	}
}

// etcdVersion refuses versions that Patroni doesn't work with, and those nobody has tried with it.
func (c *checker) etcdVersion() {
	const field = "etcd.version"
	if c.Etcd.Source == SourceDistribution {
		if c.Etcd.Version != "" {
			c.bad(field, "is not read with source: distribution: the package decides", "delete it")
		}
		return
	}
	if err := etcdrelease.Check(c.Etcd.Version); err != nil {
		c.bad(field, err.Error(), etcdrelease.Remedy())
	}
}

func (c *checker) etcdArchive() {
	e := c.Etcd
	archive := e.Source == SourceArchive
	switch {
	case archive && e.Archive == "":
		c.bad("etcd.archive", "is missing with source: archive",
			"write the path of etcd's release archive")
	case archive:
		c.archiveFile("etcd.archive", e.Archive)
	case e.Archive != "":
		c.bad("etcd.archive", "is not read with source: "+string(e.Source),
			"write source: archive, or delete it")
	}
	if e.URL != "" {
		if u, err := url.Parse(e.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" ||
			u.Host == "" || u.User != nil {
			c.bad("etcd.url", "is not the URL of a download",
				"write https:// and the rest, without user and password")
		}
		if e.Source != SourceRelease {
			c.bad("etcd.url", "is not read with source: "+string(e.Source),
				"write source: release, or delete it")
		}
	}
	digest, err := hex.DecodeString(e.SHA256)
	switch {
	case e.SHA256 == "" && (archive || e.URL != ""):
		c.bad("etcd.sha256", "is missing: no program is installed without a check",
			"write the archive's checksum, as sha256sum shows it")
	case e.SHA256 == "":
	case e.Source == SourceDistribution:
		c.bad("etcd.sha256", "is not read with source: distribution: apt checks its packages",
			"delete it")
	case err != nil || len(digest) != 32:
		c.bad("etcd.sha256", quoted(e.SHA256)+" is not a SHA-256 checksum",
			"write 64 hexadecimal digits, as sha256sum shows them")
	case strings.ToLower(e.SHA256) != e.SHA256:
		c.bad("etcd.sha256", "has capital letters", "write "+strings.ToLower(e.SHA256))
	}
}
