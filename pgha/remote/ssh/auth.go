package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/pgha/toolkit/pgha/remote"
)

// authenticator offers the configured credentials to one server and remembers what was offered, for
// the error.
type authenticator struct {
	cfg   *Config
	ctx   context.Context
	pause func() (resume func())
	agent net.Conn
	tried []string

	password    string
	hasPassword bool
}

// methods are the ways to authenticate, keys first. All keys go into one method: a client tries
// each method once.
func (a *authenticator) methods() ([]ssh.AuthMethod, error) {
	keys, err := a.readIdentities()
	if err != nil {
		return nil, err
	}
	var methods []ssh.AuthMethod
	if len(keys) > 0 || a.cfg.AgentSocket != "" {
		methods = append(methods, ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
			return a.signers(keys)
		}))
	}
	if a.cfg.Password != nil {
		methods = append(methods, ssh.PasswordCallback(a.askPassword),
			ssh.KeyboardInteractive(a.answer))
	}
	if len(methods) == 0 {
		return nil, remote.WithHint(fmt.Errorf("%w: no key, agent or password to offer", ErrAuth),
			"name a private key, or set SSH_AUTH_SOCK to an agent that holds one")
	}
	return methods, nil
}

type identity struct {
	file string
	pem  []byte
}

func (a *authenticator) readIdentities() ([]identity, error) {
	var keys []identity
	for _, file := range a.cfg.IdentityFiles {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read identity file: %w", err)
		}
		keys = append(keys, identity{file, pem})
	}
	return keys, nil
}

// signers runs when the server wants a key: those of the agent, then those in files that it doesn't
// hold.
func (a *authenticator) signers(keys []identity) ([]ssh.Signer, error) {
	var signers []ssh.Signer
	if a.cfg.AgentSocket != "" {
		held, err := a.askAgent()
		if err != nil {
			a.tried = append(a.tried, fmt.Sprintf("agent (unusable: %v)", err))
		} else {
			a.tried = append(a.tried, fmt.Sprintf("agent (%d keys)", len(held)))
		}
		signers = held
	}
	held := slices.Clone(signers)
	for _, k := range keys {
		signer, err := a.open(k)
		if err != nil {
			a.tried = append(a.tried, fmt.Sprintf("key %s (unusable: %v)", k.file, err))
			continue
		}
		if slices.ContainsFunc(held, func(h ssh.Signer) bool { return sameKey(h, signer) }) {
			continue
		}
		a.tried = append(a.tried, "key "+k.file)
		signers = append(signers, signer)
	}
	return signers, nil
}

func sameKey(a, b ssh.Signer) bool {
	return bytes.Equal(a.PublicKey().Marshal(), b.PublicKey().Marshal())
}

// open reads a key. Of an encrypted one only the public half is read: the passphrase is asked for
// once the server takes it.
func (a *authenticator) open(k identity) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(k.pem)
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		return signer, err
	}
	if a.cfg.Passphrase == nil {
		return nil, errors.New("it is encrypted and there is no passphrase")
	}
	if locked.PublicKey == nil {
		return a.unlock(k)
	}
	return &lockedKey{public: locked.PublicKey, unlock: func() (ssh.Signer, error) {
		return a.unlock(k)
	}}, nil
}

func (a *authenticator) unlock(k identity) (ssh.Signer, error) {
	defer a.pause()()
	pass, err := a.cfg.Passphrase(k.file)
	if err != nil {
		return nil, err
	}
	defer clear(pass)
	signer, err := ssh.ParsePrivateKeyWithPassphrase(k.pem, pass)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", k.file, err)
	}
	return signer, nil
}

// CheckPassphrase tells whether a passphrase opens a private key in a file of this machine: nil, or
// why it does not. It takes as long as the key was made to take, some tenths of a second.
func CheckPassphrase(file string, passphrase []byte) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read identity file: %w", err)
	}
	if _, err = ssh.ParsePrivateKeyWithPassphrase(pem, passphrase); err != nil {
		return fmt.Errorf("key %s: %w", file, err)
	}
	return nil
}

// lockedKey is an encrypted key that is opened when it has to sign.
type lockedKey struct {
	public ssh.PublicKey
	unlock func() (ssh.Signer, error)
}

func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

func (k *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm implements ssh.AlgorithmSigner, without which keys of RSA could sign with SHA-1
// only.
func (k *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte,
	algorithm string) (*ssh.Signature, error) {
	signer, err := k.unlock()
	if err != nil {
		return nil, err
	}
	if with, ok := signer.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return with.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

func (a *authenticator) askAgent() ([]ssh.Signer, error) {
	conn, err := new(net.Dialer).DialContext(a.ctx, "unix", a.cfg.AgentSocket)
	if err != nil {
		return nil, err
	}
	a.agent = conn
	return agent.NewClient(conn).Signers()
}

func (a *authenticator) askPassword() (string, error) {
	if a.hasPassword {
		return a.password, nil
	}
	defer a.pause()()
	a.tried = append(a.tried, "password")
	var err error
	a.password, err = a.cfg.Password(a.ctx)
	a.hasPassword = err == nil
	return a.password, err
}

// answer gives the password to every question whose answer is not shown.
func (a *authenticator) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range questions {
		if echos[i] {
			return nil, fmt.Errorf("the server asks %q", questions[i])
		}
		password, err := a.askPassword()
		if err != nil {
			return nil, err
		}
		answers[i] = password
	}
	return answers, nil
}

func (a *authenticator) close() {
	if a.agent != nil {
		_ = a.agent.Close()
	}
}

// String lists what was offered.
func (a *authenticator) String() string {
	if len(a.tried) == 0 {
		return "nothing, because the server wants another way to authenticate than those configured"
	}
	return strings.Join(a.tried, ", ")
}

// askOnce keeps answers, so that one more connection to the same host asks nobody again.
func (c *Config) askOnce() {
	var mu sync.Mutex
	if ask := c.Password; ask != nil {
		var known *string
		c.Password = func(ctx context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if known != nil {
				return *known, nil
			}
			answer, err := ask(ctx)
			if err == nil {
				known = &answer
			}
			return answer, err
		}
	}
	if ask := c.Passphrase; ask != nil {
		known := map[string][]byte{}
		c.Passphrase = func(file string) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			if answer, ok := known[file]; ok {
				return bytes.Clone(answer), nil
			}
			answer, err := ask(file)
			if err == nil {
				known[file] = bytes.Clone(answer)
			}
			return answer, err
		}
	}
}
