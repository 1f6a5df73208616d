package inspect

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/reach"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

//go:embed ports.pl
var portsScript string

// Bounds of the port check: how long a listener waits at most, and how long one connection attempt
// may take.
const (
	portsListen  = 30 * time.Second
	portsConnect = 3 * time.Second
)

// vrrpPort stands for IP protocol 112 where a port does.
const vrrpPort = "vrrp"

// Route is one line of the port matrix: a host that must be able to reach a port of another.
type Route struct {
	From, To string // host names
	Port     string // a TCP port, or "vrrp" for IP protocol 112
	Purpose  string
}

// Blocked is a route that did not work, with what was seen.
type Blocked struct {
	Route
	Reason string
}

// String says which connection is blocked, and why.
func (b Blocked) String() string {
	port := "port " + b.Port
	if b.Port == vrrpPort {
		port = "protocol 112 (VRRP)"
	}
	return fmt.Sprintf("%s cannot reach %s of %s (%s): %s", b.From, port, b.To, b.Purpose, b.Reason)
}

// Routes lists the port matrix of the cluster: every connection that one host opens to another.
func Routes(c *site.Site) []Route {
	layouts := map[string]layout.Host{}
	for _, h := range c.Spec.Hosts {
		layouts[h.Name] = c.LayoutOf(h)
	}
	var routes []Route
	for _, to := range c.Spec.Hosts {
		for _, from := range c.Spec.Hosts {
			if from.Name == to.Name {
				continue
			}
			for _, r := range opens(layouts[from.Name], layouts[to.Name]) {
				routes = append(routes, Route{from.Name, to.Name, r.Port, r.Purpose})
			}
		}
	}
	return routes
}

// opens lists the connections that a host opens to another one, by their layouts, without names.
func opens(from, to layout.Host) []Route {
	var routes []Route
	for _, p := range to.Ports() {
		for _, client := range p.Clients {
			if from.Runs(client.Component) {
				routes = append(routes, Route{Port: portName(p), Purpose: client.Purpose})
			}
		}
	}
	return routes
}

// peersOf lists the hosts that one opens connections to, by name. own is its layout.
func peersOf(c *site.Site, h spec.Host, own layout.Host) []preflight.Peer {
	var peers []preflight.Peer
	for _, other := range c.Spec.Hosts {
		if other.Name != h.Name && len(opens(own, c.LayoutOf(other))) > 0 {
			peers = append(peers, preflight.Peer{Name: other.Name, Address: other.Address})
		}
	}
	slices.SortFunc(peers, func(a, b preflight.Peer) int { return strings.Compare(a.Name, b.Name) })
	return peers
}

func portName(p layout.Port) string {
	if p.VRRP() {
		return vrrpPort
	}
	return strconv.Itoa(p.Number)
}

// CheckPorts tries every route for real: temporary listeners answer on the ports that are still
// free. It changes nothing on the hosts, takes about a second, and ends its listeners also when it
// fails.
func CheckPorts(ctx context.Context, c *site.Site) ([]Blocked, error) {
	routes := Routes(c)
	ctx, cancel := context.WithTimeout(ctx, portsListen)
	defer cancel()
	token := "pgha-" + rand.Text()
	stop, heard, err := listen(ctx, c, token, routes)
	if err != nil {
		return nil, err
	}
	answers, probeErr := probe(ctx, c, token, routes)
	vrrp, listenErr := stop(), heard
	if err := errs.Join(probeErr, vrrp); err != nil {
		return nil, err
	}
	return judge(c, routes, answers, listenErr()), nil
}

// listen starts the listeners and returns once all are ready. stop ends them; after it heard tells
// "to from" of VRRP.
func listen(ctx context.Context, c *site.Site, token string, routes []Route) (stop func() error,
	heard func() map[string]bool, err error) {
	ports := map[string][]string{}
	for _, r := range routes {
		if !slices.Contains(ports[r.To], r.Port) {
			ports[r.To] = append(ports[r.To], r.Port)
		}
	}
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		senders = map[string]bool{}
		failed  []error
		pipes   []*io.PipeWriter
		ready   = make(chan struct{}, len(ports))
	)
	for _, t := range targetsOf(c, ports) {
		in, inW := io.Pipe()
		pipes = append(pipes, inW)
		out := &readyWriter{ready: ready}
		argv := append([]string{"perl", "-e", portsScript, "listen",
			strconv.Itoa(int(portsListen.Seconds())),
			token, t.Address}, ports[t.Name]...)
		wg.Go(func() {
			defer in.Close()
			err := stream(ctx, t, remote.Cmd{Argv: argv, Stdin: in}, out)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
				out.announce()
			}
			for line := range strings.Lines(out.String()) {
				if from, ok := strings.CutPrefix(strings.TrimSpace(line), "vrrp "); ok {
					senders[t.Address+" "+from] = true
				}
			}
		})
	}
	stop = func() error {
		for _, p := range pipes {
			p.Close()
		}
		wg.Wait()
		return errs.Join(failed...)
	}
	for range ports {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, nil, errors.Join(fmt.Errorf("start the port check's listeners: %w",
				ctx.Err()), stop())
		}
	}
	return stop, func() map[string]bool { return senders }, nil
}

