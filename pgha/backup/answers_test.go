package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// hostOf answers commands by words that they have; the answers to the same words come in their
// order, the last one over and over. Commands of other words fail the test.
type hostOf struct {
	t       *testing.T
	mu      sync.Mutex
	answers map[string][]string
	ran     []string
}

// An answer that begins with these is no text: what a command complains of while it fails, and a
// host that is gone.
const (
	fails = "\x00fails: "
	gone  = "\x00gone"
)

func (h *hostOf) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if err := ctx.Err(); err != nil {
		return remote.Result{ExitCode: -1}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	line := cmd.String()
	h.ran = append(h.ran, line)
	for words, list := range h.answers {
		if !strings.Contains(line, words) {
			continue
		}
		text := list[0]
		if len(list) > 1 {
			h.answers[words] = list[1:]
		}
		if text == gone {
			return remote.Result{ExitCode: -1}, remote.OnHost("h", remote.ErrUnreachable)
		}
		if stderr, bad := strings.CutPrefix(text, fails); bad {
			res := remote.Result{ExitCode: 55, Stderr: []byte(stderr)}
			return res, remote.NewExitError("h", cmd, res)
		}
		return remote.Result{Stdout: []byte(text)}, nil
	}
	h.t.Errorf("nobody expects %q", line)
	return remote.Result{ExitCode: -1}, remote.ErrUnreachable
}

func (h *hostOf) Put(context.Context, io.Reader, remote.FileMeta) (bool, error) {
	return false, fs.ErrPermission
}
func (h *hostOf) Get(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
func (h *hostOf) Close() error                                       { return nil }
func (h *hostOf) String() string                                     { return "h" }

// did counts the commands that have these words.
func (h *hostOf) did(words string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, line := range h.ran {
		if strings.Contains(line, words) {
			n++
		}
	}
	return n
}

// on are options of one host that has all, and answers so.
func on(t *testing.T, answers map[string][]string) (Options, *hostOf) {
	t.Helper()
	h := &hostOf{t: t, answers: answers}
	host := Host{Target: &remote.Target{Host: remote.Host{Name: "pg1", Address: "192.0.2.11"},
		Executor: h}}
	o := Options{Stanza: "shop", PostgreSQLVersion: 18, Databases: []Host{host}, Repository: host,
		Wait: 2 * time.Second, Progress: func(string) {}}
	return o, h
}

// info is what pgbackrest info says of a stanza with backups of these labels, of one database.
func info(code int, system string, labels ...string) string {
	var list []string
	for _, l := range labels {
		list = append(list, fmt.Sprintf(`{"label":%q,"type":"full","database":{"id":1},`+
			`"archive":{"start":"000000010000000000000003","stop":"000000010000000000000003"}}`, l))
	}
	return fmt.Sprintf(`[{"name":"shop","status":{"code":%d,"message":"words"},"db":[{"id":1,`+
		`"system-id":%s}],"backup":[%s]}]`, code, system, strings.Join(list, ","))
}

// TestListOfOddAnswers: what pgBackRest says of itself decides, whatever else is in the answer.
func TestListOfOddAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		want   error
		says   string
		sets   int
	}{
		"a backup":         {info(0, "7", "a"), nil, "", 1},
		"no backup":        {info(2, "7"), nil, "", 0},
		"no stanza":        {info(3, "7"), ErrNoRepository, "words", 0},
		"no path":          {info(1, "7"), ErrNoRepository, "words", 0},
		"nothing":          {"[]", ErrNoRepository, "", 0},
		"null":             {"null", ErrNoRepository, "", 0},
		"the key is wrong": {info(99, "7", "a"), nil, "pgbackrest info: words", 0},
		"repositories that differ": {`[{"status":{"code":4,"message":"different"},"repo":[{"status":` +
			`{"message":"ok"}},{"status":{"message":"missing\n  data"}}]}]`, nil,
			"different: ok: missing data", 0},
		"HTML":      {"<html>", nil, "read the answer of pgbackrest info", 0},
		"cut off":   {info(0, "7", "a")[:40], nil, "read the answer", 0},
		"an object": {`{"name":"shop"}`, nil, "read the answer", 0},
		"sizes as words": {`[{"status":{"code":0},"backup":[{"info":{"size":"many"}}]}]`, nil,
			"read the answer", 0},
		"it fails":    {fails + "P00  ERROR: [055]: unable to open", nil, "unable to open", 0},
		"it is gone":  {gone, remote.ErrUnreachable, "", 0},
		"of no times": {`[{"status":{"code":0},"backup":[{"label":"a"}]}]`, nil, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, _ := on(t, map[string][]string{" info": {tt.answer}})
			found, err := List(t.Context(), o)
			bad := tt.want != nil || tt.says != ""
			if (err != nil) != bad || tt.want != nil && !errors.Is(err, tt.want) ||
				err != nil && !strings.Contains(err.Error(), tt.says) || len(found.Sets) != tt.sets {
				t.Errorf("%+v, %v", found, err)
			}
			if err != nil && !strings.Contains(err.Error(), "pg1") {
				t.Errorf("the host is not named: %v", err)
			}
		})
	}
}

