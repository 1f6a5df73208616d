package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
)

// invented is a program with one verb, which does what the variables say: PLANS changes, REFUSES
// with this error, WORD has to be typed. What it does it appends to the file DONE.
func invented() {
	os.Exit(run(os.Args, func(out *terminal.Terminal) *cli.App {
		app := newApp(out)
		app.Commands = append(app.Commands, &cli.Command{Name: "verb", Flags: operationFlags(),
			Action: func(c *cli.Context) error {
				return operate(c, out, operation[map[string]int]{
					question: "Go ahead?", typed: os.Getenv("WORD"), do: inventedDo,
					show: func(r map[string]int) { out.Printf("shown: %d\n", r["answer"]) },
				})
			}})
		return app
	}))
}

func inventedDo(_ context.Context, _ *pgha.Cluster, op pgha.Operation) (map[string]int, error) {
	for range len(os.Getenv("PLANS")) {
		op.Observer(pgha.Event{Kind: pgha.Changed, Host: "lb-1",
			Change: &remote.Change{Host: "lb-1", Kind: "unit", Name: "x.service",
				Action: "stop", Planned: op.DryRun, Diff: "-was\n+is\n"}})
	}
	if text := os.Getenv("REFUSES"); text != "" {
		return nil, remote.WithHint(fmt.Errorf("%w: %s", pgha.ErrRefused, text), "wait")
	}
	if op.DryRun {
		return map[string]int{"answer": 41}, nil
	}
	return map[string]int{"answer": 42}, os.WriteFile(os.Getenv("DONE"), nil, 0o600)
}

// TestQuestions answers a verb's question on a terminal. Nothing is done but for the one right
// answer.
func TestQuestions(t *testing.T) {
	t.Parallel()
	file := halfDead(t, "lb-1")
	for name, tt := range map[string]struct {
		word, answer string
		code         int
	}{
		"y":                       {"", "y\n", exitOK},
		"Yes":                     {"", "Yes\n", exitOK},
		"yes, with spaces":        {"", "  yes \n", exitOK},
		"no":                      {"", "n\n", exitFailed},
		"only return":             {"", "\n", exitFailed},
		"something else":          {"", "maybe\n", exitFailed},
		"the end of the input":    {"", "\x04", exitFailed},
		"Ctrl-C":                  {"", "\x03", exitInterrupted},
		"the word":                {"dead", "dead\n", exitOK},
		"yes in place of a word":  {"dead", "yes\n", exitFailed},
		"the word in capitals":    {"dead", "DEAD\n", exitFailed},
		"the beginning of a word": {"dead", "dea\n", exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := filepath.Join(t.TempDir(), "done")
			s := onTerminal(t, []string{"PLANS=x", "WORD=" + tt.word, "DONE=" + done}, "pgha-verb",
				"--spec", file, "verb")
			question := "[y/N] "
			if tt.word != "" {
				question = "to go on: "
			}
			s.answer(question, tt.answer)
			code, screen := s.ended(), s.shown()
			_, err := os.Stat(done)
			if code != tt.code || (err == nil) != (tt.code == exitOK) ||
				strings.Contains(screen, "shown: 42") != (err == nil) {
				t.Errorf("exit code %d, want %d; %v:\n%s", code, tt.code, err, screen)
			}
			if plan, question := strings.Index(screen, "x.service"),
				strings.Index(screen, "Go ahead"); plan < 0 || question < plan {
				t.Errorf("it asks before it says what it would do:\n%s", screen)
			}
			if code != exitOK && !strings.Contains(screen, "not confirmed, nothing was changed") {
				t.Errorf("it does not say that nothing was changed:\n%s", screen)
			}
		})
	}
}

// TestNothingToAsk: with nothing to do, or a refusal, nobody is asked.
func TestNothingToAsk(t *testing.T) {
	t.Parallel()
	file := halfDead(t, "lb-1")
	for name, tt := range map[string]struct {
		env  []string
		code int
		says string
	}{
		"nothing to do": {nil, exitOK, "nothing to do"},
		"refused": {[]string{"PLANS=x", "REFUSES=a backup runs"}, exitRefused,
			"a backup runs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := onTerminal(t, tt.env, "pgha-verb", "--spec", file, "verb")
			code := s.ended()
			if screen := s.shown(); code != tt.code || !strings.Contains(screen, tt.says) ||
				strings.Contains(screen, "Go ahead") {
				t.Errorf("exit code %d, want %d:\n%s", code, tt.code, screen)
			}
		})
	}
}

