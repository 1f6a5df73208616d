package site

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
)

// TestLineStaysTheSame dials again underneath those who hold the connection.
func TestLineStaysTheSame(t *testing.T) {
	t.Parallel()
	made := 0
	open := func(context.Context) (remote.Executor, error) {
		made++
		return remote.Broken("db1", fmt.Errorf("connection %d", made)), nil
	}
	first, _ := open(t.Context())
	target := &remote.Target{Host: remote.Host{Name: "db1"},
		Executor: newReconnectable("db1", first, open)}
	holder := *target
	if err := Redial(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Run(t.Context(), remote.Cmd{Argv: []string{"true"}}); err == nil ||
		!strings.Contains(err.Error(), "connection 2") {
		t.Errorf("who held the connection before uses %v", err)
	}
	if _, ok := remote.As[remote.Dialer](holder.Executor); !ok {
		t.Error("the connection's abilities are hidden")
	}
	if err := Redial(t.Context(), &remote.Target{Executor: &remote.Local{}}); err == nil {
		t.Error("an executor that cannot be made again was")
	}
}
