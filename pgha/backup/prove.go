package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// Proof is what came of restoring a backup beside the running server.
type Proof struct {
	// Began is when; Proven that everything was right, Problems what was not.
	Began    time.Time `json:"began"`
	Proven   bool      `json:"proven"`
	Problems []string  `json:"problems"`
	// Backup is the label of the one that was restored.
	Backup string `json:"backup"`
	// RestoreSeconds is how long the copy took, ReplaySeconds the replay of the log after it, and
	// RecoverySeconds both: the recovery time.
	RestoreSeconds  float64 `json:"restore_seconds"`
	ReplaySeconds   float64 `json:"replay_seconds"`
	RecoverySeconds float64 `json:"recovery_seconds"`
	// RecoveryPointSeconds is the recovery point: how old the newest row was that came back, of
	// those that the primary writes each minute. So up to a minute of it is the row's.
	RecoveryPointSeconds float64 `json:"recovery_point_seconds"`
	// LastCommit is the last one that came back; "" if none followed the backup.
	LastCommit string `json:"last_commit,omitempty"`
	// Databases and Indexes were read: every B-tree was compared with its table. Pages tells
	// whether the checksums of all pages were, which a cluster without them has not.
	Databases int  `json:"databases"`
	Indexes   int  `json:"indexes"`
	Pages     bool `json:"pages"`
	// Seconds is how long all of it took.
	Seconds float64 `json:"seconds"`
	// Host is where.
	Host string `json:"host"`
}

// proofHost is the host on which backups are proven.
func (o Options) proofHost() *remote.Target {
	i := slices.IndexFunc(o.Databases, func(h Host) bool { return name(h) == o.ProofHost })
	return o.Databases[max(i, 0)].Target
}

// Prove restores the newest backup on ProofHost, beside the running server: into a directory of its
// own next to the data, with a server that is reached through a socket of its own there and
// archives nothing. It replays all of the log that is archived, reads every index and every page,
// and deletes the copy. It runs as a unit there, so that it continues when this program ends.
//
// A proof that failed is no error: its Problems say why. The error is that it could not be tried.
// The host needs room for a copy of the databases; without it that is the problem.
func Prove(ctx context.Context, o Options) (Proof, error) {
	o = o.WithDefaults()
	t := o.proofHost()
	before, _, err := LastProof(ctx, o)
	if err != nil {
		return Proof{}, err
	}
	start := time.Now()
	err = o.runUnit(ctx, t, proofUnit+".service", "proof", func(context.Context) {
		o.Progress(fmt.Sprintf("restoring and reading the newest backup on %s: %s", t.Name,
			time.Since(start).Round(5*time.Second)))
	})
	if err != nil || t.Planning() {
		return Proof{}, err
	}
	proof, ok, err := LastProof(ctx, o)
	if err == nil && (!ok || proof.Began.Equal(before.Began)) {
		err = fmt.Errorf("%w: %s wrote no result", ErrFailed, proofUnit)
	}
	return proof, err
}

// LastProof returns the last proof; false if there was none. Changes nothing.
func LastProof(ctx context.Context, o Options) (Proof, bool, error) {
	o = o.WithDefaults()
	t := o.proofHost()
	res, err := t.Run(ctx, remote.Cmd{Timeout: lookTimeout,
		Argv: []string{"sh", "-c", `[ ! -e "$1" ] || cat "$1"`, "sh", proofResult}})
	if err != nil {
		return Proof{}, false, fmt.Errorf("read the last proof: %w", remote.OnHost(t.Name, err))
	}
	if strings.TrimSpace(string(res.Stdout)) == "" {
		return Proof{}, false, nil
	}
	p := Proof{Host: t.Name}
	if err := json.Unmarshal(res.Stdout, &p); err != nil {
		return Proof{}, false, fmt.Errorf("read the last proof: %w", remote.OnHost(t.Name, err))
	}
	return p, true, nil
}
