package probe

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// The defaults of Options.
const (
	DefaultRate             = 20.0
	DefaultLoginTimeout     = 5 * time.Second
	DefaultStatementTimeout = 25 * time.Second
)

// Options say where a Writer writes and how fast. Only Config is needed.
type Options struct {
	// Config says where to connect and as which role. It has to come from pgx.ParseConfig and is
	// not changed. Its DialFunc must honour the context that it is given, and closing a connection
	// it returned must end reads and writes in progress. The connections must lead to the database
	// that takes writes: usually through the virtual IP.
	Config *pgx.ConnConfig
	// Rate is how many rows are written each second, 0.1 to 1000; the resolution is its inverse. 0
	// means DefaultRate, 20, which is one in 50 ms.
	Rate float64
	// Client is what the writer does with connections. "" means KeepsConnection.
	Client Client
	// LoginTimeout bounds the opening of a session, its TCP connection, TLS and authentication
	// included. 0 means DefaultLoginTimeout, 5 s: connect_timeout of the connection strings.
	LoginTimeout time.Duration
	// StatementTimeout bounds one INSERT. A session that did not answer in time is dropped, and the
	// row's fate is unknown. 0 means DefaultStatementTimeout, 25 s: tcp_user_timeout of the
	// connection strings. A peer that is gone is noticed by then without it, too, where the
	// connection is TCP of this machine's own: it is asked after 10 s of silence, as they say.
	StatementTimeout time.Duration
	// Log is a file that gets a line "run seq unixnano" for each acknowledged row, on disk before
	// the row counts. It is made with mode 0600 and appended to. "" keeps no log.
	Log string
	// Table is made if it is missing, and stays. nil means public.pgha_probe. It may be shared by
	// many runs.
	Table pgx.Identifier
}

// Format writes where the writer connects to, and nothing else for any verb: fmt would follow
// Config to its password.
func (o Options) Format(state fmt.State, _ rune) {
	if o.Config == nil {
		fmt.Fprint(state, "probe without a connection")
		return
	}
	fmt.Fprintf(state, "probe of %s:%d", o.Config.Host, o.Config.Port)
}

// withDefaults fills in what is zero and refuses what makes no sense.
func (o Options) withDefaults() (Options, error) {
	if o.Config == nil {
		return o, errors.New("no connection configuration")
	}
	if o.Rate == 0 {
		o.Rate = DefaultRate
	}
	if !(o.Rate >= 0.1 && o.Rate <= 1000) {
		return o, fmt.Errorf("rate %v is not between 0.1 and 1000 rows a second", o.Rate)
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		unset time.Duration
	}{
		{"login timeout", &o.LoginTimeout, DefaultLoginTimeout},
		{"statement timeout", &o.StatementTimeout, DefaultStatementTimeout},
	} {
		if *d.value == 0 {
			*d.value = d.unset
		}
		if *d.value < 0 {
			return o, fmt.Errorf("%s %v is negative", d.name, *d.value)
		}
	}
	if o.Client == "" {
		o.Client = KeepsConnection
	}
	if !slices.Contains(Clients(), o.Client) {
		return o, fmt.Errorf("no client is called %q; there are %q", o.Client, Clients())
	}
	if len(o.Table) == 0 {
		o.Table = pgx.Identifier{"public", "pgha_probe"}
	}
	return o, nil
}

// bounds limit how long an attempt waits for each of its parts.
type bounds struct{ login, statement time.Duration }

// bounds are those of the measurement.
func (o Options) bounds() bounds { return bounds{o.LoginTimeout, o.StatementTimeout} }

// startBounds are those of Start, which does not measure yet and may meet a busy cluster.
var startBounds = bounds{startTimeout, startTimeout}

const startTimeout = 10 * time.Second

// interval is the time from one tick to the next.
func interval(rate float64) time.Duration {
	return time.Duration(float64(time.Second) / rate)
}