// TestInventoryOfTwoDatabases: the backups of former databases keep their own identifier, and the
// newest segment is of the databases of now, in whatever order the answer has them.
func TestInventoryOfTwoDatabases(t *testing.T) {
	t.Parallel()
	found, err := parseInfo([]byte(`[{"status":{"code":0},"cipher":"none",
"db":[{"id":2,"system-id":22},{"id":1,"system-id":11}],
"archive":[{"database":{"id":2},"max":"000000020000000000000009"},
{"database":{"id":1},"max":"000000070000000000000009"}],
"backup":[{"label":"a","database":{"id":1}},{"label":"b","database":{"id":2}},
{"label":"c","database":{"id":3}}]}]`))
	if err != nil || found.System != "22" || found.LastSegment != "000000020000000000000009" ||
		found.Encrypted {
		t.Fatalf("%+v, %v", found, err)
	}
	for i, want := range []string{"11", "22", ""} {
		if got := found.Sets[i].System; got != want {
			t.Errorf("%s is of %q, want %q", found.Sets[i].Label, got, want)
		}
	}
	if _, ok := found.Set("d"); ok {
		t.Error("there is a backup d")
	}
}

// TestReadArchive: files of other databases, and what is no log, are left out; a history that
// cannot be read is an error, because without it nobody knows where backups lead.
func TestReadArchive(t *testing.T) {
	t.Parallel()
	const hash = "-0123456789012345678901234567890123456789.zst"
	file := func(name string) string { return fmt.Sprintf("%q:{\"type\":\"file\",\"time\":60}", name) }
	list := "{" + strings.Join([]string{
		file("archive.info"), file("18-1/0000000100000000/000000010000000000000009" + hash),
		file("18-2/0000000200000000/000000020000000000000005" + hash),
		file("18-2/0000000200000000/000000020000000000000005.00000028.backup"),
		file("18-2/0000000200000000/000000020000000000000006.partial" + hash),
		file("18-2/00000002.history"), file("18-2/x.history"), `"18-2":{"type":"path"}`}, ",") + "}"
	o, _ := on(t, map[string][]string{"repo-ls": {list}, "00000002.history": {"1\t0/5000120\tno\n"}})
	a, err := ReadArchive(t.Context(), o)
	if err != nil || len(a.Segments) != 1 || a.Segments[0].Name != "000000020000000000000005" ||
		a.Segments[0].Archived.Unix() != 60 || len(a.Parents) != 1 || a.Timeline() != 2 ||
		a.Parents[2][0] != (Fork{1, 0x5000120}) {
		t.Errorf("%+v, %v", a, err)
	}
	for name, answers := range map[string]map[string][]string{
		"the history": {"repo-ls": {list}, "00000002.history": {fails + "no such file"}},
		"no JSON":     {"repo-ls": {"ERROR: [042]"}},
		"a list":      {"repo-ls": {"[]"}},
		"gone":        {"repo-ls": {gone}},
	} {
		o, _ := on(t, answers)
		if _, err := ReadArchive(t.Context(), o); err == nil || !strings.Contains(err.Error(), "pg1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	o, _ = on(t, map[string][]string{"repo-ls": {"{}"}})
	if a, err := ReadArchive(t.Context(), o); err != nil || a.Timeline() != 1 {
		t.Errorf("an empty archive: %+v, %v", a, err)
	}
}

// TestReaches: a place is reached up to the segment that is missing, and without a gap always.
func TestReaches(t *testing.T) {
	t.Parallel()
	w := Window{Missing: "000000020000000100000003"}
	for lsn, want := range map[string]bool{"1/2FFFFFF": true, "1/3000000": false, "2/0": false,
		"0/FFFFFFFF": true} {
		if got := w.Reaches(lsn); got != want {
			t.Errorf("%s: %v", lsn, got)
		}
	}
	if !(Window{}).Reaches("FF/0") {
		t.Error("without a gap it ends somewhere")
	}
}

// TestTake: the unit's own result decides, the repository has to have a new backup afterwards, and
// one that is under way is not begun a second time.
func TestTake(t *testing.T) {
	t.Parallel()
	const active, result = "show -P ActiveState", "show -P Result"
	running := strings.Replace(info(0, "7", "a"), `"message":"words"`,
		`"lock":{"backup":{"held":true,"size-cplt":1048576,"size-total":3145728}}`, 1)
	for name, tt := range map[string]struct {
		answers map[string][]string
		label   string
		want    error
		says    string
		started int
	}{
		"made": {map[string][]string{" info": {info(0, "7", "a"), info(0, "7", "a", "b")},
			"start --no-block": {""}, active: {"inactive\n"}, result: {"success\n"}}, "b", nil, "", 1},
		"the first": {map[string][]string{" info": {info(2, "7"), info(0, "7", "a")},
			"start --no-block": {""}, active: {"inactive\n"}, result: {"success\n"}}, "a", nil, "", 1},
		"no new one": {map[string][]string{" info": {info(0, "7", "a")},
			"start --no-block": {""}, active: {"inactive\n"}, result: {"success\n"}}, "", ErrFailed,
			"there is no new one", 1},
		"none at all": {map[string][]string{" info": {info(2, "7")},
			"start --no-block": {""}, active: {"inactive\n"}, result: {"success\n"}}, "", ErrFailed,
			"there is no new one", 1},
		"it fails": {map[string][]string{" info": {info(0, "7", "a")}, "start --no-block": {""},
			active: {"failed\n"}, result: {"exit-code\n"}, "show -P InvocationID": {"abc\n"},
			"journalctl": {"P00  ERROR: [082]: WAL segment was not archived\n"}}, "", ErrFailed,
			"exit-code: ERROR: [082]: WAL segment was not archived", 1},
		"it fails, and so does its journal": {map[string][]string{" info": {info(0, "7", "a")},
			"start --no-block": {""}, active: {"failed\n"}, result: {"timeout\n"},
			"show -P InvocationID": {gone}, "journalctl": {gone}}, "", ErrFailed, "timeout", 1},
		"one runs": {map[string][]string{" info": {running}}, "", ErrRunning, "1 of 3 MB", 0},
		"no unit": {map[string][]string{" info": {info(2, "7")},
			"start --no-block": {fails + "Unit pgha-backup@full.service not found."}}, "", nil,
			"not found", 1},
		"the repository is gone": {map[string][]string{" info": {gone}}, "", remote.ErrUnreachable, "",
			0},
		"it is gone afterwards": {map[string][]string{" info": {info(2, "7"), gone},
			"start --no-block": {""}, active: {"inactive\n"}, result: {"success\n"}}, "",
			remote.ErrUnreachable, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, h := on(t, tt.answers)
				set, err := Take(t.Context(), o, Full)
				if (err == nil) != (tt.label != "") || set.Label != tt.label || tt.want != nil &&
					!errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%+v, %v", set, err)
				}
				if n := h.did("start --no-block"); n != tt.started {
					t.Errorf("started %d times", n)
				}
			})
		})
	}
}

