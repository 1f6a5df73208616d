package ssh_test

import (
	"context"
	"fmt"
	"os"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/ssh"
)

func ExampleDial() {
	ctx := context.Background()
	host, err := ssh.Dial(ctx, ssh.Config{
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
