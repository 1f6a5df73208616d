package lb_test

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/remote"
)

// What the master of HAProxy 3.2.26 says: after a reload that worked, while the new worker is on
// its way, and when it could not bind a port that somebody else had.
const (
	reloadDone = `#<PID>          <type>          <reloads>       <uptime>        <version>      
712             master          1 [failed: 0]   0d00h32m13s     3.2.26-1       
# workers
4811            worker          0               0d00h00m40s     3.2.26-1       

[NOTICE]   (712) : Initializing new worker (4811)
[NOTICE]   (712) : Loading success.
[NOTICE]   (712) : haproxy version is 3.2.26-1
[NOTICE]   (712) : path to executable is /usr/sbin/haproxy
[WARNING]  (712) : Former worker (714) exited with code 0 (Exit)

`
	reloadLoading = `#<PID>          <type>          <reloads>       <uptime>        <version>      
712             master          2 [failed: 0]   0d00h32m32s     3.2.26-1       
# workers
4944            worker          0               0d00h00m02s     3.2.26-1       
# old workers
4811            worker          1               0d00h00m59s     3.2.26-1       

[NOTICE]   (712) : Initializing new worker (4944)

`
	reloadFailed = `#<PID>          <type>          <reloads>       <uptime>        <version>      
712             master          2 [failed: 1]   0d00h32m35s     3.2.26-1       
# workers
# old workers
4811            worker          1               0d00h01m02s     3.2.26-1       

[NOTICE]   (712) : Initializing new worker (4944)
[NOTICE]   (4944) : haproxy version is 3.2.26-1
[NOTICE]   (4944) : path to executable is /usr/sbin/haproxy
[ALERT]    (4944) : Binding [/etc/haproxy/haproxy.cfg:86] for proxy extra: protocol tcpv4: cannot bind socket (Address already in use) for [0.0.0.0:9999].
[ALERT]    (4944) : [haproxy.main()] Some protocols failed to start their listeners! Exiting.
[NOTICE]   (712) : haproxy version is 3.2.26-1
[NOTICE]   (712) : path to executable is /usr/sbin/haproxy
[WARNING]  (712) : Failed to load worker (4944) exited with code 1 (Exit)

`
)

func TestParseReload(t *testing.T) {
	t.Parallel()
	const why = "Binding [/etc/haproxy/haproxy.cfg:86] for proxy extra: protocol tcpv4: cannot " +
		"bind socket (Address already in use) for [0.0.0.0:9999]. " +
		"[haproxy.main()] Some protocols failed to start their listeners! Exiting."
	for name, c := range map[string]struct {
		in   string
		want lb.Reload
	}{
		"done":    {reloadDone, lb.Reload{Master: 712, Count: 1, Done: true}},
		"loading": {reloadLoading, lb.Reload{Master: 712, Count: 2}},
		"failed":  {reloadFailed, lb.Reload{Master: 712, Count: 2, Failed: true, Reason: why}},
		"silent":  {"", lb.Reload{}},
		"HAProxy 2.6, which does not tell": {`#<PID>          <type>          <reloads>       <uptime>        <version>
1162            master          5               0d00h02m07s     2.6.12-1
# workers
1271            worker          0               0d00h00m00s     2.6.12-1
`, lb.Reload{}},
	} {
		if got := lb.ParseReload(c.in); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// TestConfigureAsksTheNewWorker: systemctl reload has ended with 0 in all of these.
func TestConfigureAsksTheNewWorker(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	says := map[string]string{"lb1": reloadDone, "lb2": reloadDone, "lb3": reloadDone}
	f.master = func(h *hosttest.Host) string { return says[h.String()] }
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	// lb2 could not bind the last time: nothing differs, and it is reloaded all the same, and fails
	// again.
	says["lb2"] = reloadFailed
	for _, h := range f.hosts {
		h.Changes()
	}
	f.master = func(h *hosttest.Host) string {
		if h.String() == "lb2" && f.reloaded(h) {
			return strings.Replace(reloadFailed, "2 [failed: 1]", "3 [failed: 2]", 1)
		}
		return says[h.String()]
	}
	err := lb.Configure(t.Context(), f.Options)
	if err == nil || !strings.Contains(err.Error(), "lb2") || !strings.Contains(err.Error(),
		"cannot bind socket (Address already in use) for [0.0.0.0:9999]") ||
		remote.Hint(err) == "" {
		t.Errorf("got %v with hint %q, want HAProxy's own words of lb2", err, remote.Hint(err))
	}
	// The port is free again.
	f.master = func(h *hosttest.Host) string {
		if h.String() == "lb2" {
			return strings.Replace(reloadDone, "1 [failed: 0]", "4 [failed: 0]", 1)
		}
		return says[h.String()]
	}
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Error(err)
	}
	// A worker that never ends is waited for, but not for ever.
	f.master = func(*hosttest.Host) string { return reloadLoading }
	f.MaxConn = 100
	if err := lb.Configure(t.Context(), f.Options); err == nil {
		t.Error("a reload that did not come to its end was taken for good")
	}
}
