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
	"time"

	"github.com/pgha/toolkit/internal/etcdrelease"
)

// etcdBuild is one release of etcd, compiled into a folder of the cache of its own: another
// release, of another checkout or of a test, leaves it as it is.
type etcdBuild struct {
	version string
	dir     string
}

func (c cache) etcd(version string) etcdBuild {
	return etcdBuild{version, c.path("etcd", version)}
}

const etcdSums = "SHA256SUMS"

func (b etcdBuild) module() string {
	text := "module etcdbuild\n\ngo 1.26\n\nrequire (\n"
	for _, program := range etcdPrograms {
		text += "\t" + program.module + " v" + b.version + "\n"
	}
	return text + ")\n"
}

var etcdPrograms = []struct{ name, module string }{
	{"etcd", "go.etcd.io/etcd/server/v3"},
	{"etcdctl", "go.etcd.io/etcd/etcdctl/v3"},
	{"etcdutl", "go.etcd.io/etcd/etcdutl/v3"},
}

// archiveName is the one that the project gives its release archives.
func (b etcdBuild) archiveName() string {
	return "etcd-v" + b.version + "-linux-" + runtime.GOARCH + ".tar.gz"
}

// ensureEtcd compiles a release from its Go modules, unless the cache has it.
func ensureEtcd(ctx context.Context, c cache, version string, p progress) error {
	if err := etcdrelease.Check(version); err != nil {
		return fmt.Errorf("build etcd: %w", err)
	}
	b := c.etcd(version)
	unlock, err := lock(ctx, c.lock("etcd-"+version), true)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(b.dir, etcdSums)); err == nil {
		return nil
	}
	err = p.step("", "etcd", "compiling etcd "+version, func() error { return b.build(ctx) })
	if err != nil {
		return fmt.Errorf("build etcd %s: %w", version, err)
	}
	return nil
}

func (b etcdBuild) build(ctx context.Context) error {
	work := filepath.Join(b.dir, ".building")
	if err := removeTree(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	if err := b.compile(ctx, work); err != nil {
		return err
	}
	archive := filepath.Join(work, b.archiveName())
	sum, err := b.pack(archive, work)
	if err != nil {
		return err
	}
	sums := filepath.Join(work, etcdSums)
	if err := os.WriteFile(sums, []byte(sum+"  "+b.archiveName()+"\n"), 0o644); err != nil {
		return err
	}
	// The sums come last: they are what tells that the archive is complete.
	if err := os.Rename(archive, filepath.Join(b.dir, b.archiveName())); err != nil {
		return err
	}
	return os.Rename(sums, filepath.Join(b.dir, etcdSums))
}

func (b etcdBuild) compile(ctx context.Context, work string) error {
	if err := os.WriteFile(filepath.Join(work, "go.mod"), []byte(b.module()), 0o644); err != nil {
		return err
	}
	env := append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	if err := b.download(ctx, work, env); err != nil {
		return err
	}
	for _, program := range etcdPrograms {
		err := runIsolated(ctx, io.Discard, nil, env, "go", "build", "-C", work, "-trimpath",
			"-buildvcs=false",
			"-ldflags=-s -w", "-o", program.name, program.module)
		if err != nil {
			return fmt.Errorf("compile %s: %w", program.name, err)
		}
	}
	return nil
}

// The Go command waits for as long as a proxy is silent. What it has got by then stays in its
// cache, so another try continues from there.
const (
	downloadTries   = 4
	downloadTimeout = 3 * time.Minute
)

// download gets the modules of all programs, and compiles nothing.
func (b etcdBuild) download(ctx context.Context, work string, env []string) error {
	argv := []string{"go", "list", "-C", work, "-deps"}
	for _, program := range etcdPrograms {
		argv = append(argv, program.module)
	}
	var err error
	for range downloadTries {
		try, cancel := context.WithTimeoutCause(ctx, downloadTimeout,
			fmt.Errorf("not complete after %s", downloadTimeout))
		err = runIsolated(try, io.Discard, nil, env, argv...)
		silent := try.Err() != nil && ctx.Err() == nil
		cancel()
		if !silent {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("download the modules of etcd: %w", err)
	}
	return nil
}

// pack writes the archive and returns its checksum. Names, order and times are fixed, so that the
// same binaries give the same archive.
func (b etcdBuild) pack(archive, work string) (sum string, err error) {
	f, err := os.Create(archive)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	zip := gzip.NewWriter(io.MultiWriter(f, hash))
	out := tar.NewWriter(zip)
	dir := strings.TrimSuffix(b.archiveName(), ".tar.gz")
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/",
		Mode: 0o755}); err != nil {
		return "", err
	}
	for _, program := range etcdPrograms {
		if err := packFile(out, dir+"/"+program.name,
			filepath.Join(work, program.name)); err != nil {
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
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o755,
		Size: int64(len(body))}); err != nil {
		return err
	}
	_, err = out.Write(body)
	return err
}

// archive returns the path of the archive in the cache and its checksum.
func (b etcdBuild) archive() (path, sum string, err error) {
	sums, err := os.ReadFile(filepath.Join(b.dir, etcdSums))
	if err != nil {
		return "", "", fmt.Errorf("read etcd checksum: %w", err)
	}
	sum, name, ok := strings.Cut(strings.TrimSpace(string(sums)), "  ")
	if !ok || name != b.archiveName() {
		return "", "", fmt.Errorf("read etcd checksum: %s is not listed", b.archiveName())
	}
	return filepath.Join(b.dir, name), sum, nil
}
