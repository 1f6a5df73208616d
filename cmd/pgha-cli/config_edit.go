package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

func configEditCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "edit", Usage: "change the settings of the whole cluster in an editor",
		Description: "Opens the dynamic configuration as YAML in $VISUAL or $EDITOR (default: " +
			"vi). What is saved is checked, shown and asked\n" +
			"for as config set does; what was taken out is removed. Refused if somebody else has " +
			"changed it meanwhile.",
		Flags: operationFlags(),
		Action: func(c *cli.Context) error {
			if !c.Bool("yes") && !c.Bool("dry-run") && !askable() {
				return usagef(
					"%s asks before it acts, and there is no terminal to ask on: add --yes, or "+
						"--dry-run to only look", c.Command.HelpName)
			}
			var before map[string]any
			err := withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) (err error) {
					before, err = cl.DynamicConfig(ctx)
					return err
				})
			if err != nil {
				return err
			}
			text, err := configText(before)
			if err != nil {
				return err
			}
			return editUntilRight(c, out, before, text)
		},
	}
}

// editUntilRight opens the editor again, with what was written there, as long as it is refused and
// somebody wants to mend it.
func editUntilRight(c *cli.Context, out *terminal.Terminal, before map[string]any,
	text []byte) error {
	for {
		edited, err := edit(c.Context, text)
		if err != nil {
			return err
		}
		if bytes.Equal(edited, text) {
			if wantsJSON(c) {
				return outcomeJSON(out, true, []changeLine{}, nil, nil)
			}
			out.Printf("nothing to do\n")
			return nil
		}
		var document map[string]any
		if err = yaml.Unmarshal(edited, &document); err != nil {
			err = remote.WithHint(fmt.Errorf("%w: what was saved is not YAML: %w",
				patroni.ErrInvalid, err),
				"nothing was changed")
		} else if len(document) == 0 {
			return remote.WithHint(fmt.Errorf("%w: what was saved is empty", patroni.ErrInvalid),
				"nothing was changed")
		} else {
			err = setConfig(c, out, pgha.SetConfigOptions{Document: document, Expect: before})
		}
		if err == nil || !errors.Is(err, patroni.ErrInvalid) || c.Bool("yes") || !askable() {
			return err
		}
		fail(out, err)
		if confirm(c.Context, out, "Edit it again?", "") != nil {
			return exitCode(exitRefused)
		}
		text = edited
	}
}

const editHeader = `# The dynamic configuration of the whole cluster. What you take out is removed; save it unchanged to change nothing.
`

// configText is the configuration as YAML, in the order of the keys.
func configText(config map[string]any) ([]byte, error) {
	text := bytes.NewBufferString(editHeader)
	enc := yaml.NewEncoder(text)
	enc.SetIndent(2)
	if err := enc.Encode(config); err != nil {
		return nil, fmt.Errorf("write the configuration as YAML: %w", err)
	}
	return text.Bytes(), nil
}

// edit runs the editor on a file that only this user can read, and returns what was saved.
func edit(ctx context.Context, text []byte) (edited []byte, err error) {
	file, err := os.CreateTemp("", "pgha-config-*.yaml") // 0600
	if err != nil {
		return nil, fmt.Errorf("make a file to edit: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("write the file to edit: %w", err)
	}
	editor := "vi"
	for _, name := range []string{"EDITOR", "VISUAL"} {
		if value := os.Getenv(name); value != "" {
			editor = value
		}
	}
	// Through the shell, because $EDITOR may hold arguments; the file's name is no part of the
	// script.
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", file.Name())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = errors.New(exit.Error()) // its exit code is not this program's
	}
	if err != nil {
		return nil, remote.WithHint(fmt.Errorf("run the editor %q: %w", editor, err),
			"nothing was changed; $VISUAL or $EDITOR names the editor")
	}
	saved, err := os.Open(file.Name()) // again by its name: editors replace files
	if err != nil {
		return nil, fmt.Errorf("read what was saved: %w", err)
	}
	defer saved.Close()
	return io.ReadAll(saved)
}
