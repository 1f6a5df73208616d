package patroni

import (
	"context"
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Refusal is a running Patroni that will have nothing to do with the etcd it finds, because its
// Raft term is lower than one that this Patroni has seen: etcd lost its data and was formed again,
// or was restored from a snapshot. No time heals that; the Patroni has to be restarted. Seen with
// Patroni 4.1.5, which then logs StaleEtcdNode about once a second.
type Refusal struct {
	// Term is etcd's, Known the one that Patroni knew.
	Term  uint64 `json:"term"`
	Known uint64 `json:"known"`
}

// String says it in a few words.
func (r Refusal) String() string {
	return fmt.Sprintf("etcd is at term %d, and Patroni knew term %d", r.Term, r.Known)
}

var refusal = regexp.MustCompile(`Connected to Etcd node with term (\d+)\. Old known term (\d+)\.`)

// ParseRefusal finds a refusal in a line of Patroni's log.
func ParseRefusal(line string) (Refusal, bool) {
	m := refusal.FindStringSubmatch(line)
	if m == nil {
		return Refusal{}, false
	}
	term, _ := strconv.ParseUint(m[1], 10, 64)
	known, _ := strconv.ParseUint(m[2], 10, 64)
	return Refusal{term, known}, true
}

// refusing prints the last refusal that the present process of unit $1 has logged within half a
// minute.
//
//go:embed refusal.sh
var refusing string

// Refusals reads in the members' journals which members refuse their etcd at this moment, by
// member. All hosts are asked at the same time, in one round trip each; one that cannot be asked is
// left out. Changes nothing. The error is ctx's.
func Refusals(ctx context.Context, o Options) (map[string]Refusal, error) {
	found := map[string]Refusal{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range o.WithDefaults().Members {
		wg.Go(func() {
			text, err := m.Target.Output(ctx, "sh", "-c", refusing, "sh", Unit)
			if r, ok := ParseRefusal(strings.TrimSpace(text)); ok && err == nil {
				mu.Lock()
				defer mu.Unlock()
				found[m.Name] = r
			}
		})
	}
	wg.Wait()
	return found, ctx.Err()
}
