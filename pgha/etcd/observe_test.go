package etcd

import (
	"context"
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestObserve changes a key and kills etcd's leader, and wants to hear of all of it.
func TestObserve(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	leader, err := Leader(t.Context(), c.Options)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{"m1": 0, "m2": 1, "m3": 2}[leader]
	other := (at + 1) % 3
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan Observation, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- Observe(ctx, c.Options, "/test/leader", func(o Observation) { heard <- o })
	}()
	var last Observation
	until := func(what string, ok func(Observation) bool) {
		t.Helper()
		bound := time.After(30 * time.Second)
		for {
			select {
			case o := <-heard:
				if o.At.Before(last.At) {
					t.Errorf("%+v after %+v", o, last)
				}
				if last = o; ok(o) {
					return
				}
			case <-bound:
				t.Fatalf("nobody told of %s; last heard: %+v", what, last)
			}
		}
	}
	write := func(value string) {
		t.Helper()
		err := c.ask(t.Context(), c.Members[other],
			func(ctx context.Context, cl *clientv3.Client) error {
				_, err := cl.Put(ctx, "/test/leader", value)
				if value == "" {
					_, err = cl.Delete(ctx, "/test/leader")
				}
				return err
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	until("etcd's leader", func(o Observation) bool { return o.Leader == leader && o.Value == "" })
	write("anna")
	until("a new key", func(o Observation) bool { return o.Value == "anna" })
	c.kill(at)
	until("a new leader of etcd",
		func(o Observation) bool {
			return o.Leader != leader && o.Leader != "" && o.Value == "anna"
		})
	write("bert")
	until("a changed key without the former leader",
		func(o Observation) bool { return o.Value == "bert" })
	write("")
	until("a deleted key", func(o Observation) bool { return o.Value == "" })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
