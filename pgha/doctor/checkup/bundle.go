package checkup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Bundled is an archive for support.
type Bundled struct {
	// Name is a good name for the file.
	Name string
	// Archive is the .tar.gz itself, Files what is in it.
	Archive []byte
	Files   []string
}

// bundleLines is how much of each journal is packed.
const bundleLines = "2000"

// Bundle packs facts, findings, the specification, configurations and the ends of the journals.
// Whatever looks like a secret is blotted out, private keys and password files are never read, and
// query texts are left out with the journal's STATEMENT lines. A host that does not answer is
// missing, with the reason in its place. Changes nothing.
func Bundle(ctx context.Context, c *pgha.Cluster, opts Options) (Bundled, error) {
	facts, err := Collect(ctx, c, opts)
	if err != nil {
		return Bundled{}, err
	}
	var diagnosis any = doctor.Diagnose(facts)
	if opts.Write != nil {
		diagnosis = opts.Write(doctor.Diagnose(facts))
	}
	files := map[string][]byte{}
	for name, v := range map[string]any{"facts.json": facts, "diagnosis.json": diagnosis} {
		if files[name], err = redactedJSON(v); err != nil {
			return Bundled{}, fmt.Errorf("bundle: %w", err)
		}
	}
	if files["spec.yaml"], err = yaml.Marshal(c.Spec); err != nil {
		return Bundled{}, fmt.Errorf("bundle: %w", err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, h := range c.Spec.Hosts {
		wg.Go(func() {
			got := gatherFiles(ctx, c, h)
			mu.Lock()
			defer mu.Unlock()
			for name, content := range got {
				files[path.Join(h.Name, name)] = content
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return Bundled{}, fmt.Errorf("bundle: %w", err)
	}
	stem := fmt.Sprintf("pgha-%s-%s", c.Spec.Cluster, facts.Time.UTC().Format("20060102T150405Z"))
	b := Bundled{Name: stem + ".tar.gz"}
	b.Archive, b.Files, err = pack(stem, facts.Time, files)
	return b, err
}

// bundleQuestions are what is packed of a host: file names in the bundle, and the commands whose
// output they hold.
func bundleQuestions(sp *spec.Spec, h spec.Host) (names []string, argvs [][]string) {
	add := func(name string, argv ...string) {
		names, argvs = append(names, name), append(argvs, argv)
	}
	for _, u := range unitsOf(sp, h) {
		add("journal-"+strings.TrimSuffix(u, ".service")+".log", "journalctl", "-q",
			"--no-pager", "-o",
			"short-iso", "-n", bundleLines, "-u", u)
		add("unit-"+u, "systemctl", "cat", "--no-pager", u)
	}
	add("kernel.log", "journalctl", "-q", "--no-pager", "-o", "short-iso", "-k", "-n", "300")
	add("operations.jsonl", "tail", "-n", "200", "/var/log/pgha/operations.jsonl")
	add("network.txt", "ip", "addr")
	add("listeners.txt", "ss", "-ltnp")
	add("processes.txt", "ps", "-eo", "pid,ppid,stat,user,etime,comm")
	add("disks.txt", "df", "-hT")
	if h.Has(spec.RoleBalancer) {
		add("haproxy.cfg", "cat", "/etc/haproxy/haproxy.cfg")
		add("keepalived.conf", "cat", "/etc/keepalived/keepalived.conf")
	}
	if sp.Runs(h, spec.RoleEtcd) {
		add("etcd.env", "cat", "/etc/etcd/etcd.env")
	}
	if !h.Has(spec.RoleDatabase) {
		return names, argvs
	}
	add("patroni-config.yml", "cat", "/etc/patroni/config.yml")
	add("pg_hba.conf", "cat", sp.PostgreSQL.DataDir+"/pg_hba.conf")
	add("postgresql.conf", "cat", sp.PostgreSQL.DataDir+"/postgresql.conf")
	add("postgresql.auto.conf", "cat", sp.PostgreSQL.DataDir+"/postgresql.auto.conf")
	add("patroni.dynamic.json", "cat", sp.PostgreSQL.DataDir+"/patroni.dynamic.json")
	return names, argvs
}

func gatherFiles(ctx context.Context, c *pgha.Cluster, h spec.Host) map[string][]byte {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	names, argvs := bundleQuestions(c.Spec, h)
	t, err := c.Target(h.Name)
	var results []remote.Result
	if err == nil {
		results, err = t.Batch(ctx, argvs...)
	}
	if err != nil {
		return map[string][]byte{"error.txt": []byte(err.Error() + "\n")}
	}
	files := map[string][]byte{}
	for i, name := range names {
		files[name] = results[i].Stdout
		if len(results[i].Stdout) == 0 {
			line, err := shell.Join(argvs[i])
			if err != nil {
				line = argvs[i][0]
			}
			files[name] = fmt.Appendf(nil, "(nothing: exit code %d of %s)\n",
				results[i].ExitCode, line)
		}
	}
	return files
}

// pack redacts every file and makes the archive, in a stable order.
func pack(stem string, at time.Time,
	files map[string][]byte) (archive []byte, names []string, err error) {
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	out := tar.NewWriter(zipped)
	for _, name := range sortedKeys(files) {
		content := Redact(files[name])
		header := &tar.Header{Name: stem + "/" + name, Mode: 0o600, Size: int64(len(content)),
			ModTime: at}
		if err = out.WriteHeader(header); err == nil {
			_, err = out.Write(content)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("pack %s: %w", name, err)
		}
		names = append(names, name)
	}
	if err = out.Close(); err == nil {
		err = zipped.Close()
	}
	return buf.Bytes(), names, err
}
