package backup_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

func host(name, address string) backup.Host {
	return backup.Host{Target: &remote.Target{Host: remote.Host{Name: name, Address: address}}}
}

func options() backup.Options {
	return backup.Options{Stanza: "shop", PostgreSQLVersion: 18,
		Databases:  []backup.Host{host("pg1", "10.0.0.1"), host("pg2", "10.0.0.2")},
		Repository: host("store", "10.0.0.9"), Key: pki.NewSecret([]byte("K3Y"))}
}

func bucket() *backup.S3 {
	return &backup.S3{Endpoint: "s3.example.com", Port: 7070, Bucket: "backups", Region: "eu-1",
		InPath: true, CA: []byte("PEM"), AccessKey: "AKIA",
		SecretKey: pki.NewSecret([]byte("s3cr/et+K3Y="))}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	o := options()
	beside := options()
	beside.Repository = beside.Databases[1]
	cloud, server := options(), options()
	cloud.Storage.S3, cloud.Path = bucket(), "/shop"
	server.Storage.SFTP = &backup.SFTP{Address: "10.0.0.8", User: "keeper",
		HostKeys: []string{"ssh-ed25519 AAAA"}, Key: pki.NewSecret([]byte("PRIVATE"))}
	for name, c := range map[string]struct {
		o backup.Options
		h backup.Host
	}{
		"database": {o, o.Databases[0]}, "repository": {o, o.Repository},
		"both": {beside, beside.Repository}, "s3": {cloud, cloud.Repository},
		"database of s3": {cloud, cloud.Databases[0]}, "sftp": {server, server.Repository},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := backup.Config(c.o, c.h)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+strings.ReplaceAll(name, " ", "-")+".conf", got)
			if has := strings.Contains(string(got), "K3Y"); has == strings.HasPrefix(name, "database") {
				t.Errorf("the key is in it: %v", has)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*backup.Options){
		"stanza":         func(o *backup.Options) { o.Stanza = "a b" },
		"line":           func(o *backup.Options) { o.Stanza = "a\nrepo1-path=/" },
		"no databases":   func(o *backup.Options) { o.Databases = nil },
		"no repository":  func(o *backup.Options) { o.Repository = backup.Host{} },
		"relative path":  func(o *backup.Options) { o.Path = "var" },
		"a host by name": func(o *backup.Options) { o.Databases[0] = host("pg1", "pg1.example.com") },
		"proof":          func(o *backup.Options) { o.ProofHost = "store" },
		"no version":     func(o *backup.Options) { o.PostgreSQLVersion = 0 },
		"superuser":      func(o *backup.Options) { o.Superuser = "x'y" },
		"two storages": func(o *backup.Options) {
			o.Storage = backup.Storage{Mounted: true, S3: bucket()}
		},
		"a line in the bucket": func(o *backup.Options) {
			o.Storage.S3 = bucket()
			o.Storage.S3.Bucket = "a\nrepo1-path=/"
		},
		"no key of the bucket": func(o *backup.Options) {
			o.Storage.S3 = bucket()
			o.Storage.S3.SecretKey = pki.Secret{}
		},
		"no host key": func(o *backup.Options) {
			o.Storage.SFTP = &backup.SFTP{Address: "10.0.0.8", User: "keeper",
				Key: pki.NewSecret([]byte("PRIVATE"))}
		},
		"a line in the host key": func(o *backup.Options) {
			o.Storage.SFTP = &backup.SFTP{Address: "10.0.0.8", User: "keeper",
				HostKeys: []string{"ssh-ed25519 (AAAA)\nother"}, Key: pki.NewSecret([]byte("PRIVATE"))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options()
			if err := o.Validate(); err != nil {
				t.Fatal(err)
			}
			change(&o)
			if err := o.Validate(); !errors.Is(err, backup.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}
