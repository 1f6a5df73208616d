package remote_test

import (
	"context"
	"fmt"
	"os"

	"github.com/pgha/toolkit/pgha/remote"
)

func ExampleDialSSH() {
	ctx := context.Background()
	host, err := remote.DialSSH(ctx, remote.SSHConfig{
		Name:          "postgres-01",
		Address:       "127.0.0.1",
		Port:          1, // nothing listens there
		IdentityFiles: []string{},
		AgentSocket:   os.Getenv("SSH_AUTH_SOCK"),
		Password:      func(context.Context) (string, error) { return "from a vault", nil },
	})
	if err != nil {
		fmt.Println(err)
		fmt.Println("hint:", remote.Hint(err))
		return
	}
	defer func() { _ = host.Close() }()
	res, err := host.Run(ctx, remote.Cmd{Argv: []string{"uptime"}})
	fmt.Println(string(res.Stdout), err)
	// Output:
	// postgres-01: host unreachable: connect to 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused
	// hint: the host is up but nothing listens there: is sshd running, and is the port right?
}

// counter is a decorator of one's own: it embeds the Executor underneath and replaces the methods it cares about.
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
