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

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed ports.pl
var portsScript string

// Bounds of the port check: how long a listener waits at most, and how long one connection attempt may take.
const (
	portsListen  = 30 * time.Second
	portsConnect = 3 * time.Second
)

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
	if b.Port == "vrrp" {
		port = "protocol 112 (VRRP)"
	}
	return fmt.Sprintf("%s cannot reach %s of %s (%s): %s", b.From, port, b.To, b.Purpose, b.Reason)
}

// Routes lists the port matrix of the cluster: every connection that one host opens to another.
func Routes(c *site.Site) []Route {
	var routes []Route
	add := func(from, to, purpose string, port int) {
		if from != to {
			routes = append(routes, Route{from, to, strconv.Itoa(port), purpose})
		}
	}
	sp := c.Spec
	for _, to := range sp.Databases() {
		for _, from := range sp.Databases() {
			add(from.Name, to.Name, "Patroni to etcd", sp.Etcd.ClientPort)
			add(from.Name, to.Name, "etcd to etcd", sp.Etcd.PeerPort)
			add(from.Name, to.Name, "replication", sp.PostgreSQL.Port)
			add(from.Name, to.Name, "Patroni to Patroni", sp.Patroni.RESTPort)
		}
		for _, from := range sp.Balancers() {
			add(from.Name, to.Name, "health check", sp.Patroni.RESTPort)
			add(from.Name, to.Name, "clients by way of the balancer", sp.PostgreSQL.Port)
		}
	}
	if sp.VIP != nil {
		for _, from := range sp.Balancers() {
			for _, to := range sp.Balancers() {
				if from.Name != to.Name {
					routes = append(routes, Route{from.Name, to.Name, "vrrp", "election of the address's holder"})
				}
			}
		}
	}
	return routes
}

// CheckPorts tries every route for real: temporary listeners answer on the ports that are still free. It changes nothing
// on the hosts, takes about a second, and ends its listeners also when it fails.
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
	if err := errors.Join(probeErr, vrrp); err != nil {
		return nil, err
	}
	return judge(c, routes, answers, listenErr()), nil
}

// listen starts the listeners and returns once all are ready. stop ends them; after it heard tells "to from" of VRRP.
func listen(ctx context.Context, c *site.Site, token string, routes []Route) (stop func() error, heard func() map[string]bool, err error) {
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
		errs    []error
		pipes   []*io.PipeWriter
		ready   = make(chan struct{}, len(ports))
	)
	for _, t := range targetsOf(c, ports) {
		in, inW := io.Pipe()
		pipes = append(pipes, inW)
		out := &readyWriter{ready: ready}
		argv := append([]string{"perl", "-e", portsScript, "listen", strconv.Itoa(int(portsListen.Seconds())), token, t.Address}, ports[t.Name]...)
		wg.Go(func() {
			defer in.Close()
			err := stream(ctx, t, remote.Cmd{Argv: argv, Stdin: in}, out)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
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
		return errors.Join(errs...)
	}
	for range ports {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, nil, errors.Join(fmt.Errorf("start the port check's listeners: %w", ctx.Err()), stop())
		}
	}
	return stop, func() map[string]bool { return senders }, nil
}

// probe tries all routes from their source hosts and returns the answers by "from host:port".
func probe(ctx context.Context, c *site.Site, token string, routes []Route) (map[string]string, error) {
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
	err := remote.Each(ctx, targetsOf(c, destinations), func(ctx context.Context, t *remote.Target) error {
		argv := append([]string{"perl", "-e", portsScript, "probe", strconv.Itoa(int(portsConnect.Seconds())), token}, destinations[t.Name]...)
		out, err := t.Output(ctx, argv...)
		mu.Lock()
		defer mu.Unlock()
		for line := range strings.Lines(out) {
			to, answer, _ := strings.Cut(strings.TrimSpace(line), " ")
			answers[t.Name+" "+to] = answer
		}
		return err
	})
	return answers, err
}

// judge compares what was seen with what must work.
func judge(c *site.Site, routes []Route, answers map[string]string, heard map[string]bool) []Blocked {
	var blocked []Blocked
	for _, r := range routes {
		from, _ := c.Target(r.From)
		to, _ := c.Target(r.To)
		switch answer := answers[r.From+" "+net.JoinHostPort(to.Address, r.Port)]; {
		case r.Port == "vrrp" && heard[to.Address+" "+from.Address], answer == "open":
		case r.Port == "vrrp":
			blocked = append(blocked, Blocked{r, "no packet arrived"})
		case answer == "blocked":
			blocked = append(blocked, Blocked{r, fmt.Sprintf("no answer within %s, as if a firewall dropped it", portsConnect)})
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
