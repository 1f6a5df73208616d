package remotetest

import (
	"net"
	"sync"
	"time"
)

// slowConn is the end of a long line: what is written to it arrives later, in its order.
type slowConn struct {
	net.Conn
	delay     time.Duration
	loseEvery int

	mu     sync.Mutex
	closed bool
	sent   int
	line   chan packet
	ended  chan struct{}
}

type packet struct {
	data []byte
	due  time.Time
}

// retransmission is the shortest time after which Linux sends a lost packet again (TCP_RTO_MIN).
const retransmission = 200 * time.Millisecond

func newSlowConn(c net.Conn, delay time.Duration, loseEvery int) *slowConn {
	s := &slowConn{Conn: c, delay: delay, loseEvery: loseEvery, line: make(chan packet, 1024),
		ended: make(chan struct{})}
	go s.deliver()
	return s
}

func (c *slowConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	delay := c.delay
	if c.sent++; c.loseEvery > 0 && c.sent%c.loseEvery == 0 {
		delay += c.delay + retransmission
	}
	select {
	case c.line <- packet{append([]byte(nil), p...), time.Now().Add(delay)}:
		return len(p), nil
	case <-c.ended:
		return 0, net.ErrClosed
	}
}

func (c *slowConn) deliver() {
	defer close(c.ended)
	defer c.Conn.Close() //nolint:errcheck // nobody is left to tell
	for p := range c.line {
		time.Sleep(time.Until(p.due))
		if _, err := c.Conn.Write(p.data); err != nil {
			return
		}
	}
}

// Close ends the line after what is under way.
func (c *slowConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.line)
	}
	return nil
}
