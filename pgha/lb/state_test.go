package lb

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRuntime(t *testing.T) {
	t.Parallel()
	const head = "Name: HAProxy\nVersion: 3.0.11-1\nPid: 7\n\n# " +
		"pxname,svname,scur,stot,status,bck,lastchg,check_status,check_code,last_chk,\n"
	for name, c := range map[string]struct {
		in      string
		version string
		want    []ServerState
		fails   bool
	}{
		"servers": {
			in: head + "postgres_write,FRONTEND,1,2,OPEN,,,,,,\n" +
				"postgres_write,pg1,3,40,UP,0,61,L7OK,200,\"a, \"\"quoted\"\" text\",\n" +
				"postgres_read,pg1:primary,0,0,no check,1,5,,,,\npostgres_read,pg2,0,0,UP " +
				"1/2,0,0,* L4TOUT,,,\nhealth,x,0,0,UP,0,0,,,,\n",
			version: "3.0.11-1",
			want: []ServerState{
				{
					Proxy: WriteProxy, Name: "pg1", Status: "UP", Check: "L7OK/200", Sessions: 3,
					TotalSessions: 40, Since: 61 * time.Second,
				},
				{Proxy: ReadProxy, Name: "pg1:primary", Status: "no check", Backup: true,
					Since: 5 * time.Second},
				{Proxy: ReadProxy, Name: "pg2", Status: "UP 1/2", Check: "L4TOUT"},
			},
		},
		"short and garbled lines": {
			in: head + "postgres_write,pg1,x,-1,DOWN\n", version: "3.0.11-1",
			want: []ServerState{{Proxy: WriteProxy, Name: "pg1", Status: "DOWN"}},
		},
		"nothing":          {in: "", fails: true},
		"permission":       {in: "Permission denied\n", fails: true},
		"columns missing":  {in: "# pxname,svname\npostgres_write,pg1\n", fails: true},
		"header only":      {in: head, version: "3.0.11-1"},
		"commands refused": {in: "Unknown command: 'show info'\n", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			version, got, err := parseRuntime([]byte(c.in))
			if (err != nil) != c.fails {
				t.Fatalf("error %v, want one: %v", err, c.fails)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || version != c.version {
				t.Errorf("version %q, servers (-want +got):\n%s", version, diff)
			}
		})
	}
}

func TestPrimaryIsOneOrNone(t *testing.T) {
	t.Parallel()
	up := ServerState{Proxy: WriteProxy, Name: "pg1", Status: "UP", Check: "L7OK/200"}
	down := ServerState{Proxy: WriteProxy, Name: "pg2", Status: "DOWN", Check: "L7STS/503"}
	other := ServerState{Proxy: WriteProxy, Name: "pg3", Status: "UP", Check: "L7OK/200"}
	unchecked := ServerState{Proxy: WriteProxy, Name: "pg4", Status: "UP"}
	for name, c := range map[string]struct {
		servers []ServerState
		want    string
	}{
		"one is up": {[]ServerState{down, up,
			{Proxy: ReadProxy, Name: "pg2", Status: "UP"}}, "pg1"},
		"two are up":              {[]ServerState{up, other}, ""},
		"one is unchecked":        {[]ServerState{up, unchecked}, ""},
		"the only one is so":      {[]ServerState{down, unchecked}, ""},
		"the others are all down": {[]ServerState{down}, ""},
	} {
		got, found := BalancerState{Servers: c.servers}.Primary()
		if got != c.want || found != (c.want != "") {
			t.Errorf("%s: got %q, %v; want %q", name, got, found, c.want)
		}
	}
}

func FuzzParseRuntime(f *testing.F) {
	f.Add([]byte(
		"Version: 2.4\n\n# pxname,svname,scur,stot,status,bck,lastchg,check_status,check_code,\n" +
			"postgres_read,pg1,1,1,UP,0,9223372036854775807,L7OK,200,\n"))
	f.Add([]byte("# pxname,\"svname\nstatus"))
	f.Fuzz(func(t *testing.T, in []byte) {
		_, servers, err := parseRuntime(in)
		if err != nil && len(servers) > 0 {
			t.Fatal("servers together with an error")
		}
		for _, s := range servers {
			if (s.Proxy != WriteProxy && s.Proxy != ReadProxy) || s.Since < 0 || s.Sessions < 0 ||
				s.TotalSessions < 0 {
				t.Fatalf("%+v", s)
			}
		}
	})
}

func FuzzWord(f *testing.F) {
	f.Add("a b#c\\d\"e'f$g")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := word(s)
		if err != nil {
			return
		}
		for i := 0; i < len(got); i++ {
			switch got[i] {
			case '\\':
				i++
			case '\n', '\r', 0, '#', '\'', '$', ' ':
				t.Fatalf("%q became %q", s, got)
			}
		}
	})
}