// TestTakeIsCancelled while the unit runs: the error says so, and nothing else is asked for.
func TestTakeIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, h := on(t, map[string][]string{" info": {info(2, "7")}, "start --no-block": {""},
			"show -P ActiveState": {"activating\n"}})
		ctx, cancel := context.WithCancel(t.Context())
		o.Progress = func(string) {}
		go func() {
			for h.did("ActiveState") == 0 {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		if _, err := Take(ctx, o, Full); !errors.Is(err, context.Canceled) || h.did("Result") > 0 {
			t.Errorf("%v", err)
		}
	})
}

// TestArchiveAll waits for the segment that was closed, by its name; an answer that names none
// would make every archive count as complete.
func TestArchiveAll(t *testing.T) {
	t.Parallel()
	const closing, there = "pg_switch_wal", "pg_stat_archiver"
	const last = "000000010000000000000007"
	for name, tt := range map[string]struct {
		answers map[string][]string
		says    string
	}{
		"at once": {map[string][]string{"canary": {""}, closing: {last + "\n"}, there: {"t\n"}}, ""},
		"later": {map[string][]string{"canary": {""}, closing: {last + "\n"},
			there: {"f\n", "", "t\n"}}, ""},
		"after an error": {map[string][]string{"canary": {""}, closing: {last}, there: {gone, "t"}}, ""},
		"never": {map[string][]string{"canary": {""}, closing: {last}, there: {"f"}},
			"segment " + last + " in the archive"},
		"no segment": {map[string][]string{"canary": {""}, closing: {"\n"}}, "is none"},
		"words":      {map[string][]string{"canary": {""}, closing: {"NOTICE: x"}}, "is none"},
		"a replica": {map[string][]string{"canary": {""},
			closing: {fails + "ERROR: recovery is in progress"}}, "recovery is in progress"},
		"no row": {map[string][]string{"canary": {fails + "Job failed."}}, "write the time into a row"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, h := on(t, tt.answers)
				err := ArchiveAll(t.Context(), o, o.Repository.Target)
				if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v", err)
				}
				if n := h.did(there); n != h.did(last) || n != h.did(`COLLATE "C" >=`) {
					t.Errorf("it is compared with another segment, or by a language's order: %q", h.ran)
				}
			})
		})
	}
}

