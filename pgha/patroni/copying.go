package patroni

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/patroni/host"
)

// creating is Patroni's word for a member that gets its copy of the data.
const creating = "creating replica"

// copyingEvery is how often members are asked how far the copies are that others take of them.
const copyingEvery = 2 * time.Second

// copies returns a function that says how far copies are, in words that begin with "; ", and "" while
// none is taken or nobody can say. It asks at most once per copyingEvery.
func (c *operator) copies() func(context.Context, ClusterState) string {
	var asked time.Time
	said := ""
	return func(ctx context.Context, state ClusterState) string {
		under := false
		for _, m := range state.Members {
			under = under || m.State == creating
		}
		switch {
		case !under:
			said = ""
		case time.Since(asked) >= copyingEvery:
			said, asked = c.copied(ctx, state), time.Now()
		}
		return said
	}
}

// copied asks all healthy members.
func (c *operator) copied(ctx context.Context, state ClusterState) string {
	words := make([]string, len(c.options.Members))
	_ = parallel.Each(c.options.Members, func(i int, m Member) error {
		if m.Target.LeftOut || !state.Healthy(m.Name) {
			return nil
		}
		res, err := m.Target.Run(ctx, host.Copies(c.options))
		if streamed, total, there := sizes(string(res.Stdout)); err == nil && there {
			words[i] = fmt.Sprintf("; %s of about %s copied from %s", bytesize.Text(streamed), bytesize.Text(total),
				m.Name)
		}
		return nil
	})
	return strings.Join(words, "")
}

// sizes reads "STREAMED|TOTAL".
func sizes(text string) (streamed, total int64, there bool) {
	first, second, _ := strings.Cut(strings.TrimSpace(text), "|")
	streamed, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	total, err = strconv.ParseInt(second, 10, 64)
	return streamed, total, err == nil
}
