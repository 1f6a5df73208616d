package status

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/spec"
)

// BackupStatus is what there is of backups.
type BackupStatus struct {
	// Newest is the last backup, Proof the last one that was restored to prove it; nil for none.
	Newest *backup.Set   `json:"newest,omitempty"`
	Proof  *backup.Proof `json:"proof,omitempty"`
	// Kept is a restore that nobody has confirmed: the data of before is still there.
	Kept *KeptRestore `json:"kept,omitempty"`
	// TooOld: there is no backup that is as new as the specification promises (slo.backup_age).
	// Unproven: none was restored in the time that it promises (slo.restore_proof_age), or the last
	// one was not good. Both are false where the repository does not answer.
	TooOld   bool `json:"too_old,omitempty"`
	Unproven bool `json:"unproven,omitempty"`
	// Warnings say both in words, and what did not answer. They do not make a cluster unhealthy,
	// which works without backups; verify fails for them.
	Warnings []string `json:"warnings,omitempty"`
}

// KeptRestore is a restore that can still be taken back.
type KeptRestore struct {
	// Target is what the cluster went back to, Set the label of the backup it began with.
	Target string `json:"target"`
	Set    string `json:"backup"`
	// By and Since say who restored, and when.
	By    string    `json:"by"`
	Since time.Time `json:"since"`
	// Directory is where each database host has the data of before.
	Directory string `json:"directory"`
	// Order is what taking it back needs, as it was written.
	Order json.RawMessage `json:"order"`
}

// String says it in a line.
func (k KeptRestore) String() string {
	return fmt.Sprintf("restored to %s by %s, %s; the data of before is kept as %s", k.Target, k.By,
		k.Since.UTC().Format(time.RFC3339), k.Directory)
}

// Kept returns the restore that is not confirmed; nil if there is none. The error matches
// etcd.ErrUnhealthy where etcd does not answer.
func Kept(ctx context.Context, c *site.Site) (*KeptRestore, error) {
	o, err := c.EtcdOptions()
	if err != nil {
		return nil, err
	}
	keys, err := etcd.Keys(ctx, o, c.RestoreKey())
	text, found := keys[""]
	if err != nil || !found {
		return nil, err
	}
	var k KeptRestore
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return nil, fmt.Errorf("read the record of the last restore: %w", err)
	}
	return &k, nil
}

// Backup looks at the backups, in three round trips at the same time; nil where the specification
// has none. What does not answer is among the warnings.
func Backup(ctx context.Context, c *site.Site, now time.Time) *BackupStatus {
	o, ok, err := c.BackupOptions()
	if !ok || err != nil {
		return nil
	}
	var s BackupStatus
	var inventory backup.Inventory
	var proof backup.Proof
	var proven bool
	var listErr, proofErr error
	var wg sync.WaitGroup
	wg.Go(func() { inventory, listErr = backup.List(ctx, o) })
	wg.Go(func() { proof, proven, proofErr = backup.LastProof(ctx, o) })
	wg.Go(func() { s.Kept, _ = Kept(ctx, c) }) // without a quorum the etcd part says so
	wg.Wait()
	if newest, any := inventory.Newest(); any {
		s.Newest = &newest
	}
	if proven {
		s.Proof = &proof
	}
	if listErr == nil {
		s.hold(c.Spec.SLO, inventory, now)
	}
	for _, err := range []error{listErr, proofErr} {
		if err != nil {
			s.Warnings = append(s.Warnings, oneLine(err))
		}
	}
	return &s
}

// BackupGap looks whether the log in the archive reaches from the newest backup to its end, along
// the timelines: Missing of the answer is the segment that does not, and To the last moment that
// can be reached. false without backups. It lists the archive, which takes a second where there are
// tens of thousands of segments.
func BackupGap(ctx context.Context, c *site.Site) (backup.Window, bool, error) {
	o, ok, err := c.BackupOptions()
	if !ok || err != nil {
		return backup.Window{}, false, err
	}
	inventory, err := backup.List(ctx, o)
	newest, any := inventory.Newest()
	if err != nil || !any {
		return backup.Window{}, false, err
	}
	archive, err := backup.ReadArchive(ctx, o)
	if err != nil {
		return backup.Window{}, false, err
	}
	return backup.Windows([]backup.Set{newest}, archive, inventory.System,
		archive.Timeline())[0], true, nil
}

// hold holds the backups to what the specification promises.
func (s *BackupStatus) hold(slo spec.SLO, i backup.Inventory, now time.Time) {
	newest, any := i.Newest()
	if !any {
		s.TooOld, s.Warnings = true, []string{"there is no backup yet"}
		return
	}
	if age := now.Sub(newest.Stop); age > slo.BackupAge {
		s.TooOld = true
		s.Warnings = append(s.Warnings, fmt.Sprintf("the last backup is %s old, and slo.backup_age is %s",
			age.Round(time.Minute), slo.BackupAge))
	}
	since := i.Sets[0].Stop // a cluster is not blamed for the time before its first backup
	switch {
	case s.Proof != nil && !s.Proof.Proven:
		s.Unproven = true
		s.Warnings = append(s.Warnings,
			"the last proof of a backup failed; the verb backup drill says why")
	case s.Proof != nil:
		since = s.Proof.Began
	}
	if age := now.Sub(since); age > slo.RestoreProofAge {
		s.Unproven = true
		s.Warnings = append(s.Warnings, fmt.Sprintf("no backup was restored to prove it for %s, and "+
			"slo.restore_proof_age is %s", age.Round(time.Minute), slo.RestoreProofAge))
	}
}