// TestVerbInAPipe: where nobody can be asked a verb wants --yes or --dry-run, and standard output
// has the result alone.
func TestVerbInAPipe(t *testing.T) {
	t.Parallel()
	file := halfDead(t, "lb-1")
	for name, tt := range map[string]struct {
		args, env      string
		code           int
		done           bool
		stdout, stderr string // what must be in it; standard output is compared if it is JSON
	}{
		"neither": {"", "PLANS=x", exitUsage, false, "",
			"there is no terminal to ask on: add --yes, or --dry-run"},
		"dry run":     {"--dry-run", "PLANS=x", exitOK, false, "", "would:"},
		"dry run, no": {"--dry-run", "PLANS=", exitOK, false, "nothing to do", "no connection"},
		"yes":         {"--yes", "PLANS=x", exitOK, true, "shown: 42", "unit x.service"},
		"both":        {"--yes --dry-run", "PLANS=x", exitOK, false, "", "would:"},
		"refused":     {"--yes", "REFUSES=a backup runs", exitRefused, false, "", "hint: wait"},
		"JSON": {"--yes -o json", "PLANS=x", exitOK, true,
			`{"dry_run":false,"changes":[CHANGE],"result":{"answer":42}}`, ""},
		"JSON, dry run": {"--dry-run -o json", "PLANS=xx", exitOK, false,
			`{"dry_run":true,"changes":[CHANGE,CHANGE]}`, ""},
		"JSON, no change": {"--dry-run -o json", "PLANS=", exitOK, false,
			`{"dry_run":true,"changes":[]}`, ""},
		"JSON, refused": {"--yes -o json", "REFUSES=no", exitRefused, false,
			`{"dry_run":false,"changes":[],"error":"refused: no","hint":"wait"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := filepath.Join(t.TempDir(), "done")
			cmd := exec.CommandContext(t.Context(), "pgha-verb",
				append([]string{"--spec", file, "verb"}, strings.Fields(tt.args)...)...)
			cmd.Env = append(os.Environ(), tt.env, "DONE="+done)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run()
			code := cmd.ProcessState.ExitCode()
			if _, err := os.Stat(done); (err == nil) != tt.done || code != tt.code ||
				!strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, want %d; done: %v; %s", code, tt.code, err == nil,
					stderr.String())
			}
			got := stdout.String()
			if strings.HasPrefix(tt.stdout, "{") {
				var compact bytes.Buffer
				if err := json.Compact(&compact, stdout.Bytes()); err != nil {
					t.Errorf("%v: %s", err, got)
				}
				got = compact.String()
				tt.stdout = strings.ReplaceAll(tt.stdout, "CHANGE",
					`{"host":"lb-1","kind":"unit","name":"x.service","action":"stop"}`)
			}
			if strings.TrimSpace(got) != tt.stdout {
				t.Errorf("standard output is %s, want %s", got, tt.stdout)
			}
		})
	}
}

// TestJSONOnATerminal: who wants JSON and is asked all the same gets one document on standard
// output, whatever the answer is.
func TestJSONOnATerminal(t *testing.T) {
	t.Parallel()
	file := halfDead(t, "lb-1")
	for name, tt := range map[string]struct{ env, answer, want string }{
		"yes":           {"PLANS=x", "y\n", `"answer": 42`},
		"no":            {"PLANS=x", "n\n", `"error": "not confirmed, nothing was changed"`},
		"nothing to do": {"PLANS=", "", `"changes": []`},
		"refused":       {"REFUSES=no", "", `"error": "refused: no"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			result := filepath.Join(dir, "result")
			s := onTerminal(t, []string{tt.env, "DONE=" + filepath.Join(dir, "done")}, "sh", "-c",
				fmt.Sprintf("pgha-verb --spec %s verb -o json > %s", file, result))
			if tt.answer != "" {
				s.answer("[y/N] ", tt.answer)
			}
			s.ended()
			text, err := os.ReadFile(result)
			if err != nil || !json.Valid(text) || !strings.Contains(string(text), tt.want) {
				t.Errorf("%v; %s, want %s\n%s", err, text, tt.want, s.shown())
			}
		})
	}
}
