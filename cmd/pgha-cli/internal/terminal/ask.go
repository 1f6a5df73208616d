package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// AskPassword prompts on the terminal, without echo, whatever standard input and output are. When
// ctx ends, as it does with Ctrl-C, the terminal is put back as it was and the question is given
// up. Only one question may be open at a time.
func AskPassword(ctx context.Context, prompt string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errors.New("there is no terminal to ask on for the " + prompt)
	}
	fd := int(tty.Fd())
	// from before the prompt on: who answers quickly is not faster than ReadPassword
	restore, err := EchoOff(fd)
	if err != nil {
		tty.Close()
		return "", fmt.Errorf("ask for the %s: %w", prompt, err)
	}
	fmt.Fprintf(tty, "%s: ", prompt)
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		restore()
		fmt.Fprintln(tty)
		tty.Close()
		return string(a.text), a.err
	case <-ctx.Done():
		// The reader stays behind on a terminal that is left open for it, and ends with the
		// program.
		restore()
		fmt.Fprintln(tty)
		return "", context.Cause(ctx)
	}
}
