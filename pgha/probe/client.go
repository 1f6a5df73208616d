package probe

import (
	"fmt"
	"net"
	"time"
)

// Client is what a writer does with connections, as applications do it. None of them opens a second
// connection beside one that hangs, and none tries a statement again.
type Client string

// The clients.
const (
	// KeepsConnection has one connection, and opens another when it has failed.
	KeepsConnection Client = "keeps-connection"
	// ConnectsEachTime opens a connection for each row, as a program without a pool does.
	ConnectsEachTime Client = "connects-each-time"
	// Pools has five connections, each of which writes a fifth of the rows and is opened again when
	// it has failed. One that hangs holds nobody up but itself.
	Pools Client = "pools"
)

// Clients returns all of them.
func Clients() []Client { return []Client{KeepsConnection, ConnectsEachTime, Pools} }

// connections is how many a client has at once.
func (c Client) connections() int {
	if c == Pools {
		return 5
	}
	return 1
}

// NoticeSilence makes a TCP connection of this machine's own notice a peer that is gone, as the
// connection strings make libpq do it: 10 s of silence, and three questions 5 s apart. Of any other
// connection it changes nothing.
func NoticeSilence(conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second,
		Interval: 5 * time.Second, Count: 3})
	if err != nil {
		return fmt.Errorf("set keepalive: %w", err)
	}
	return nil
}
