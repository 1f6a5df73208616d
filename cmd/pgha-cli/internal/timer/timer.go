// Package timer makes a systemd timer of this machine, which runs a command of pgha-cli again and
// again.
package timer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Timer runs a command by the calendar.
type Timer struct {
	// Name of both units, without a suffix. Purpose is their description.
	Name, Purpose string
	// Command is the program, by its absolute path, with its arguments.
	Command []string
	// Calendar is an event of systemd: daily, "Mon..Fri 03:00"; "" is Every.
	Calendar string
	// Every is how long it is between two runs at most: a day where that is enough, else the hours or
	// minutes below it that divide a day or an hour.
	Every time.Duration
	// Dir is where the units lie; User says that they are the user's own rather than the machine's.
	Dir  string
	User bool
	// Run calls systemctl; nil is the machine's own.
	Run func(ctx context.Context, args ...string) (string, error)
}

// Here returns a timer of this machine for root, and of the user for anybody else.
func Here(t Timer) (Timer, error) {
	t.Dir = "/etc/systemd/system"
	if os.Geteuid() != 0 {
		dir, err := os.UserConfigDir()
		if err != nil {
			return t, fmt.Errorf("find the directory of units: %w", err)
		}
		t.Dir, t.User = filepath.Join(dir, "systemd", "user"), true
	}
	return t, nil
}

// Service is the unit that runs the command once.
func (t Timer) Service() string {
	words := make([]string, len(t.Command))
	for i, w := range t.Command {
		words[i] = word(w)
	}
	return fmt.Sprintf(`# Written by pgha-cli certificates timer install.
[Unit]
Description=%s
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=%s
`, t.Purpose, strings.Join(words, " "))
}

// Unit is the timer.
func (t Timer) Unit() string {
	return fmt.Sprintf(`# Written by pgha-cli certificates timer install.
[Unit]
Description=%s, by the calendar

[Timer]
OnCalendar=%s
Persistent=true
RandomizedDelaySec=%s

[Install]
WantedBy=timers.target
`, t.Purpose, t.calendar(), t.delay())
}

// often is what Every comes to: the number of hours, or below an hour of minutes, or 0 and 0 for once
// a day.
func (t Timer) often() (hours, minutes int) {
	divisor := func(most, of int) int {
		n := min(max(most, 1), of)
		for of%n != 0 {
			n--
		}
		return n
	}
	switch {
	case t.Every == 0 || t.Every >= 24*time.Hour:
		return 0, 0
	case t.Every >= time.Hour:
		return divisor(int(t.Every.Hours()), 24), 0
	}
	return 0, divisor(int(t.Every.Minutes()), 60)
}

func (t Timer) calendar() string {
	hours, minutes := t.often()
	switch {
	case t.Calendar != "":
		return t.Calendar
	case hours > 0:
		return fmt.Sprintf("*-*-* 00/%d:00:00", hours)
	case minutes > 0:
		return fmt.Sprintf("*-*-* *:00/%d:00", minutes)
	}
	return "daily"
}

// delay keeps the machines of many clusters apart, and is small beside what is between two runs.
func (t Timer) delay() string {
	switch hours, minutes := t.often(); {
	case minutes > 0:
		return "5s"
	case hours > 0:
		return "5min"
	}
	return "15min"
}

// Cron is a line for cron, which has no calendar of systemd's.
func (t Timer) Cron() string {
	words := make([]string, len(t.Command))
	for i, w := range t.Command {
		if words[i] = w; !plain.MatchString(w) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	// cron takes a per cent sign for the end of the line.
	when := "17 3 * * * "
	switch hours, minutes := t.often(); {
	case minutes > 0:
		when = fmt.Sprintf("*/%d * * * * ", minutes)
	case hours > 0:
		when = fmt.Sprintf("17 */%d * * * ", hours)
	}
	return when + strings.ReplaceAll(strings.Join(words, " "), "%", `\%`)
}

// plain are words that systemd takes as they are.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@=,+-]+$`)

// word quotes a word for ExecStart.
func word(text string) string {
	text = strings.NewReplacer("%", "%%", "$", "$$").Replace(text)
	if plain.MatchString(text) {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func (t Timer) service() string { return t.Name + ".service" }
func (t Timer) timer() string   { return t.Name + ".timer" }

func (t Timer) systemctl(ctx context.Context, args ...string) (string, error) {
	if t.User {
		args = append([]string{"--user"}, args...)
	}
	if t.Run != nil {
		return t.Run(ctx, args...)
	}
	cmd := exec.CommandContext(ctx, "systemctl", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err,
			strings.TrimSpace(said.String()))
	}
	return string(out), err
}

// Install writes both units, and starts the timer, now and after a boot. Safe to repeat.
func (t Timer) Install(ctx context.Context) error {
	if err := os.MkdirAll(t.Dir, 0o755); err != nil {
		return fmt.Errorf("install the timer: %w", err)
	}
	for name, content := range map[string]string{t.service(): t.Service(), t.timer(): t.Unit()} {
		if err := os.WriteFile(filepath.Join(t.Dir, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("install the timer: %w", err)
		}
	}
	for _, args := range [][]string{{"daemon-reload"}, {"enable", "--now", t.timer()},
		{"restart", t.timer()}} {
		if _, err := t.systemctl(ctx, args...); err != nil {
			return fmt.Errorf("install the timer: %w", err)
		}
	}
	return nil
}

// Installed tells whether the timer's unit is there.
func (t Timer) Installed() bool {
	_, err := os.Stat(filepath.Join(t.Dir, t.timer()))
	return err == nil
}

// Remove stops the timer and deletes both units. Safe to repeat.
func (t Timer) Remove(ctx context.Context) error {
	if !t.Installed() {
		return nil
	}
	if _, err := t.systemctl(ctx, "disable", "--now", t.timer()); err != nil {
		return fmt.Errorf("remove the timer: %w", err)
	}
	for _, name := range []string{t.timer(), t.service()} {
		err := os.Remove(filepath.Join(t.Dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the timer: %w", err)
		}
	}
	if _, err := t.systemctl(ctx, "daemon-reload"); err != nil {
		return fmt.Errorf("remove the timer: %w", err)
	}
	return nil
}

// State is how the timer is.
type State struct {
	// Active: it runs. Next and Last are in systemd's words; Last is "" before the first time.
	Active     bool
	Next, Last string
	// Result of the last run: success, or what went wrong in systemd's word.
	Result string
}

// Look asks systemd for it.
func (t Timer) Look(ctx context.Context) (State, error) {
	own, err := t.systemctl(ctx, "show", "-p",
		"ActiveState,NextElapseUSecRealtime,LastTriggerUSec", t.timer())
	if err != nil {
		return State{}, err
	}
	of, err := t.systemctl(ctx, "show", "-p", "Result", t.service())
	if err != nil {
		return State{}, err
	}
	values := map[string]string{}
	for line := range strings.Lines(own + of) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = value
		}
	}
	return State{Active: values["ActiveState"] == "active", Next: values["NextElapseUSecRealtime"],
		Last: values["LastTriggerUSec"], Result: values["Result"]}, nil
}
