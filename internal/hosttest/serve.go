package hosttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/remote"
)

// Say makes the host answer what text returns to looks and commands that begin with these words.
// text runs with the Host's lock.
func (h *Host) Say(words string, text func() string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.says[words] = text
}

// said is what Say has prepared for a command line.
func (h *Host) said(line string) (text string, ok bool) {
	line = strings.TrimSuffix(line, "\n")
	for words, text := range h.says {
		if line == words || strings.HasPrefix(line, words+" ") {
			return text(), true
		}
	}
	return "", false
}

// Serve runs a command line as sshd would on this host: it is ServerOptions.Answer of package
// remotetest. It takes what ssh.Conn sends and no other shell.
func (h *Host) Serve(ctx context.Context, line string, stdin io.Reader, stdout,
	stderr io.Writer) int {
	mark, command, ok := strings.Cut(line, " $$; ")
	if !ok {
		return h.fail(stderr, fmt.Errorf("no command of ssh.Conn: %s", line))
	}
	if _, err := fmt.Fprintf(stdout, "%s 4711\n", strings.TrimPrefix(mark, "echo ")); err != nil {
		return h.fail(stderr, err)
	}
	argv := words(command)
	if len(argv) == 0 {
		return 0
	}
	// the scripts of package remote have names
	if len(argv) > 4 && argv[0] == "sh" && argv[1] == "-c" {
		switch argv[3] {
		case "lock":
			return h.lock(stdin, stdout)
		case "put":
			return h.put(ctx, argv[4:], stdin, stdout, stderr)
		case "get":
			return h.get(ctx, argv[4], argv[5], stdout, stderr)
		}
	}
	cmd := remote.Cmd{Argv: argv, Mutating: changing(argv[0])}
	if len(argv) > 2 && argv[0] == "sh" && argv[1] == "-s" {
		script, err := io.ReadAll(stdin)
		if err != nil {
			return h.fail(stderr, err)
		}
		// a look may ask apt, too
		cmd = remote.Cmd{Script: string(script), Argv: argv[3:],
			Mutating: bytes.Contains(script, []byte("apt-get -q"))}
	}
	res, err := h.Run(ctx, cmd)
	if _, err := stdout.Write(res.Stdout); err != nil {
		return h.fail(stderr, err)
	}
	if err != nil {
		return h.fail(stderr, err)
	}
	return res.ExitCode
}

// changing are the programs that Ensure changes a host with.
func changing(program string) bool {
	switch program {
	case "install", "mv", "rm", "groupadd", "useradd", "systemctl":
		return true
	}
	return false
}

// lock holds a lock that nobody else wants, until the end of the input.
func (h *Host) lock(stdin io.Reader, stdout io.Writer) int {
	h.mu.Lock()
	h.locks++
	h.mu.Unlock()
	buf, word := make([]byte, 512), "locked\n"
	for {
		n, err := stdin.Read(buf)
		for range bytes.Count(buf[:n], []byte("\n")) {
			if _, err := io.WriteString(stdout, word); err != nil {
				return 1
			}
			word = "held\n"
		}
		if err != nil {
			return 0
		}
	}
}

// Locks is how many times the host's lock was taken.
func (h *Host) Locks() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.locks
}

func (h *Host) put(ctx context.Context, argv []string, stdin io.Reader, stdout,
	stderr io.Writer) int {
	content, err := io.ReadAll(stdin)
	if err != nil {
		return h.fail(stderr, err)
	}
	const checksum = 64 // follows the content
	if len(content) < checksum {
		return h.fail(stderr, errors.New("the content is cut"))
	}
	mode, err := strconv.ParseUint(argv[1], 8, 32)
	if err != nil {
		return h.fail(stderr, err)
	}
	meta := remote.FileMeta{Path: argv[0], Mode: fs.FileMode(mode), Owner: argv[2], Group: argv[3]}
	if _, err := h.Put(ctx, bytes.NewReader(content[:len(content)-checksum]), meta); err != nil {
		return h.fail(stderr, err)
	}
	return h.print(stdout, "changed\n")
}

func (h *Host) get(ctx context.Context, path, mark string, stdout, stderr io.Writer) int {
	r, err := h.Get(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return 66
	}
	if err != nil {
		return h.fail(stderr, err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return h.fail(stderr, err)
	}
	return h.print(stdout, mark+"\n"+string(content))
}

func (h *Host) print(stdout io.Writer, text string) int {
	if _, err := io.WriteString(stdout, text); err != nil {
		return 1
	}
	return 0
}

func (h *Host) fail(stderr io.Writer, err error) int {
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", h.name, err) // nobody may be left to read it
	return 1
}

// words takes apart what package shell has quoted.
func words(line string) []string {
	var out []string
	var word strings.Builder
	quoted, any := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			quoted, any = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '\\':
			i++
			word.WriteByte(line[i])
		case c == ' ':
			out = append(out, word.String())
			word.Reset()
			any = false
		default:
			word.WriteByte(c)
			any = true
		}
	}
	if word.Len() > 0 || any {
		out = append(out, word.String())
	}
	return out
}
