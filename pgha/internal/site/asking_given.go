package site

import (
	"context"
	"fmt"
	"os"

	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/spec"
)

// given is what the spec names to answer a question in place of a person: a file, a command, or
// neither.
type given struct {
	what    string // the fields' name without _file and _command
	file    string
	command []string
}

func (g given) named() bool { return g.file != "" || len(g.command) > 0 }

// field is the one that is in use.
func (g given) field() string {
	if g.file != "" {
		return g.what + "_file"
	}
	return g.what + "_command"
}

// read returns the answer without the line break at its end. No error shows it.
func (g given) read(ctx context.Context) (string, error) {
	text, err := g.content(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: %w", g.field(), err)
	}
	s := spec.TrimAnswer(text)
	if err := spec.CheckAnswer(s); err != nil {
		return "", fmt.Errorf("%s: what it gives %w", g.field(), err)
	}
	return s, nil
}

func (g given) content(ctx context.Context) ([]byte, error) {
	if g.file != "" {
		return os.ReadFile(g.file) // whose it is and who may read it was looked at with the spec
	}
	return vault.Fetched(ctx, g.command)
}
