package etcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"github.com/pgha/toolkit/internal/poll"
)

const (
	// observeEvery is the time between two questions who leads etcd; a key is watched and needs
	// none.
	observeEvery = 250 * time.Millisecond
	// observeStale is how long the answer of a member that fell silent counts.
	observeStale = time.Second
	// observeRetry is the pause before a member that failed is tried again.
	observeRetry = 200 * time.Millisecond
)

// Observation is what etcd's members say between them at one moment.
type Observation struct {
	// At is when it was heard, by the clock of this machine.
	At time.Time
	// Value of the key; "" while it does not exist.
	Value string
	// Leader is the name of the member that leads etcd; "" while none does, or none answers.
	Leader string
}

// Observe watches a key and who leads etcd, on every member at the same time so that the loss of
// any of them loses nothing, and calls changed at every change, first with what is found at the
// beginning. It returns when ctx ends, with ctx's error.
//
// A change of the key is heard as soon as any member reports it: the watch is etcd's own. The
// leader is asked for four times a second. Members that do not answer are tried again for ever.
// changed is called by one goroutine at a time and must not block. Observe reads only.
func Observe(ctx context.Context, o Options, key string, changed func(Observation)) error {
	if len(o.Members) == 0 || key == "" {
		return errors.New("observe etcd: there has to be a key and an etcd member")
	}
	o = o.withDefaults()
	v := &observer{changed: changed, names: map[uint64]string{}, views: map[string]view{}}
	var wg sync.WaitGroup
	var errs []error
	for _, m := range o.Members {
		c, err := o.lasting(ctx, m)
		if err != nil {
			errs = append(errs, err)
			break
		}
		defer c.Close()
		wg.Go(func() { v.watchKey(ctx, c, key) })
		wg.Go(func() { v.watchLeader(ctx, c, m.Name, o.clientURL(m)) })
	}
	if len(errs) > 0 {
		return fmt.Errorf("observe etcd: %w", errs[0])
	}
	wg.Wait()
	return ctx.Err()
}

// lasting opens a client of m alone that connects again by itself, soon.
func (o Options) lasting(ctx context.Context, m Member) (*clientv3.Client, error) {
	config, err := o.tlsConfig(o.Client)
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{
		Endpoints: []string{o.clientURL(m)},
		TLS:       config,
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return m.Target.Dial(ctx, "tcp", address)
			}),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second,
				Timeout: 2 * time.Second}),
			grpc.WithConnectParams(
				grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: observeRetry,
					Multiplier: 1.5, MaxDelay: time.Second}, MinConnectTimeout: time.Second}),
		},
		Logger:  zap.NewNop(),
		Context: ctx,
	})
}

// observer merges what the members say.
type observer struct {
	changed func(Observation)

	mu       sync.Mutex
	begun    bool
	last     Observation
	revision int64             // of last.Value
	names    map[uint64]string // members' names by id, as far as they have said
	views    map[string]view   // by the member that said so
}

// view is who leads in the eyes of one member.
type view struct {
	leader, term uint64
	at           time.Time
}

// value takes what the key held at a revision. Older news than what is known is none.
func (v *observer) value(revision int64, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if revision <= v.revision {
		return
	}
	v.revision = revision
	next := v.last
	next.Value = value
	v.tell(next)
}

// tell reports a change. The caller holds the lock.
func (v *observer) tell(next Observation) {
	next.At = v.last.At
	if v.begun && next == v.last || v.revision == 0 {
		v.last = next
		return
	}
	next.At = time.Now()
	v.begun, v.last = true, next
	v.changed(next)
}

// watchKey follows the key on one member.
func (v *observer) watchKey(ctx context.Context, c *clientv3.Client, key string) {
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, callTimeout)
		r, err := c.Get(bounded, key, clientv3.WithSerializable())
		cancel()
		if err != nil {
			_ = poll.Pause(ctx, observeRetry)
			continue
		}
		value := ""
		if len(r.Kvs) > 0 {
			value = string(r.Kvs[0].Value)
		}
		v.value(r.Header.Revision, value)
		watching, stop := context.WithCancel(ctx)
		for w := range c.Watch(watching, key, clientv3.WithRev(r.Header.Revision+1)) {
			for _, e := range w.Events {
				v.value(e.Kv.ModRevision, string(e.Kv.Value)) // a deleted key has no value
			}
			if w.Err() != nil {
				break
			}
		}
		stop()
		_ = poll.Pause(ctx, observeRetry)
	}
}

// watchLeader asks one member again and again who leads.
func (v *observer) watchLeader(ctx context.Context, c *clientv3.Client, name, url string) {
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, observeStale)
		r, err := c.Status(bounded, url)
		cancel()
		v.mu.Lock()
		if err == nil {
			v.names[r.Header.MemberId] = name
			v.views[name] = view{leader: r.Leader, term: r.RaftTerm, at: time.Now()}
		}
		next := v.last
		next.Leader = v.leader(time.Now())
		v.tell(next)
		v.mu.Unlock()
		_ = poll.Pause(ctx, observeEvery)
	}
}

// leader is the member that those of the highest term follow, among those that answered lately.
func (v *observer) leader(now time.Time) string {
	var best view
	for _, w := range v.views {
		if now.Sub(w.at) <= 2*observeStale && (w.term > best.term || w.term == best.term &&
			best.leader == 0) {
			best = w
		}
	}
	return v.names[best.leader]
}
