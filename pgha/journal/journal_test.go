package journal

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestParseJournal(t *testing.T) {
	t.Parallel()
	const stamp = `"__REALTIME_TIMESTAMP":"1795439211345500","__CURSOR":"c1"`
	when := time.UnixMicro(1795439211345500).UTC()
	for name, c := range map[string]struct {
		line      string
		component LogComponent
		want      LogEntry
		dropped   bool
		fails     bool
	}{
		"patroni": {
			line: `{` + stamp +
				`,"MESSAGE":"no action","_COMM":"patroni","SYSLOG_IDENTIFIER":"patroni","PRIORITY":"6","_SYSTEMD_UNIT":"patroni.service"}`,
			want: LogEntry{Time: when, Unit: "patroni.service", Program: "patroni", Priority: 6,
				Message: "no action"},
		},
		"PostgreSQL in Patroni's unit": {
			line: `{` + stamp +
				`,"MESSAGE":"LOG:  ready","_COMM":"postgres","SYSLOG_IDENTIFIER":"patroni","PRIORITY":"6","_SYSTEMD_UNIT":"patroni.service"}`,
			want: LogEntry{
				Time: when, Unit: "patroni.service", Program: "postgres", Priority: 6,
				Message: "LOG:  ready",
			},
		},
		"PostgreSQL is not Patroni": {
			line: `{` + stamp +
				`,"MESSAGE":"LOG:  ready","_COMM":"postgres","SYSLOG_IDENTIFIER":"patroni","_SYSTEMD_UNIT":"patroni.service"}`,
			component: LogPatroni, dropped: true,
			want: LogEntry{
				Time: when, Unit: "patroni.service", Program: "postgres", Priority: 6,
				Message: "LOG:  ready",
			},
		},
		"a writer that was gone": {
			line: `{` + stamp +
				`,"MESSAGE":"x","SYSLOG_IDENTIFIER":"patroni","_SYSTEMD_UNIT":"patroni.service"}`,
			component: LogPatroni,
			want: LogEntry{Time: when, Unit: "patroni.service", Program: "patroni",
				Priority: 6, Message: "x"},
		},
		"systemd about a unit": {
			line: `{` + stamp +
				`,"MESSAGE":"Stopped","_COMM":"systemd","SYSLOG_IDENTIFIER":"systemd","PRIORITY":"3","_SYSTEMD_UNIT":"init.scope","UNIT":"etcd.service"}`,
			want: LogEntry{Time: when, Unit: "etcd.service", Program: "systemd", Priority: 3,
				Message: "Stopped"},
		},
		"the kernel": {
			line: `{` + stamp +
				`,"MESSAGE":"Out of memory","SYSLOG_IDENTIFIER":"kernel","PRIORITY":"3","_BOOT_ID":"b1"}`,
			want: LogEntry{Time: when, Program: "kernel", Priority: 3, Message: "Out of memory",
				Boot: "b1"},
		},
		"no UTF-8": {
			line: `{` + stamp +
				`,"MESSAGE":[102,105,115,255,104],"SYSLOG_IDENTIFIER":"x","_SYSTEMD_UNIT":"haproxy.service"}`,
			want: LogEntry{Time: when, Unit: "haproxy.service", Program: "x", Priority: 6,
				Message: "fis\uFFFDh"},
		},
		"a field twice": {
			line: `{` + stamp +
				`,"MESSAGE":["one",[116,255]],"SYSLOG_IDENTIFIER":null,"_SYSTEMD_UNIT":"haproxy.service"}`,
			want: LogEntry{Time: when, Unit: "haproxy.service", Priority: 6,
				Message: "one\nt\uFFFD"},
		},
		"an empty array": {line: `{` + stamp + `,"MESSAGE":[]}`,
			want: LogEntry{Time: when, Priority: 6}},
		"too large": {line: `{` + stamp + `,"MESSAGE":null}`,
			want: LogEntry{Time: when, Priority: 6}},
		"no time":        {line: `{"MESSAGE":"x"}`, fails: true},
		"half an object": {line: `{"MESSAGE":"x"`, fails: true},
		"a strange field": {line: `{` + stamp + `,"MESSAGE":{"a":1}}`,
			want: LogEntry{Time: when, Priority: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.component == "" {
				c.component = LogAll
			}
			j := &journal{target: &remote.Target{Host: remote.Host{Name: "db1"}},
				component: c.component}
			got, keep, err := j.parse([]byte(c.line))
			if (err != nil) != c.fails {
				t.Fatalf("error %v, want one: %v", err, c.fails)
			}
			if c.fails {
				return
			}
			c.want.Host = "db1"
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(LogEntry{},
				"Cursor")); diff != "" ||
				keep == c.dropped || got.Cursor != "c1" {
				t.Errorf("kept: %v, cursor %q (-want +got):\n%s", keep, got.Cursor, diff)
			}
		})
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"1","MESSAGE":[1,255]}`))
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"1","MESSAGE":["a",[1]],"PRIORITY":"x"}`))
	j := &journal{target: &remote.Target{Host: remote.Host{Name: "db1"}}, component: LogAll}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, _, err := j.parse(line)
		if err == nil && strings.ToValidUTF8(e.Message, "") != e.Message {
			t.Errorf("%q is no UTF-8", e.Message)
		}
	})
}

