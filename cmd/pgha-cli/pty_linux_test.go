package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
)

// session is a program on a terminal of its own, with somebody who reads and types.
type session struct {
	t        *testing.T
	terminal *os.File
	cmd      *exec.Cmd

	read   chan struct{} // closed once everything that was shown has been read
	mu     sync.Mutex
	screen strings.Builder
}

// openPair opens both ends of a new terminal.
func openPair(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// onTerminal starts a program that has a new terminal and nothing else to read from or write to.
func onTerminal(t *testing.T, env []string, program string, args ...string) *session {
	t.Helper()
	master, slave := openPair(t)
	defer slave.Close()
	s := &session{t: t, terminal: master, read: make(chan struct{}),
		cmd: exec.CommandContext(t.Context(), program, args...)}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.read)
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			s.mu.Lock()
			s.screen.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// shown is everything that the terminal has shown so far.
func (s *session) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

// patience is how long a machine that is busy, with the race detector on, may take for anything.
const patience = 2 * time.Minute

// answer types once the screen ends with a question that has these words.
func (s *session) answer(question, text string) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		screen := s.shown()
		line := screen[strings.LastIndexByte(screen, '\n')+1:]
		if strings.Contains(line, question) && strings.HasSuffix(line, " ") {
			break
		}
		if time.Now().After(end) {
			s.t.Fatalf("never asked %q:\n%s", question, screen)
		}
	}
	if _, err := s.terminal.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// ended waits for the program's end and returns its exit code.
func (s *session) ended() int {
	s.t.Helper()
	done := make(chan error, 1)
	go func() {
		err := s.cmd.Wait()
		<-s.read
		done <- err
	}()
	select {
	case <-done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		s.t.Fatalf("it does not end:\n%s", s.shown())
		return -1
	}
}

// TestEchoOff: while nothing is shown of what is typed, Ctrl-C interrupts all the same.
func TestEchoOff(t *testing.T) {
	t.Parallel()
	_, slave := openPair(t)
	defer slave.Close()
	flags := func() uint32 {
		state, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag
	}
	before := flags()
	restore, err := terminal.EchoOff(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := flags(), before&^unix.ECHO; got != want || got&unix.ISIG == 0 {
		t.Errorf("flags %#x, want %#x", got, want)
	}
	if restore(); flags() != before {
		t.Errorf("flags %#x afterwards, before %#x", flags(), before)
	}
}
