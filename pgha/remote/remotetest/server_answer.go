package remotetest

import (
	"context"
	"io"

	"golang.org/x/crypto/ssh"
)

// answer is a session whose command ServerOptions.Answer runs.
func (c *connection) answer(ch ssh.Channel, requests <-chan *ssh.Request) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	ended, running := make(chan int, 1), false
	for {
		select {
		case req, open := <-requests:
			if !open {
				cancel()
				if running {
					<-ended
				}
				return
			}
			var payload struct{ Command string }
			start := req.Type == "exec" && !running && ssh.Unmarshal(req.Payload, &payload) == nil
			if start {
				running = true
				c.server.mu.Lock()
				c.server.commands++
				c.server.mu.Unlock()
			}
			if req.WantReply {
				_ = req.Reply(start, nil)
			}
			if start {
				go func() {
					_, _ = io.WriteString(ch, c.server.opts.Noise)
					ended <- c.server.opts.Answer(ctx, payload.Command, ch, ch, ch.Stderr())
				}()
			}
			if req.Type == "signal" {
				cancel()
			}
		case status := <-ended:
			_, _ = ch.SendRequest("exit-status", false,
				ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
			go ssh.DiscardRequests(requests)
			return
		}
	}
}