func logsCluster() *site.Site {
	return &site.Site{Unreachable: map[string]error{},
		Spec: &spec.Spec{VIP: &spec.VIP{}, Hosts: []spec.Host{
			{Name: "db1", Role: spec.RoleDatabase, Member: "pg1"},
			{Name: "db2", Role: spec.RoleDatabase, Member: "pg2"},
			{Name: "lb1", Role: spec.RoleBalancer},
		}}}
}

func TestJournalsOfHosts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts LogsOptions
		want []string
		err  error
	}{
		"a component": {
			LogsOptions{Component: LogEtcd}, []string{"db1 etcd.service", "db2 etcd.service"}, nil,
		},
		"PostgreSQL": {
			LogsOptions{Component: LogPostgreSQL, Hosts: []string{"pg2", "db2"}},
			[]string{"db2 patroni.service"}, nil,
		},
		"everything": {
			LogsOptions{Component: LogAll},
			[]string{
				"db1 etcd.service patroni.service", "db2 etcd.service patroni.service",
				"lb1 haproxy.service keepalived.service",
			}, nil,
		},
		"the hosts themselves": {
			LogsOptions{Component: LogSystem, Hosts: []string{"lb1", "db1"}},
			[]string{"lb1 ", "db1 "}, nil,
		},
		"of one host": {
			LogsOptions{Component: LogAll, Hosts: []string{"lb1"}},
			[]string{"lb1 haproxy.service keepalived.service"}, nil,
		},
		"where it is not": {LogsOptions{Component: LogHAProxy, Hosts: []string{"db1"}}, nil,
			ErrUnknownComponent},
		"an unknown component": {LogsOptions{Component: "postgres"}, nil, ErrUnknownComponent},
		"none":                 {LogsOptions{}, nil, ErrUnknownComponent},
		"an unknown host": {LogsOptions{Component: LogAll, Hosts: []string{"db3"}}, nil,
			spec.ErrUnknownHost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readers, err := journals(logsCluster(), c.opts)
			if !errors.Is(err, c.err) {
				t.Fatalf("got error %v, want %v", err, c.err)
			}
			var got []string
			for _, j := range readers {
				got = append(got, j.target.Name+" "+strings.Join(j.units, " "))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogsOfUnreachableHosts(t *testing.T) {
	t.Parallel()
	var warned []string
	opts := LogsOptions{Component: LogEtcd, Warn: func(host string, _ error) {
		warned = append(warned, host)
	}}
	err := Logs(context.Background(), logsCluster(), opts, func(LogEntry) error { return nil })
	if !errors.Is(err, remote.ErrUnreachable) || len(warned) != 2 {
		t.Errorf("got error %v and warnings of %v", err, warned)
	}
}