// TestRegister: a repository is taken only by the databases that it is of, or by those that came
// after the ones that it is of.
func TestRegister(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			info, system string
			former       []string
			command      string
			want         error
		}{
			"a new one":              {info(3, "7"), "7", nil, "stanza-create", nil},
			"its own":                {info(0, "7", "a"), "7", nil, "", nil},
			"of before a reset":      {info(0, "6", "a"), "7", []string{"5", "6"}, "stanza-upgrade", nil},
			"a stranger's":           {info(0, "6", "a"), "7", []string{"5"}, "", ErrForeign},
			"nobody knows":           {info(0, "6", "a"), "", nil, "", nil},
			"it cannot be read":      {info(99, "6"), "7", []string{"6"}, "", nil},
			"numbers that are large": {info(0, "7713893789223048403"), "7713893789223048403", nil, "", nil},
		} {
			o, h := on(t, map[string][]string{" info": {tt.info}, "stanza-create": {""},
				"stanza-upgrade": {""}})
			err := Register(t.Context(), o, tt.system, tt.former)
			if tt.want != nil && !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil &&
				name != "it cannot be read") {
				t.Errorf("%s: %v", name, err)
			}
			for _, command := range []string{"stanza-create", "stanza-upgrade"} {
				if n := h.did(command); (n == 1) != (tt.command == command) || n > 1 {
					t.Errorf("%s: %s %d times", name, command, n)
				}
			}
		}
		// Servers that do not hear each other yet are waited for, and a host that is gone is, too.
		o, h := on(t, map[string][]string{" info": {info(3, "7")},
			"stanza-create": {fails + "P00  ERROR: [049]: unable to connect", gone, ""}})
		o.Wait = time.Minute
		if err := Register(t.Context(), o, "7", nil); err != nil || h.did("stanza-create") != 3 {
			t.Errorf("%d tries, %v", h.did("stanza-create"), err)
		}
		o.Wait = 10 * time.Millisecond
		h.answers["stanza-create"] = []string{fails + "P00  ERROR: [049]: unable to connect"}
		if err := Register(t.Context(), o, "7", nil); !errors.Is(err, errs.ErrTimeout) ||
			!strings.Contains(err.Error(), "unable to connect") {
			t.Errorf("%v", err)
		}
	})
}

