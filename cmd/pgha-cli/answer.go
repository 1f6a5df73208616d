package main

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/patroni"
)

// What --output json prints is one object for each run: what the command found, and error and hint
// when it failed. apply and logs print one object a line. docs/output.schema.json describes each
// command's.

// failure is the part of an answer that says what went wrong.
type failure struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// Lists have a name in the object.
type (
	checksAnswer struct {
		Checks []typedCheck `json:"checks"`
	}
	historyAnswer struct {
		History []patroni.HistoryEntry `json:"history"`
	}
	operationsAnswer struct {
		Operations []pgha.OperationRecord `json:"operations"`
	}
	hostsAnswer struct {
		Hosts []lab.Host `json:"hosts"`
	}
	scenariosAnswer struct {
		Scenarios []drill.Scenario `json:"scenarios"`
	}
	mistakesAnswer struct {
		Mistakes []specProblem `json:"mistakes"`
	}
	filesAnswer struct {
		Files int `json:"files"`
	}
	fixAnswer struct {
		DryRun   bool           `json:"dry_run"`
		Findings []typedFinding `json:"findings"`
	}
	bundleAnswer struct {
		File  string   `json:"file"`
		Bytes int      `json:"bytes"`
		Files []string `json:"files"`
	}
)

// printAnswer prints what a command found, and err with it, which it returns as told.
func printAnswer(out *terminal.Terminal, found any, err error) error {
	if err == nil {
		return out.JSON(found)
	}
	text, jsonErr := json.Marshal(found)
	if jsonErr != nil {
		return jsonErr
	}
	wrong, jsonErr := json.Marshal(failureOf(err))
	if jsonErr != nil {
		return jsonErr
	}
	if text = bytes.TrimSuffix(text, []byte("}")); len(text) > 1 {
		text = append(text, ',')
	}
	if err := out.JSON(json.RawMessage(append(text, wrong[1:]...))); err != nil {
		return err
	}
	return told{err}
}

func failureOf(err error) failure { return failure{textOf(err), hintOf(err)} }

// told is an error that an answer has: it is not printed again.
type told struct{ error }

func (t told) Unwrap() error { return t.error }

// inJSON has an error of the action printed as an object, where that is wanted. A command whose
// answer is one object a line ends with a line.
func inJSON(out *terminal.Terminal, action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := action(c)
		if err == nil || !wantsJSON(c) || errors.As(err, new(exitCode)) ||
			errors.As(err, new(told)) {
			return err
		}
		if c.Command.Name == "apply" || c.Command.Name == "logs" {
			return line(out, failureOf(err), err)
		}
		return printAnswer(out, struct{}{}, err)
	}
}

// line prints an object in one line; err is what it tells.
func line(out *terminal.Terminal, object any, err error) error {
	if jsonErr := json.NewEncoder(out.Stdout).Encode(object); jsonErr != nil {
		return jsonErr
	}
	if err != nil {
		return told{err}
	}
	return nil
}
