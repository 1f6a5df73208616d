package probe

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The defaults of Options.
const (
	DefaultRate             = 20.0
	DefaultLoginTimeout     = 2 * time.Second
	DefaultLoginRetry       = 200 * time.Millisecond
	DefaultStatementTimeout = 500 * time.Millisecond
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
	// LoginTimeout bounds the opening of a session, its TCP connection, TLS and authentication
	// included. 0 means DefaultLoginTimeout, 2 s.
	LoginTimeout time.Duration
	// LoginRetry is how long a login may take before another is begun beside it; the first session
	// that is open is used, and the other logins are cut. One that was begun before an address
	// moved or a proxy found the new primary may hang long after a fresh one would succeed: Linux
	// sends a lost first packet again only after a second. 0 means DefaultLoginRetry, 200 ms.
	LoginRetry time.Duration
	// StatementTimeout bounds one INSERT. A session that did not answer in time is dropped, and the
	// row's fate is unknown. 0 means DefaultStatementTimeout, 500 ms.
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
		{"login retry", &o.LoginRetry, DefaultLoginRetry},
		{"statement timeout", &o.StatementTimeout, DefaultStatementTimeout},
	} {
		if *d.value == 0 {
			*d.value = d.unset
		}
		if *d.value < 0 {
			return o, fmt.Errorf("%s %v is negative", d.name, *d.value)
		}
	}
	if len(o.Table) == 0 {
		o.Table = pgx.Identifier{"public", "pgha_probe"}
	}
	return o, nil
}

// bounds limit how long an attempt waits for each of its parts, and retry is after how much of it a
// login gets company.
type bounds struct{ login, retry, statement time.Duration }

// bounds are those of the measurement.
func (o Options) bounds() bounds { return bounds{o.LoginTimeout, o.LoginRetry, o.StatementTimeout} }

// startBounds are those of Start, which does not measure yet and may meet a busy cluster.
var startBounds = bounds{startTimeout, startTimeout, startTimeout}

const startTimeout = 10 * time.Second

// interval is the time from one tick to the next.
func interval(rate float64) time.Duration {
	return time.Duration(float64(time.Second) / rate)
}