// TestCheck has pgBackRest's own words, and those of the way to the host.
func TestCheck(t *testing.T) {
	t.Parallel()
	for answer, tt := range map[string]struct {
		want error
		says string
	}{
		"": {nil, ""},
		fails + "2026-11-30 10:00:00.000 P00  ERROR: [082]: WAL segment 1 was not archived\n" +
			"            HINT: check the archive_command\n": {ErrFailed,
			"ERROR: [082]: WAL segment 1 was not archived HINT: check the archive_command"},
		gone: {remote.ErrUnreachable, "check the archive"},
	} {
		o, _ := on(t, map[string][]string{"--archive-timeout=30": {answer}})
		err := Check(t.Context(), o)
		if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// TestReplicaCommand: a copy is made of the newest backup of these databases that is whole, and of
// none where there is none.
func TestReplicaCommand(t *testing.T) {
	t.Parallel()
	with := func(system string, damaged bool, labels ...string) string {
		text := info(0, system, labels...)
		if damaged {
			i := strings.LastIndex(text, `"type":"full"`)
			text = text[:i] + `"error":true,` + text[i:]
		}
		return text
	}
	for name, tt := range map[string]struct {
		info, host string
		label      string
		want       error
	}{
		"the newest":          {with("7", false, "a", "b"), "", "b", nil},
		"one that is damaged": {with("7", true, "a", "b"), "", "a", nil},
		"only a damaged one":  {with("7", true, "a"), "", "", ErrNoBackup},
		"none":                {info(2, "7"), "", "", ErrNoBackup},
		"of former databases": {strings.Replace(with("7", false, "a"), `"db":[`,
			`"db":[{"id":2,"system-id":8},`, 1), "", "", ErrNoBackup},
		"no place":         {info(3, "7"), "", "", ErrNoRepository},
		"no program":       {with("7", false, "a"), "missing\n", "", ErrNotConfigured},
		"the host is gone": {with("7", false, "a"), gone, "", remote.ErrUnreachable},
	} {
		o, _ := on(t, map[string][]string{" info": {tt.info}, "backup-replica": {tt.host}})
		command, of, err := ReplicaCommand(t.Context(), o, o.Repository.Target)
		if !errors.Is(err, tt.want) || err == nil && (of.Label != tt.label ||
			!strings.HasSuffix(command, " "+tt.label)) || err != nil && command != "" {
			t.Errorf("%s: %q of %q, %v", name, command, of.Label, err)
		}
	}
}

// TestWhatHostsRemember: results that were never written are none, and those that are cut off an
// error that names the host.
func TestWhatHostsRemember(t *testing.T) {
	t.Parallel()
	for text, tt := range map[string]struct{ there, bad bool }{
		"": {}, "\n": {}, `{"backup":"a","began":"2026-11-30T10:00:00Z"}`: {there: true},
		`{"backup":"a"`: {bad: true}, "null": {there: true}, gone: {bad: true}, `["a"]`: {bad: true},
	} {
		o, _ := on(t, map[string][]string{"cat": {text}})
		copied, there, err := LastCopied(t.Context(), o.Repository.Target)
		if there != tt.there || (err != nil) != tt.bad || err != nil && !strings.Contains(err.Error(),
			"pg1") && text != gone {
			t.Errorf("%q copied: %+v %v, %v", text, copied, there, err)
		}
		proof, there, err := LastProof(t.Context(), o)
		if there != tt.there || (err != nil) != tt.bad || there && proof.Host != "pg1" {
			t.Errorf("%q proven: %+v %v, %v", text, proof, there, err)
		}
	}
}

// TestProve: a proof is one that this run has made, and what could not be tried is an error.
func TestProve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := `{"backup":"a","began":"2026-11-30T10:00:00Z","proven":true}`
		for name, tt := range map[string]struct {
			results []string
			result  string
			says    string
			proven  bool
		}{
			"proven": {[]string{old, `{"backup":"b","began":"2026-11-30T11:00:00Z","proven":true}`},
				"success", "", true},
			"the first": {[]string{"", old}, "success", "", true},
			"not proven": {[]string{old, `{"began":"2026-11-30T11:00:00Z","problems":["no room"]}`},
				"success", "", false},
			"it wrote nothing":      {[]string{old, old}, "success", "wrote no result", false},
			"nothing is there":      {[]string{"", ""}, "success", "wrote no result", false},
			"it was killed":         {[]string{old, old}, "signal", "signal", false},
			"the last is no record": {[]string{"{"}, "success", "read the last proof", false},
		} {
			o, _ := on(t, map[string][]string{"cat \"$1\"": tt.results, "start --no-block": {""},
				"ActiveState": {"inactive"}, "show -P Result": {tt.result}, "InvocationID": {"x"},
				"journalctl": {"words"}})
			proof, err := Prove(t.Context(), o)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) ||
				err == nil && proof.Proven != tt.proven {
				t.Errorf("%s: %+v, %v", name, proof, err)
			}
		}
	})
}

