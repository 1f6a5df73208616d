package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

func logsCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "logs", Usage: "show what a component logs on its hosts, merged by time",
		ArgsUsage: "COMPONENT [HOST...]",
		Description: "COMPONENT is patroni, postgresql, etcd, haproxy, keepalived, all of them, " +
			"or system (kernel, boots, links, sudo).\n" +
			"Without --since, --until and --lines the last 100 lines are shown. Times are each " +
			"host's own. A host that\n" +
			"cannot be reached is named, and the others' lines are shown.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since",
				Usage: "from this `TIME` on: 10m (ago), 02:00 (the last one) or 2026-11-30T02:00"},
			&cli.StringFlag{Name: "until", Usage: "up to this `TIME`"},
			&cli.BoolFlag{Name: "follow", DisableDefaultText: true,
				Usage: "go on with new lines until Ctrl-C"},
			numberFlag("lines", 0, "100, or all since a time",
				"only the last `NUMBER` of lines of all hosts together"),
			&cli.DurationFlag{Name: "timeout", DefaultText: "no limit",
				Usage: "give up, or stop following, after this `TIME`, such as 90s"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text",
				Usage: "`FORMAT` of the lines: text, or json with an object in each"},
		},
		Action: func(c *cli.Context) error {
			opts, err := logsOptions(c, time.Now())
			if err != nil {
				return err
			}
			opts.Warn = func(host string, err error) {
				out.Notef("%s %s: %v\n", out.Paint(terminal.Yellow, "!"), host, err)
				if hint := errs.NextOf(err).Render(typed); hint != "" {
					out.Notef("  %s\n", hint)
				}
			}
			show := entryText(out)
			if wantsJSON(c) {
				enc := json.NewEncoder(out.Stdout)
				show = func(e pgha.LogEntry) error { return enc.Encode(e) }
			}
			return withCluster(c, out, lookOptions(),
				func(ctx context.Context, cl *pgha.Cluster) error {
					err := cl.Logs(ctx, opts, show)
					switch {
					case opts.Follow && errors.Is(err, context.DeadlineExceeded):
						return nil // --timeout is how long to follow
					case opts.Follow && errors.Is(err, context.Canceled):
						return exitCode(exitInterrupted)
					case errors.Is(err, spec.ErrUnknownHost),
						errors.Is(err, pgha.ErrUnknownComponent):
						return usagef("%v", err)
					}
					return err
				})
		},
	}
}

// logsOptions reads flags and arguments.
func logsOptions(c *cli.Context, now time.Time) (pgha.LogsOptions, error) {
	opts := pgha.LogsOptions{Component: pgha.LogComponent(c.Args().First()), Hosts: c.Args().Tail(),
		Follow: c.Bool("follow"), Lines: c.Int("lines")}
	if err := knownComponent(c.Args().First()); err != nil {
		return opts, err
	}
	var err error
	if opts.Since, err = past("since", c.String("since"), now); err != nil {
		return opts, err
	}
	if opts.Until, err = past("until", c.String("until"), now); err != nil {
		return opts, err
	}
	switch {
	case opts.Lines < 0:
		return opts, usagef("--lines %d: a number of lines is positive", opts.Lines)
	case opts.Follow && !opts.Until.IsZero():
		return opts, usagef("--follow has no end: leave --until out, or use --timeout")
	case !opts.Until.IsZero() && !opts.Since.Before(opts.Until):
		return opts, usagef("--until is not after --since")
	case opts.Lines == 0 && opts.Since.IsZero() && opts.Until.IsZero():
		opts.Lines = 100
	}
	return opts, nil
}

func knownComponent(name string) error {
	var words []string
	for _, known := range pgha.LogComponents() {
		if name == string(known) {
			return nil
		}
		words = append(words, string(known))
	}
	if name == "" {
		return usagef("logs wants a component: %s", strings.Join(words, ", "))
	}
	return usageError{"there is no component " + strings.TrimSpace(name) + ", only " +
		strings.Join(words, ", ") + didYouMean(name, words)}
}

// past reads a time that has been: a duration before now, a time of the day (the last one), or a
// date with a time.
func past(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05",
		"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			day := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(),
				0, now.Location())
			if day.After(now) {
				day = day.AddDate(0, 0, -1)
			}
			return day, nil
		}
	}
	return time.Time{}, usagef("--%s %q: a time is 10m (ago), 02:00 (the last one) or "+
		"2026-11-30T02:00", flag, text)
}

// harmless is text that cannot command the terminal, whatever a program logged.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// entryText prints a line for people.
func entryText(out *terminal.Terminal) func(pgha.LogEntry) error {
	return func(e pgha.LogEntry) error {
		message := harmless(e.Message)
		message = strings.ReplaceAll(strings.TrimRight(message, "\n"), "\n", "\n    ")
		if e.Priority <= 3 { // error and worse
			message = out.Paint(terminal.Red, message)
		}
		out.Printf("%s %s %s: %s\n", out.Paint(terminal.Dim,
			e.Time.Local().Format("2006-01-02 15:04:05.000")),
			e.Host, e.Program, message)
		return nil
	}
}
