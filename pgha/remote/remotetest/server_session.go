package remotetest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// connection is one client's connection to a Server.
type connection struct {
	server   *Server
	ctx      context.Context
	sessions atomic.Int32
	done     sync.WaitGroup
}

func (c *connection) handle(ch ssh.NewChannel) {
	switch ch.ChannelType() {
	case "session":
		if limit := c.server.opts.MaxSessions; limit > 0 && int(c.sessions.Load()) >= limit {
			// This is how OpenSSH says it.
			_ = ch.Reject(ssh.ConnectionFailed, "open failed")
			return
		}
		c.sessions.Add(1)
		c.done.Go(func() { c.session(ch) })
	case "direct-tcpip":
		if c.server.opts.NoForwarding {
			_ = ch.Reject(ssh.Prohibited, "open failed")
			return
		}
		if c.server.opts.NoNetwork {
			_ = ch.Reject(ssh.ConnectionFailed, "Connection refused")
			return
		}
		c.done.Go(func() { c.forward(ch) })
	default:
		_ = ch.Reject(ssh.UnknownChannelType, "unknown channel type")
	}
}

// session runs the one command of a session.
func (c *connection) session(offer ssh.NewChannel) {
	defer c.sessions.Add(-1)
	ch, requests, err := offer.Accept()
	if err != nil {
		return
	}
	defer func() { _ = ch.Close() }()
	if c.server.opts.Answer != nil {
		c.answer(ch, requests)
		return
	}
	var cmd *exec.Cmd
	ended := make(chan error, 1)
	for {
		select {
		case req, ok := <-requests:
			if !ok {
				killGroup(cmd, syscall.SIGHUP)
				killGroup(cmd, syscall.SIGKILL)
				if cmd != nil {
					<-ended
				}
				return
			}
			if req.Type == "exec" && cmd == nil {
				cmd = c.start(ch, req, ended)
			}
			if req.Type == "signal" {
				signalGroup(cmd, req)
			}
			if req.WantReply {
				_ = req.Reply(req.Type == "exec" && cmd != nil, nil)
			}
		case err := <-ended:
			report(ch, err)
			go ssh.DiscardRequests(requests)
			return
		}
	}
}

// start starts the command of an exec request in a process session of its own, as sshd does.
func (c *connection) start(ch ssh.Channel, req *ssh.Request, ended chan<- error) *exec.Cmd {
	var payload struct{ Command string }
	if err := ssh.Unmarshal(req.Payload, &payload); err != nil {
		return nil
	}
	c.server.mu.Lock()
	c.server.commands++
	c.server.mu.Unlock()
	if _, err := io.WriteString(ch, c.server.opts.Noise); err != nil {
		return nil
	}
	cmd := exec.CommandContext(c.ctx, "sh", "-c", payload.Command)
	cmd.Cancel = func() error { killGroup(cmd, syscall.SIGKILL); return nil }
	cmd.Env = append(os.Environ(), c.server.opts.Env...)
	cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = time.Second
	// A pipe of our own: the command must end without waiting for the client to close its side.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil
	}
	if err := cmd.Start(); err != nil {
		return nil
	}
	go func() {
		_, _ = io.Copy(stdin, ch)
		_ = stdin.Close()
	}()
	go func() { ended <- cmd.Wait() }()
	return cmd
}

func signalGroup(cmd *exec.Cmd, req *ssh.Request) {
	var payload struct{ Signal string }
	if ssh.Unmarshal(req.Payload, &payload) != nil {
		return
	}
	switch ssh.Signal(payload.Signal) {
	case ssh.SIGKILL:
		killGroup(cmd, syscall.SIGKILL)
	case ssh.SIGTERM:
		killGroup(cmd, syscall.SIGTERM)
	}
}

func killGroup(cmd *exec.Cmd, sig syscall.Signal) {
	if cmd != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, sig)
	}
}

// report sends how the command ended.
func report(ch ssh.Channel, err error) {
	var exited *exec.ExitError
	status := 0
	if errors.As(err, &exited) {
		ws, _ := exited.Sys().(syscall.WaitStatus)
		if ws.Signaled() {
			names := map[syscall.Signal]ssh.Signal{syscall.SIGKILL: ssh.SIGKILL,
				syscall.SIGTERM: ssh.SIGTERM}
			msg := struct {
				Signal  string
				Core    bool
				Message string
				Lang    string
			}{Signal: string(names[ws.Signal()])}
			_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(msg))
			return
		}
		status = exited.ExitCode()
	}
	_, _ = ch.SendRequest("exit-status", false,
		ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
}

// forward serves a direct-tcpip channel.
func (c *connection) forward(offer ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(offer.ExtraData(), &to); err != nil {
		_ = offer.Reject(ssh.ConnectionFailed, "malformed request")
		return
	}
	conn, err := new(net.Dialer).DialContext(c.ctx, "tcp",
		net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = offer.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	ch, requests, err := offer.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	defer context.AfterFunc(c.ctx, func() { _ = conn.Close() })()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(conn, ch); _ = conn.Close() })
	both.Go(func() { _, _ = io.Copy(ch, conn); _ = ch.Close() })
	both.Wait()
}
