package journal

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/record"
	"github.com/pgha/toolkit/pgha/remote"
)

// journal reads one host's log.
type journal struct {
	target    *remote.Target
	units     []string
	component LogComponent
	cursor    string // of the last line that was read
}

// systemMatches are the lines of the host itself, in journalctl's notation. systemd's lines about
// the cluster's units are among those of the units. The message is that of a boot that has ended.
var systemMatches = []string{
	"_TRANSPORT=kernel", "SYSLOG_IDENTIFIER=systemd-journald", "SYSLOG_IDENTIFIER=systemd-logind",
	"SYSLOG_IDENTIFIER=systemd-shutdown",
	"SYSLOG_IDENTIFIER=systemd-networkd", "SYSLOG_IDENTIFIER=NetworkManager",
	"SYSLOG_IDENTIFIER=sudo",
	"_SYSTEMD_UNIT=" + patroni.WatchUnit, "_SYSTEMD_UNIT=" + patroni.FailoverUnit,
	"UNIT=shutdown.target", "UNIT=reboot.target", "UNIT=poweroff.target",
	"MESSAGE_ID=b07a249cd024414a82dd00cd181378ff",
}

// maxLogLine bounds one line of journalctl's JSON.
const maxLogLine = 16 << 20

//go:embed logfiles.sh
var logfilesScript string

// look finds the end of the journal, and where PostgreSQL logs if it does so by itself.
func (j *journal) look(ctx context.Context) (files string, err error) {
	res, err := j.target.Batch(ctx,
		[]string{"journalctl", "--quiet", "--lines=0", "--show-cursor"},
		[]string{"sh", "-c", logfilesScript, "logfiles", patroni.Unit})
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(res[0].Stdout)) {
		if cursor, ok := strings.CutPrefix(line, "-- cursor: "); ok {
			j.cursor = strings.TrimSpace(cursor)
		}
	}
	if !slices.Contains(j.units, patroni.Unit) {
		return "", nil
	}
	dir, names, _ := strings.Cut(strings.TrimSpace(string(res[1].Stdout)), "\n")
	for _, name := range strings.Fields(names) {
		if !path.IsAbs(name) {
			name = path.Join(dir, name)
		}
		files = strings.TrimSpace(files + " " + name)
	}
	return files, nil
}

// command is journalctl for this host's units. No shell and no pipe: a journalctl that follows
// notices by itself that nobody reads any more.
func (j *journal) command(argv ...string) remote.Cmd {
	argv = append([]string{"journalctl", "--quiet", "--no-pager", "--all", "--output=json",
		"--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_SYSTEMD_UNIT,UNIT,_BOOT_ID"},
		argv...)
	for _, unit := range j.units {
		argv = append(argv, "--unit="+unit)
	}
	if j.component == LogSystem {
		for i, match := range systemMatches {
			if i > 0 {
				argv = append(argv, "+")
			}
			argv = append(argv, match)
		}
	}
	if j.component == LogPostgreSQL {
		for _, program := range record.ServerPrograms() {
			argv = append(argv, "_COMM="+program)
		}
	}
	return remote.Cmd{Argv: argv}
}

// entries runs journalctl and yields what it prints as it comes, no faster than it is taken. Its
// end, for whatever reason, ends journalctl.
func (j *journal) entries(ctx context.Context, argv ...string) iter.Seq2[LogEntry, error] {
	return func(yield func(LogEntry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		r, w := io.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.CloseWithError(j.stream(ctx, j.command(argv...), w))
		}()
		defer func() {
			cancel()
			_ = r.Close()
			<-ended
		}()
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLogLine)
		for lines.Scan() {
			e, keep, err := j.parse(lines.Bytes())
			if err == nil && !keep {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil && ctx.Err() == nil {
			yield(LogEntry{}, remote.OnHost(j.target.Name, err))
		}
	}
}

// stream hands a command's output on while it runs, or at its end where the executor can do no
// better.
func (j *journal) stream(ctx context.Context, cmd remote.Cmd, out io.Writer) error {
	s, ok := remote.As[remote.Streamer](j.target.Executor)
	if !ok {
		res, err := j.target.Run(ctx, cmd)
		if err == nil {
			_, err = out.Write(res.Stdout)
		}
		return err
	}
	var stderr bytes.Buffer
	code, err := s.Stream(ctx, cmd, out, &stderr)
	if err == nil && code != 0 {
		err = remote.NewExitError(j.target.Name, cmd,
			remote.Result{Stderr: stderr.Bytes(), ExitCode: code})
	}
	return err
}

// journalLine is one object of journalctl's JSON.
type journalLine struct {
	Realtime   string `json:"__REALTIME_TIMESTAMP"`
	Cursor     string `json:"__CURSOR"`
	Message    field  `json:"MESSAGE"`
	Priority   field  `json:"PRIORITY"`
	Identifier field  `json:"SYSLOG_IDENTIFIER"`
	Comm       field  `json:"_COMM"`
	From       field  `json:"_SYSTEMD_UNIT"`
	About      field  `json:"UNIT"`
	Boot       field  `json:"_BOOT_ID"`
}

// parse reads one line, and tells whether it belongs to the component.
func (j *journal) parse(line []byte) (e LogEntry, keep bool, err error) {
	var raw journalLine
	if err := json.Unmarshal(line, &raw); err != nil {
		return e, false, remote.OnHost(j.target.Name, fmt.Errorf("read the journal: %w", err))
	}
	micros, err := strconv.ParseInt(raw.Realtime, 10, 64)
	if err != nil {
		return e, false, remote.OnHost(j.target.Name,
			fmt.Errorf("read the journal: time %q", raw.Realtime))
	}
	e = LogEntry{Time: time.UnixMicro(micros).UTC(), Host: j.target.Name, Unit: string(raw.From),
		Program:  string(raw.Identifier),
		Priority: 6, Message: string(raw.Message), Boot: string(raw.Boot), Cursor: raw.Cursor}
	if p, err := strconv.Atoi(string(raw.Priority)); err == nil {
		e.Priority = p
	}
	if raw.About != "" { // said by systemd
		e.Unit = string(raw.About)
	} else if e.Unit == patroni.Unit && raw.Comm != "" {
		e.Program = string(raw.Comm)
	}
	return e, j.component != LogPatroni || !slices.Contains(record.ServerPrograms(), e.Program), nil
}

// field is the value of a journal's field. journalctl writes text as a string, bytes that are no
// UTF-8 as an array of numbers, a field that occurs several times as an array of those, and one
// that it finds too large as null.
type field string

func (f *field) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		return json.Unmarshal(b, (*string)(f))
	case '[':
		var text []byte
		if err := json.Unmarshal(b, &text); err == nil {
			*f = field(strings.ToValidUTF8(string(text), "\uFFFD"))
			return nil
		}
		var several []field
		if err := json.Unmarshal(b, &several); err != nil {
			return err
		}
		for i, one := range several {
			if i > 0 {
				*f += "\n"
			}
			*f += one
		}
	default:
		*f = ""
	}
	return nil
}