// probe tries all routes from their source hosts and returns the answers by "from host:port".
func probe(ctx context.Context, c *site.Site, token string,
	routes []Route) (map[string]string, error) {
	destinations := map[string][]string{}
	for _, r := range routes {
		to, err := c.Target(r.To)
		if err != nil {
			return nil, err
		}
		destinations[r.From] = append(destinations[r.From], net.JoinHostPort(to.Address, r.Port))
	}
	answers := map[string]string{}
	var mu sync.Mutex
	err := remote.Each(ctx, targetsOf(c, destinations),
		func(ctx context.Context, t *remote.Target) error {
			said, err := tryRoutes(ctx, t, token, destinations[t.Name])
			mu.Lock()
			defer mu.Unlock()
			for to, answer := range said {
				answers[t.Name+" "+to] = answer
			}
			return err
		})
	return answers, err
}

// tryRoutes tries what one host has to reach, in one round trip, and returns the answers to those
// of TCP; of VRRP the listeners tell.
func tryRoutes(ctx context.Context, t *remote.Target, token string,
	destinations []string) (map[string]string, error) {
	send := []string{"perl", "-e", portsScript, "send", "0", token}
	var tcp []string
	for _, to := range destinations {
		if host, port, err := net.SplitHostPort(to); err == nil && port == vrrpPort {
			send = append(send, host)
		} else {
			tcp = append(tcp, to)
		}
	}
	res, err := t.Batch(ctx, send, reach.Question(portsConnect, tcp...))
	if err != nil {
		return nil, err
	}
	if r := res[1]; r.ExitCode != 0 {
		return nil, &remote.ExitError{Host: t.Name, Cmd: "perl", Code: r.ExitCode,
			Stderr: string(r.Stderr)}
	}
	return reach.Read(string(res[1].Stdout)), nil
}

// judge compares what was seen with what must work.
func judge(c *site.Site, routes []Route, answers map[string]string,
	heard map[string]bool) []Blocked {
	var blocked []Blocked
	for _, r := range routes {
		from, _ := c.Target(r.From)
		to, _ := c.Target(r.To)
		switch answer := answers[r.From+" "+net.JoinHostPort(to.Address, r.Port)]; {
		case r.Port == vrrpPort && heard[to.Address+" "+from.Address], answer == reach.OK:
		case r.Port == vrrpPort:
			blocked = append(blocked, Blocked{r, "no packet arrived"})
		case answer == reach.NoAnswer:
			blocked = append(blocked,
				Blocked{r, fmt.Sprintf("no answer within %s, as if a firewall dropped it",
					portsConnect)})
		case answer == reach.Refused:
			blocked = append(blocked, Blocked{r, "refused"})
		default:
			blocked = append(blocked, Blocked{r, answer})
		}
	}
	return blocked
}

// targetsOf returns the connections to the hosts that are keys of m, in the spec's order.
func targetsOf(c *site.Site, m map[string][]string) []*remote.Target {
	var ts []*remote.Target
	for _, t := range c.Targets() {
		if _, ok := m[t.Name]; ok {
			ts = append(ts, t)
		}
	}
	return ts
}

// stream runs cmd with its output handed to out while it runs.
func stream(ctx context.Context, t *remote.Target, cmd remote.Cmd, out io.Writer) error {
	s, ok := remote.As[remote.Streamer](t.Executor)
	if !ok {
		return remote.OnHost(t.Name, errors.New("the executor cannot stream output"))
	}
	var stderr strings.Builder
	code, err := s.Stream(ctx, cmd, out, &stderr)
	if err == nil && code != 0 {
		err = &remote.ExitError{Host: t.Name, Cmd: cmd.Argv[0], Code: code, Stderr: stderr.String()}
	}
	return err
}

// readyWriter collects output and announces once that a line "ready" came.
type readyWriter struct {
	mu    sync.Mutex
	text  strings.Builder
	once  sync.Once
	ready chan<- struct{}
}

func (w *readyWriter) announce() { w.once.Do(func() { w.ready <- struct{}{} }) }

func (w *readyWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if strings.Contains(w.text.String(), "ready\n") {
		w.announce()
	}
	return len(p), nil
}

func (w *readyWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
