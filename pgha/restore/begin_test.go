package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/spec"
)

// written is a specification with one host, a cluster's name and a section of backups.
func written(t *testing.T, cluster, section string) *spec.Spec {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"state", "state/secrets"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"key": "s3cret", "state/secrets/backup": "K3Y"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := spec.Parse(filepath.Join(dir, "pgha.yaml"), []byte("version: 1\ncluster: "+cluster+
		"\nstate_dir: state\nhosts: [{name: db1, address: 10.0.0.1, role: database}]\n"+section))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	onHost   = "backup: {repository: [{type: host, host: db1}]}\n"
	inBucket = "backup: {repository: [{type: s3, endpoint: s3.example.com, bucket: b, access_key: a, " +
		"key_file: key}]}\n"
)

func TestSourceOf(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	shop, host := written(t, "shop", inBucket), written(t, "shop", onHost)
	same, err := SourceOf(ctx, shop, shop, "latest")
	if err != nil || same.Repository != nil || !same.Fresh {
		t.Errorf("the cluster itself: %+v, %v", same, err)
	}
	other, err := SourceOf(ctx, shop, written(t, "staging", inBucket), "1h")
	if err != nil || other.Repository == nil || string(other.Key.Reveal()) != "K3Y" ||
		other.Cluster != "shop" || !other.Fresh {
		t.Errorf("another cluster: %+v, %v", other, err)
	}
	if _, err := SourceOf(ctx, host, written(t, "staging", inBucket), "latest"); !errors.Is(err,
		errs.ErrRefused) || !strings.Contains(err.Error(), "a directory on its host db1") {
		t.Errorf("a directory of a host's: %v", err)
	}
	twin := *shop
	twin.StateDir = t.TempDir()
	if _, err := SourceOf(ctx, shop, &twin, "latest"); !errors.Is(err, errs.ErrRefused) ||
		!strings.Contains(err.Error(), "would write in one place") {
		t.Errorf("one place for two clusters: %v", err)
	}
	if _, err := SourceOf(ctx, written(t, "shop", ""), shop, "latest"); !errors.Is(err, ErrNone) {
		t.Errorf("without backups: %v", err)
	}
	if _, err := SourceOf(ctx, shop, shop, "never"); !errors.Is(err, backup.ErrInvalid) {
		t.Errorf("no moment: %v", err)
	}
	if err := os.Remove(filepath.Join(shop.StateDir, "secrets", "backup")); err != nil {
		t.Fatal(err)
	}
	if _, err := SourceOf(ctx, shop, written(t, "staging", inBucket), "latest"); err == nil {
		t.Error("a state directory without the key is accepted")
	}
}

// TestSourceOfASealedState: the key of the backups is read from a state directory that is
// encrypted, and without the identity nothing is made of it.
func TestSourceOfASealedState(t *testing.T) {
	t.Parallel()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(identity, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shop := written(t, "shop", inBucket+"secrets: {age: {recipients: ["+id.Recipient().String()+
		"], identity_file: "+identity+"}}\n")
	if n, err := vault.EncryptState(t.Context(), shop); n != 1 || err != nil {
		t.Fatalf("%d files are encrypted, %v", n, err)
	}
	from, err := SourceOf(t.Context(), shop, written(t, "staging", inBucket), "latest")
	if err != nil || string(from.Key.Reveal()) != "K3Y" {
		t.Errorf("the key is %q, %v", from.Key.Reveal(), err)
	}
	if err := os.Remove(identity); err != nil {
		t.Fatal(err)
	}
	if _, err := SourceOf(t.Context(), shop, written(t, "staging", inBucket),
		"latest"); err == nil || !strings.Contains(err.Error(), identity) {
		t.Errorf("without the identity: %v", err)
	}
}

// TestPhases: the data is there after the repository can be read and before Patroni starts, and
// hosts with data are refused before anything.
func TestPhases(t *testing.T) {
	t.Parallel()
	phases := Phases(Source{Fresh: true})
	at := func(name string) int {
		return slices.IndexFunc(phases, func(p engine.Phase) bool { return p.Name == name })
	}
	if at("no databases") != 0 || at("data") < 0 ||
		!slices.Contains(phases[at("data")].After, "pgbackrest") ||
		!slices.Contains(phases[at("patroni")].After, "data") {
		t.Errorf("%+v", phases)
	}
	if _, err := engine.Order(phases); err != nil {
		t.Error(err)
	}
	if PhasesOf(written(t, "shop", inBucket)) != nil {
		t.Error("a specification without a beginning has phases of its own")
	}
	begins := written(t, "shop", strings.Replace(inBucket, "}]}", "}], bootstrap_from: {to: latest}}", 1))
	if phases = PhasesOf(begins); at("data") < 0 || at("no databases") >= 0 {
		t.Errorf("%+v", phases)
	}
}
