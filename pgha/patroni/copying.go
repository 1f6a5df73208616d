package patroni

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/patroni/rest"
)

// Copy is a base backup that a member takes of another one.
type Copy struct {
	// From is the member that sends it, To the one that gets it.
	From, To string
	// Streamed of about Total bytes have been sent; Total is the size of the databases.
	Streamed, Total int64
}

// String says it in words: "copying to m3 from m2: 1.2 of 3.4 GiB (35 %)".
func (c Copy) String() string {
	total := max(c.Total, c.Streamed, 1)
	return fmt.Sprintf("copying to %s from %s: %s of %s (%d %%)", c.To, c.From,
		bytesize.Text(c.Streamed), bytesize.Text(total), 100*c.Streamed/total)
}

// Copies asks every member, all at the same time, which copies other members take of it. A member
// that cannot say is left out. Changes nothing.
func Copies(ctx context.Context, o Options) []Copy {
	o = o.WithDefaults()
	found := make([][]Copy, len(o.Members))
	_ = parallel.Each(o.Members, func(i int, m Member) error {
		if m.Target == nil || m.Target.LeftOut {
			return nil
		}
		res, err := m.Target.Run(ctx, host.Copies(o))
		if err == nil {
			found[i] = readCopies(o, m.Name, string(res.Stdout))
		}
		return nil
	})
	return slices.Concat(found...)
}

// readCopies reads lines of "ADDRESS|STREAMED|TOTAL". Those of no member are somebody's backup.
func readCopies(o Options, from, text string) []Copy {
	var list []Copy
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 {
			continue
		}
		streamed, err := strconv.ParseInt(f[1], 10, 64)
		total, err2 := strconv.ParseInt(f[2], 10, 64)
		to := slices.IndexFunc(o.Members, func(m Member) bool { return m.Address == f[0] })
		if err == nil && err2 == nil && to >= 0 {
			list = append(list, Copy{from, o.Members[to].Name, streamed, total})
		}
	}
	return list
}

// copyingEvery is how often members are asked how far copies are.
const copyingEvery = 2 * time.Second

// copies returns a function that says how far copies are, in words that begin with "; ", and ""
// while none is taken. It asks at most once per copyingEvery.
func (c *operator) copies() func(context.Context, ClusterState) string {
	var asked time.Time
	said := ""
	return func(ctx context.Context, state ClusterState) string {
		under := slices.ContainsFunc(state.Members,
			func(m rest.MemberState) bool { return m.State == StateCreatingReplica })
		if !under {
			return ""
		}
		if time.Since(asked) < copyingEvery {
			return said
		}
		said, asked = "", time.Now()
		for _, copied := range Copies(ctx, c.options) {
			said += "; " + copied.String()
		}
		return said
	}
}
