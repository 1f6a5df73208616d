package lb

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed runtime.pl
var runtimeScript string

// lookTimeout bounds one question to one balancer.
const lookTimeout = 15 * time.Second

// State asks every balancer's HAProxy for its servers, all balancers in parallel and in one round
// trip each. The result has one entry a balancer, in the order of o.Balancers; a balancer that
// can't be asked has Err set, and State itself returns an error only when the context is over or
// there are no balancers. Changes nothing; safe to repeat.
func State(ctx context.Context, o Options) ([]BalancerState, error) {
	if len(o.Balancers) == 0 {
		return nil, fmt.Errorf("%w: there is no balancer", ErrInvalid)
	}
	states := make([]BalancerState, len(o.Balancers))
	var wg sync.WaitGroup
	for i, t := range o.Balancers {
		wg.Go(func() { states[i] = look(ctx, t) })
	}
	wg.Wait()
	return states, ctx.Err()
}

// look asks through the runtime socket with a small program on the host, which works with any
// Executor and, unlike a connection forwarded by SSH, with the rights of root.
func look(ctx context.Context, t *remote.Target) BalancerState {
	s := BalancerState{Host: t.Name}
	res, err := t.Run(ctx, remote.Cmd{
		Argv:  []string{"perl", "-", socketPath, "show info;show stat", masterSocket, masterWords},
		Stdin: strings.NewReader(runtimeScript), Timeout: lookTimeout,
	})
	if err != nil {
		s.Err = remote.WithHint(fmt.Errorf("ask HAProxy: %w", remote.OnHost(t.Name, err)),
			"see `systemctl status haproxy` and `journalctl -u haproxy -n 50` on "+t.Name)
		return s
	}
	own, master, _ := strings.Cut(string(res.Stdout), masterHeader)
	s.Version, s.Servers, err = parseRuntime([]byte(own))
	s.Reload = ParseReload(masterHeader + master)
	s.Err = remote.OnHost(t.Name, err)
	return s
}

// parseRuntime reads the answers to "show info" and "show stat".
func parseRuntime(out []byte) (version string, servers []ServerState, err error) {
	const header = "# pxname,"
	info, stat, ok := bytes.Cut(out, []byte(header))
	if !ok {
		return "", nil, fmt.Errorf("read HAProxy's statistics: no header in %q", clip(out))
	}
	for line := range strings.Lines(string(info)) {
		if v, ok := strings.CutPrefix(line, "Version:"); ok {
			version = strings.TrimSpace(v)
		}
	}
	servers, err = parseStat(io.MultiReader(strings.NewReader(header[2:]), bytes.NewReader(stat)))
	return version, servers, err
}

// parseStat reads the statistics as CSV. Columns are found by name, because every release adds
// some.
func parseStat(r io.Reader) ([]ServerState, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("read HAProxy's statistics: %w", err)
	}
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	for _, need := range []string{"pxname", "svname", "status", "scur", "check_status", "bck"} {
		if _, ok := column[need]; !ok {
			return nil, fmt.Errorf("read HAProxy's statistics: no column %q", need)
		}
	}
	var servers []ServerState
	for {
		rec, err := in.Read()
		if errors.Is(err, io.EOF) {
			return servers, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read HAProxy's statistics: %w", err)
		}
		field := func(name string) string {
			if i, ok := column[name]; ok && i < len(rec) {
				return rec[i]
			}
			return ""
		}
		proxy, name := field("pxname"), field("svname")
		if (proxy != WriteProxy && proxy != ReadProxy) || name == "FRONTEND" || name == "BACKEND" {
			continue
		}
		servers = append(servers, ServerState{
			Proxy: proxy, Name: name, Status: field("status"),
			Check:  checkOutcome(field("check_status"), field("check_code")),
			Backup: field("bck") == "1", Sessions: int(number(field("scur"))),
			TotalSessions: number(field("stot")),
			Since: time.Duration(min(number(field("lastchg")),
				int64(longest/time.Second))) * time.Second,
		})
	}
}

// checkOutcome joins the check's status with the HTTP status code. HAProxy marks a running check
// with "* ", and has "INI" before the first one ended.
func checkOutcome(status, code string) string {
	if status = strings.TrimPrefix(status, "* "); status == "INI" {
		return ""
	}
	if code == "" || !strings.HasPrefix(status, "L7") {
		return status
	}
	return status + "/" + code
}

// isUp knows HAProxy's words for a server that gets new connections: "UP", "UP 1/2" on its way
// down, and "no check".
func isUp(status string) bool {
	return status == "UP" || strings.HasPrefix(status, "UP ") || status == "no check"
}

// number reads a counter; what is empty or garbled counts as nothing.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func clip(b []byte) []byte { return b[:min(len(b), 120)] }
