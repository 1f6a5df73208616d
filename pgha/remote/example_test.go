package remote_test

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/remote"
)

// counter is a decorator of one's own: it embeds the Executor underneath and replaces the methods
// it cares about.
type counter struct {
	remote.Executor
	commands int
}

func (c *counter) Unwrap() remote.Executor { return c.Executor }

func (c *counter) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	c.commands++
	return c.Executor.Run(ctx, cmd)
}

func ExampleExecutor() {
	c := &counter{Executor: &remote.Local{}}
	target := &remote.Target{Host: remote.Host{Name: "here"}, Executor: c}
	word, err := target.Output(context.Background(), "echo", "it's quoted")
	fmt.Println(word, err, c.commands)
	// Output: it's quoted <nil> 1
}
