package etcd

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed install.sh
var installScript string

const (
	binDir = "/usr/local/bin"
	// cacheDir is where archives lie until they are unpacked; it is left empty.
	cacheDir = "/var/cache/pgha"
	// downloadTimeout is generous: a slow line is no error.
	downloadTimeout = 15 * time.Minute
)

// Programs are the files that Install and Bootstrap put on a member's host beside those of Layout,
// unless the programs are the distribution's.
func Programs() []layout.File {
	list := []layout.File{{Path: cacheDir, Dir: true}}
	for _, name := range []string{"etcd", "etcdctl", "etcdutl"} {
		list = append(list, layout.File{Path: binDir + "/" + name, Mode: 0o755})
	}
	return list
}

// installProgram installs etcd, etcdctl and etcdutl unless the wanted version is there.
func (o Options) installProgram(ctx context.Context, t *remote.Target, f facts) error {
	if o.Source == SourceDistribution || f.version == o.Version {
		return nil
	}
	archive := cacheDir + "/etcd-" + o.Version + ".tar.gz"
	argv := []string{o.Version, archive, strings.ToLower(o.SHA256), o.DownloadURL(f.arch)}
	hint := "check etcd.version, etcd.url and etcd.sha256; hosts that cannot reach the release " +
		"page take etcd.source: archive"
	if o.Source == SourceArchive {
		if err := o.upload(ctx, t, archive); err != nil {
			return err
		}
		argv, hint = argv[:3], "check that etcd.archive is a release archive of etcd for the "+
			"hosts' architecture"
	}
	_, err := t.Do(ctx, "etcd "+o.Version, "installed",
		remote.Cmd{Script: installScript, Argv: argv,
			Timeout: downloadTimeout})
	return remote.WithHint(err, hint)
}

// DownloadURL is where a host with this architecture, by Debian's name, gets the archive from.
func (o Options) DownloadURL(arch string) string {
	if o.URL != "" {
		return o.URL
	}
	o = o.withDefaults()
	return fmt.Sprintf(
		"https://github.com/etcd-io/etcd/releases/download/v%[1]s/etcd-v%[1]s-linux-%[2]s.tar.gz",
		o.Version, arch)
}

// upload sends the archive once its checksum is right here; install.sh checks what arrived.
func (o Options) upload(ctx context.Context, t *remote.Target, path string) error {
	f, err := os.Open(o.Archive)
	if err != nil {
		return fmt.Errorf("open etcd archive: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("read etcd archive: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, o.SHA256) {
		return fmt.Errorf("check etcd archive %s: its SHA256 is %s, not %s", o.Archive, got,
			o.SHA256)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read etcd archive: %w", err)
	}
	if _, err := t.Ensure(ctx, remote.Dir{FileMeta: remote.FileMeta{Path: cacheDir}}); err != nil {
		return err
	}
	_, err = t.Put(ctx, f, remote.FileMeta{Path: path, Mode: 0o600})
	return err
}
