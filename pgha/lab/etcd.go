package lab

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// etcdVersion is the release of etcd that the lab compiles for its hosts.
const etcdVersion = "3.6.10"

var etcdModule = `module etcdbuild

go 1.24

require (
	go.etcd.io/etcd/etcdctl/v3 v` + etcdVersion + `
	go.etcd.io/etcd/etcdutl/v3 v` + etcdVersion + `
	go.etcd.io/etcd/server/v3 v` + etcdVersion + `
)
`

func etcdArchiveName() string {
	return "etcd-v" + etcdVersion + "-linux-" + runtime.GOARCH + ".tar.gz"
}

// ensureEtcd returns the path of an archive laid out like the project's
// release archive, compiled from its Go modules if it is not there yet.
func ensureEtcd(ctx context.Context, c cache, p progress) (string, error) {
	archive := filepath.Join(c.etcd(), etcdArchiveName())
	unlock, err := lock(ctx, c.lock("etcd"), true)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(c.etcd(), "SHA256SUMS")); err == nil {
		return archive, nil
	}
	err = p.step("", "etcd", "building image: compiling etcd "+etcdVersion, func() error { return buildEtcd(ctx, c) })
	if err != nil {
		return "", fmt.Errorf("build etcd: %w", err)
	}
	return archive, nil
}

func buildEtcd(ctx context.Context, c cache) error {
	if err := os.MkdirAll(c.etcd(), 0o755); err != nil {
		return err
	}
	work := filepath.Join(c.etcd(), ".building")
	if err := removeTree(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	if err := compileEtcd(ctx, work); err != nil {
		return err
	}
	archive := filepath.Join(work, etcdArchiveName())
	sum, err := packEtcd(archive, work)
	if err != nil {
		return err
	}
	sums := filepath.Join(work, "SHA256SUMS")
	if err := os.WriteFile(sums, []byte(sum+"  "+etcdArchiveName()+"\n"), 0o644); err != nil {
		return err
	}
	// The sums come last: they are what tells that the archive is complete.
	return errors.Join(
		os.Rename(archive, filepath.Join(c.etcd(), etcdArchiveName())),
		os.Rename(sums, filepath.Join(c.etcd(), "SHA256SUMS")))
}

func compileEtcd(ctx context.Context, work string) error {
	if err := os.WriteFile(filepath.Join(work, "go.mod"), []byte(etcdModule), 0o644); err != nil {
		return err
	}
	for output, pkg := range map[string]string{
		"etcd": "server", "etcdctl": "etcdctl", "etcdutl": "etcdutl",
	} {
		env := append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
		err := runIsolated(ctx, io.Discard, nil, env, "go", "build", "-C", work, "-trimpath", "-buildvcs=false",
			"-ldflags=-s -w", "-o", output, "go.etcd.io/etcd/"+pkg+"/v3")
		if err != nil {
			return fmt.Errorf("compile %s: %w", output, err)
		}
	}
	return nil
}

// packEtcd writes the archive and returns its checksum. Names, order and
// times are fixed, so that the same binaries give the same archive.
func packEtcd(archive, work string) (sum string, err error) {
	f, err := os.Create(archive)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	zip := gzip.NewWriter(io.MultiWriter(f, hash))
	out := tar.NewWriter(zip)
	dir := strings.TrimSuffix(etcdArchiveName(), ".tar.gz")
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
		return "", err
	}
	for _, name := range []string{"etcd", "etcdctl", "etcdutl"} {
		if err := packFile(out, dir+"/"+name, filepath.Join(work, name)); err != nil {
			return "", err
		}
	}
	if err := errors.Join(out.Close(), zip.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func packFile(out *tar.Writer, name, path string) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(body))}); err != nil {
		return err
	}
	_, err = out.Write(body)
	return err
}

// etcdArchive returns the archive kept in the cache and its checksum.
func etcdArchive(c cache) (path, sum string, err error) {
	sums, err := os.ReadFile(filepath.Join(c.etcd(), "SHA256SUMS"))
	if err != nil {
		return "", "", fmt.Errorf("read etcd checksum: %w", err)
	}
	sum, name, ok := strings.Cut(strings.TrimSpace(string(sums)), "  ")
	if !ok || name != etcdArchiveName() {
		return "", "", fmt.Errorf("read etcd checksum: %s is not listed", etcdArchiveName())
	}
	return filepath.Join(c.etcd(), name), sum, nil
}

func copyEtcd(c cache, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make etcd directory: %w", err)
	}
	for _, name := range []string{etcdArchiveName(), "SHA256SUMS"} {
		body, err := os.ReadFile(filepath.Join(c.etcd(), name))
		if err != nil {
			return fmt.Errorf("copy etcd archive: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			return fmt.Errorf("copy etcd archive: %w", err)
		}
	}
	return nil
}