// TestScratchUnit: a unit that a former run has begun is waited for, one that prints nothing has
// failed and says why, and what is printed has to be a result.
func TestScratchUnit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ran = "systemd-run --quiet --no-block"
		for name, tt := range map[string]struct {
			answers map[string][]string
			want    error
			says    string
		}{
			"done": {map[string][]string{"ActiveState pgha-scratch-look": {"active", "inactive"}, ran: {""},
				"look.out": {`{"lsn":"0/5","timeline":3,"last_commit":null}`}}, nil, ""},
			"nothing printed": {map[string][]string{"ActiveState pgha-scratch-look": {"inactive"},
				ran: {""}, "look.out": {" \n"},
				"look.err": {"FATAL:  recovery ended before configured recovery target was reached\n"}},
				ErrFailed, "recovery ended before configured"},
			"words": {map[string][]string{"ActiveState pgha-scratch-look": {"inactive"}, ran: {""},
				"look.out": {"done"}}, nil,
				"invalid character"},
			"it does not start": {map[string][]string{"ActiveState pgha-scratch-look": {"inactive"},
				ran: {fails + "Failed to start transient unit"}}, nil, "Failed to start"},
		} {
			o, h := on(t, tt.answers)
			s := Scratch{Options: o, Target: o.Repository.Target, Purpose: "look"}
			h.answers["ActiveState pgha-scratch-look"] = append([]string{"active"},
				h.answers["ActiveState pgha-scratch-look"]...) // of the server
			got, err := s.Open(t.Context())
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) ||
				tt.want != nil && !errors.Is(err, tt.want) || err == nil && got.Timeline != 3 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	})
}

// TestAmount says how far it is, also where the figures are odd.
func TestAmount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		done, total int64
		want        string
	}{
		{0, 0, "it looks for what has changed"}, {5, -1, "it looks for what has changed"},
		{0, 1 << 20, "0 of 1 MB"}, {1<<30 - 1, 1<<30 - 1, "1023 of 1023 MB"},
		{1 << 29, 1 << 30, "0.5 of 1.0 GB"}, {3 << 40, 3 << 40, "3072.0 of 3072.0 GB"},
	} {
		if got := amount(tt.done, tt.total); got != tt.want {
			t.Errorf("%d of %d: %q", tt.done, tt.total, got)
		}
	}
}

// TestWindowsOfDamagedSets: a backup whose segments are no names can be restored to its own end
// alone.
func TestWindowsOfDamagedSets(t *testing.T) {
	t.Parallel()
	for _, segment := range []string{"", "x", strings.Repeat("Z", 24), "0000000100000000000001FF"} {
		s := set(1, 2)
		s.FirstSegment, s.LastSegment = segment, segment
		w := Windows([]Set{s}, Archive{Segments: log(1, 1, 9)}, "", 1)[0]
		if !w.To.Equal(s.Stop) || w.Missing != "" || !w.Abandoned {
			t.Errorf("%q: %+v", segment, w)
		}
	}
	if got := parseHistory("1\t0/0\tx\nx\t0/1\ty\n1\n\t\n2 G/1 z\n3\t1/FFFFFFFF\n"); len(got) != 1 ||
		got[0] != (Fork{3, 1<<32 | 0xFFFFFFFF}) {
		t.Errorf("%+v", got)
	}
}
