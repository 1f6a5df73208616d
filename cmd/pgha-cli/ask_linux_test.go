package main

import (
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

const (
	testPassphrase = "open-sesame"
	testSudo       = "let-me-in"
)

// askingSudo is a sudo that wants the password, or none where there is a file "free" beside it, and
// then runs nothing but true.
const askingSudo = `#!/bin/sh
password=
case "$*" in *-S*) read -r password ;; esac
if [ ! -e "${0%/*}/free" ]; then
	case "$*" in *-S*) ;; *) echo "sudo: a password is required" >&2; exit 1 ;; esac
	[ "$password" = ` + testSudo + ` ] || { echo "sudo: 1 incorrect password attempt" >&2; exit 1; }
fi
case "$*" in *" true") exit 0 ;; esac
exit 7
`

// sudoers makes a folder of programs that has this sudo, and returns what a host's commands get as
// environment.
func sudoers(t *testing.T, free bool) []string {
	t.Helper()
	dir := t.TempDir()
	scripttest.Program(t, dir, "sudo", askingSudo)
	if free {
		if err := os.WriteFile(filepath.Join(dir, "free"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
}

// TestQuestionsOnATerminal has three hosts want a passphrase and sudo's password at once: each is
// asked for once, one after the other, and what is typed is never shown.
func TestQuestionsOnATerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		free, agent bool   // sudo without a password; an agent that holds the key
		ssh         string // what the specification says besides
		typed       [][2]string
		code        int // 0: whatever the command ends with
		never       string
	}{
		"both are asked for": {
			typed: [][2]string{{"passphrase of", testPassphrase + "\n"},
				{"sudo password of admin", testSudo + "\n"}},
		},
		"a mistyped passphrase": {
			free: true,
			typed: [][2]string{{"passphrase of", "hunter2\n"},
				{"(the one before was wrong)", testPassphrase + "\n"}},
		},
		"a mistyped password": {
			agent: true,
			typed: [][2]string{
				{"sudo password of admin", "hunter2\n"},
				{"(the one before was refused)", testSudo + "\n"},
			},
		},
		"Ctrl-C at the first": {typed: [][2]string{{"passphrase of", "\x03"}},
			code: exitInterrupted},
		"Ctrl-C half-way": {
			agent: true, typed: [][2]string{{"sudo password of", "hunter2\x03"}},
			code: exitInterrupted,
		},
		"the agent and NOPASSWD ask nothing": {free: true, agent: true, never: "password of"},
		"no files but the agent's": {
			free: true, agent: true, ssh: ", identity_files: []", never: "passphrase of",
		},
		"no files and no agent": {free: true, ssh: ", identity_files: []", never: "passphrase of"},
		"files answer": {
			ssh:   ", passphrase_file: passphrase, sudo_password_command: [cat, SUDO]",
			never: "password of",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			sudo := sudoers(t, c.free)
			env := clientKeys(t, dir, c.agent)
			ssh := strings.ReplaceAll(c.ssh, "SUDO", filepath.Join(dir, "sudo"))
			if !strings.Contains(ssh, "identity_files") {
				ssh += ", identity_files: [locked]"
			}
			text := "version: 1\nssh: {user: admin, host_keys: accept-new, known_hosts: known" +
				ssh + "}\nhosts:\n"
			for i := range 3 {
				s := remotetest.StartServer(t, remotetest.ServerOptions{
					Identity: filepath.Join(dir, "open"), User: "admin", Env: sudo,
				})
				text += fmt.Sprintf(
					"  - {name: pg-%d, address: 192.0.2.%d, role: database, ssh: {address: "+
						"127.0.0.1, port: %s}}\n",
					i, i+1, s.Port())
			}
			spec := filepath.Join(dir, "pgha.yaml")
			if err := os.WriteFile(spec, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := onTerminal(t, env, "pgha-cli", "--spec", spec, "preflight")
			for _, typed := range c.typed {
				s.answer(typed[0], typed[1])
			}
			code, screen := s.ended(), s.shown()
			if c.code != 0 && code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			asked := strings.Count(screen, "passphrase of "+dir) + strings.Count(screen,
				"sudo password of admin on")
			if asked != len(c.typed) || c.never != "" && strings.Contains(screen, c.never) {
				t.Errorf("asked %d times, want %d", asked, len(c.typed))
			}
			for _, secret := range []string{testPassphrase, testSudo, "hunter2"} {
				if strings.Contains(screen, secret) {
					t.Errorf("%s is shown", secret)
				}
			}
			if t.Failed() {
				t.Log(screen)
			}
		})
	}
}

// clientKeys writes a key twice, open for the server and locked for the client, and what opens it
// and sudo. It returns the environment of the client, with an agent that holds the key if there is
// to be one.
func clientKeys(t *testing.T, dir string, held bool) []string {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	fatal(remotetest.WriteIdentity(filepath.Join(dir, "open")))
	text, err := os.ReadFile(filepath.Join(dir, "open"))
	fatal(err)
	key, err := ssh.ParseRawPrivateKey(text)
	fatal(err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(testPassphrase))
	fatal(err)
	for name, content := range map[string]string{
		"locked": string(pem.EncodeToMemory(block)), "passphrase": testPassphrase + "\n",
		"sudo": testSudo + "\n",
	} {
		fatal(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	env := []string{"HOME=" + dir, "SSH_AUTH_SOCK="}
	if !held {
		return env
	}
	ring := agent.NewKeyring()
	fatal(ring.Add(agent.AddedKey{PrivateKey: key}))
	folder, err := os.MkdirTemp("", "pgha-agent") // a socket's path must be short
	fatal(err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket := filepath.Join(folder, "s")
	listener, err := net.Listen("unix", socket)
	fatal(err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn); conn.Close() }()
		}
	}()
	return append(env[:1], "SSH_AUTH_SOCK="+socket)
}
