package trail

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/record"
	"github.com/pgha/toolkit/pgha/remote"
)

// File is the trail that each host keeps of what was done to the cluster, a JSON object a line, the
// newest last, readable by root.
const File = "/var/log/pgha/operations.jsonl"

// appendAudit adds standard input to the trail and keeps the file below two megabytes, newest lines
// last.
//
//go:embed append.sh
var appendAudit string

// auditWait bounds the writing of the trail: an operation on a half-dead cluster must not wait for
// the dead half.
const auditWait = 5 * time.Second

// OperationRecord is one operation as the hosts remember it.
type OperationRecord = record.Operation

// RecordedChange is one change of an operation, without its diff.
type RecordedChange = record.Change

// Trail is one operation that is being recorded.
type Trail struct {
	cluster *site.Site
	record  OperationRecord
}

// Begin writes down on every host that an operation begins, and returns what has to be called at
// its end. The trail is no condition: hosts that cannot keep it are named in the log.
func Begin(ctx context.Context, c *site.Site, verb, holder string) *Trail {
	a := &Trail{c, OperationRecord{ID: rand.Text(),
		Time: time.Now().UTC().Truncate(time.Millisecond),
		Verb: verb, Holder: cmp.Or(holder, vault.WhoAmI())}}
	a.write(ctx)
	return a
}

// End writes down how the operation ended, on each host with the changes made there.
func (a *Trail) End(ctx context.Context, changes []remote.Change, err error) {
	a.record.Finished = true
	a.record.Seconds = time.Since(a.record.Time).Round(time.Millisecond).Seconds()
	if err != nil {
		a.record.Error = err.Error()
	}
	for _, ch := range changes {
		a.record.Changes = append(a.record.Changes, RecordedChange{Host: ch.Host, Kind: ch.Kind,
			Name: ch.Name, Action: ch.Action})
	}
	a.write(ctx)
}

func (a *Trail) write(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditWait)
	defer cancel()
	err := remote.Each(ctx, a.cluster.Targets(), func(ctx context.Context, t *remote.Target) error {
		own := a.record
		own.Changes = slices.DeleteFunc(slices.Clone(own.Changes),
			func(ch RecordedChange) bool { return ch.Host != t.Name })
		line, err := json.Marshal(own)
		if err != nil {
			return err
		}
		_, err = t.Run(ctx, remote.Cmd{Argv: []string{"sh", "-c", appendAudit, "audit", File},
			Stdin: bytes.NewReader(append(line, '\n')), Mutating: true})
		return err
	})
	if err != nil {
		a.cluster.Log.Warn("the trail of operations is not complete", "error", err)
	}
}

// Operations returns what was done to the cluster, the oldest first, as the hosts that answer
// remember it: an operation that only some of them know is there, too. Changes nothing.
func Operations(ctx context.Context, c *site.Site) ([]OperationRecord, error) {
	var mu sync.Mutex
	byID := map[string]OperationRecord{}
	err := remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		in, err := t.Get(ctx, File)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the trail of operations: %w", err)
		}
		defer in.Close()
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var r OperationRecord
			if json.Unmarshal(lines.Bytes(), &r) != nil || r.ID == "" {
				continue // a line that a power loss has cut
			}
			mu.Lock()
			byID[r.ID] = joined(byID[r.ID], r)
			mu.Unlock()
		}
		return lines.Err()
	})
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(byID), func(a, b OperationRecord) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	}), nil
}

// joined puts together what two hosts, or the beginning and the end on one host, report an
// operation.
func joined(a, b OperationRecord) OperationRecord {
	if b.Finished && !a.Finished {
		a, b = b, a
	}
	if a.ID == "" {
		a = b
		b.Changes = nil
	}
	a.Changes = append(slices.Clone(a.Changes), b.Changes...)
	slices.SortStableFunc(a.Changes, func(x, y RecordedChange) int {
		return cmp.Compare(x.Host, y.Host)
	})
	if a.Changes == nil {
		a.Changes = []RecordedChange{}
	}
	return a
}
