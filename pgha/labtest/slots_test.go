package labtest

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// testSlots declares a logical slot and lets a consumer read it through the virtual IP over some
// switchovers under a writer: it gets every row. A slot that a consumer made by itself is left
// alone by Patroni, and a switchover that would part the two is refused by its name. One that is
// declared no more is dropped everywhere, but not while somebody reads it.
func testSlots(t *testing.T, s site) {
	before := string(must(os.ReadFile(s.specFile))(t))
	declared := edited(t, before, "postgresql: {",
		"postgresql: {slots: [{name: cdc, database: postgres, plugin: test_decoding}], ")
	writeFile(t, s.specFile, []byte(declared))
	s.apply(t, pgha.ApplyOptions{})
	s.verb(t, nil, "restart", "--pending")
	s.awaitCopies(t, "cdc")

	leader, other := s.leader(t)
	s.sql(t, leader, "SELECT pg_create_logical_replication_slot('own', 'pgoutput')")
	s.mustInHost(t, s.hostOf(t, leader), "systemctl kill -s KILL patroni")
	s.awaitRefused(t, "{name: own, database: postgres, plugin: pgoutput}",
		"switchover", "--to", other, "--dry-run")
	s.sql(t, leader, "SELECT pg_drop_replication_slot('own')")
	s.awaitHealthy(t)

	s.sql(t, leader, "CREATE TABLE streamed (id int)")
	consumer := s.consume(t, "cdc")
	write := s.writeStreamed(t)
	switchovers := times(2, 5)
	for range switchovers {
		var result struct {
			NewLeader string `json:"new_leader"`
		}
		s.verb(t, &result, "switchover")
	}
	written := write()
	var seen map[int]int
	await(t, time.Minute, "the consumer to have every row", func() (bool, string) {
		seen = consumer.rows(t)
		lost := 0
		for _, id := range written {
			if seen[id] == 0 {
				lost++
			}
		}
		return lost == 0, fmt.Sprintf("%d of %d rows are missing", lost, len(written))
	})
	twice := 0
	for _, n := range seen {
		twice += n - 1
	}
	t.Logf("%d of %d rows reached the consumer over %d switchovers, %d of them twice",
		len(written), len(written), switchovers, twice)

	writeFile(t, s.specFile, []byte(before))
	s.awaitRefused(t, "somebody reads that slot", "plan") // it may be connecting again just now
	consumer.stop()
	leader, _ = s.leader(t)
	await(t, time.Minute, "nobody to read the slot", func() (bool, string) {
		active := s.sql(t, leader, "SELECT active FROM pg_replication_slots WHERE slot_name = 'cdc'")
		return active == "f", active
	})
	s.apply(t, pgha.ApplyOptions{})
	for _, h := range s.databases() {
		if n := s.sql(t, h.Member, "SELECT count(*) FROM pg_replication_slots WHERE "+
			"slot_type = 'logical'"); n != "0" {
			t.Errorf("%s still has %s logical slots", h.Member, n)
		}
	}
	s.verb(t, nil, "restart", "--pending")
	leader, _ = s.leader(t)
	s.sql(t, leader, "DROP TABLE streamed")
}

// awaitRefused waits until a command is refused with the words.
func (s site) awaitRefused(t *testing.T, words string, args ...string) {
	t.Helper()
	await(t, time.Minute, fmt.Sprintf("%v to be refused", args), func() (bool, string) {
		got := s.cli(t, args...)
		return got.code != 0 && strings.Contains(got.stderr, words), got.stdout + got.stderr
	})
}

// awaitCopies waits until every member has the slot. Patroni restarts the replicas to copy it.
func (s site) awaitCopies(t *testing.T, name string) {
	t.Helper()
	await(t, 2*time.Minute, "copies of slot "+name, func() (bool, string) {
		for _, h := range s.databases() {
			out, _ := s.inHost(t, h.Name, psqlIn("SELECT count(*) FROM pg_replication_slots WHERE "+
				"slot_name = '"+name+"'"))
			if !strings.Contains(out, "1") {
				return false, h.Name + ": " + out
			}
		}
		return true, ""
	})
	s.awaitHealthy(t)
}

// consumer is a pg_recvlogical that reads through the virtual IP, and connects again when it is cut
// off.
type consumer struct {
	file string
	stop func()
}

func (s site) consume(t *testing.T, slot string) consumer {
	t.Helper()
	dsn := must(pgha.ConnectionFor(s.spec(t)))(t).DSN
	file := t.TempDir() + "/rows"
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			var said strings.Builder
			_, _ = s.Run(ctx, []string{"pg_recvlogical", "-d", dsn, "--slot", slot, "--start",
				"--no-loop", "--fsync-interval", "1", "--status-interval", "1", "-f", file},
				lab.Stdio{Out: &said, Err: &said})
			select {
			case <-ctx.Done():
			case <-time.After(300 * time.Millisecond):
			}
		}
	})
	stop := sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return consumer{file, stop}
}

var streamedRow = regexp.MustCompile(`table public\.streamed: INSERT: id\[integer\]:(\d+)`)

// rows are the ids that came, with how often each did.
func (c consumer) rows(t *testing.T) map[int]int {
	t.Helper()
	text, err := os.ReadFile(c.file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	seen := map[int]int{}
	for _, m := range streamedRow.FindAllStringSubmatch(string(text), -1) {
		id, _ := strconv.Atoi(m[1])
		seen[id]++
	}
	return seen
}

// writeStreamed inserts rows through the virtual IP, fifty a second, until the function that it
// returns is called, which returns the ids that were acknowledged.
func (s site) writeStreamed(t *testing.T) func() []int {
	t.Helper()
	cfg := s.writerConfig(t)
	cfg.ConnectTimeout = 2 * time.Second
	var done atomic.Bool
	var acked []int
	var wg sync.WaitGroup
	wg.Go(func() {
		var conn *pgx.Conn
		for id := 1; !done.Load(); id++ {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			var err error
			if conn == nil || conn.IsClosed() {
				conn, err = pgx.ConnectConfig(ctx, cfg)
			}
			if err == nil {
				_, err = conn.Exec(ctx, "INSERT INTO streamed VALUES ($1)", id)
			}
			if err == nil {
				acked = append(acked, id)
			}
			cancel()
			<-time.After(20 * time.Millisecond)
		}
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(t.Context()))
		}
	})
	return func() []int {
		done.Store(true)
		wg.Wait()
		return acked
	}
}
