package connstring

import (
	"fmt"
	"strconv"
	"strings"
)

// jdbcNote: the driver cannot set how often the kernel asks, so that its own limit ends also what
// is slow.
const jdbcNote = "socketTimeout also ends a statement that takes longer: raise it above your " +
	"longest one. tcpKeepAlive asks as often as the kernel says (net.ipv4.tcp_keepalive_time, two " +
	"hours by default). 42.3.1 and older read no password file"

// jdbc is the URL of PostgreSQL's JDBC driver. It decodes a plus as a blank also in the path.
func jdbc(w target) string {
	more := ""
	switch w.wanted {
	case primary:
		more = "&targetServerType=primary"
	case replica:
		more = "&targetServerType=preferSecondary"
	}
	return fmt.Sprintf("jdbc:postgresql://%s/%s?user=%s&sslmode=verify-full&sslrootcert=%s"+
		"&connectTimeout=%d&socketTimeout=%d&tcpKeepAlive=true%s", w.where(),
		escape(w.database, ""), escape(w.user, ""), escape(w.ca, "/"), connect, silent, more)
}

func java(_ target, text string) string {
	return "Connection connection = DriverManager.getConnection(" + quoteC(text) + ");"
}

// npgsqlCancel is how long Npgsql waits for the statement that it has given up to be cancelled.
const npgsqlCancel = 2

// npgsql is the connection string of .NET's driver.
func npgsql(w target) string {
	words := [][2]string{{"Host", w.hosts[0]}, {"Port", strconv.Itoa(w.port)}}
	switch w.wanted {
	case primary, replica:
		words = [][2]string{{"Host", w.where()}, {"Target Session Attributes", w.attributes()}}
	}
	words = append(words, [2]string{"Username", w.user}, [2]string{"Database", w.database},
		[2]string{"SSL Mode", "VerifyFull"}, [2]string{"Root Certificate", w.ca})
	if w.passFile != "" {
		words = append(words, [2]string{"Passfile", w.passFile})
	}
	words = append(words, [2]string{"Timeout", strconv.Itoa(connect)},
		[2]string{"Command Timeout", strconv.Itoa(silent - npgsqlCancel)}, [2]string{"Tcp Keepalive", "true"})
	var each []string
	for _, kv := range words {
		value := kv[1]
		if strings.Trim(escape(value, "/:,[]"), "%") != value {
			value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
		}
		each = append(each, kv[0]+"="+value)
	}
	return strings.Join(each, ";")
}

func csharp(_ target, text string) string {
	return "await using var connection = new NpgsqlConnection(" + quoteC(text) + ");"
}

// pgxCode sets what pgx has no words for.
func pgxCode(_ target, text string) string {
	return fmt.Sprintf("config, err := pgx.ParseConfig(%s)\n"+
		"config.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true,\n"+
		"\tIdle: %d * time.Second, Interval: %d * time.Second, Count: %d}}).DialContext\n"+
		"connection, err := pgx.ConnectConfig(ctx, config)",
		strconv.Quote(text), keepIdle, keepInterval, keepCount)
}

// golang is code with the string as a literal of Go.
func golang(code string) func(target, string) string {
	return func(_ target, text string) string { return fmt.Sprintf(code, strconv.Quote(text)) }
}

// python is code with the string as a literal of Python.
func python(code string) func(target, string) string {
	return func(_ target, text string) string { return fmt.Sprintf(code, quoteC(text)) }
}

// quoteC writes a literal that Python, JavaScript, Java and C# read alike: none of them has Go's
// escapes for what is beyond ASCII, and all read UTF-8. Java has read \u000a as a line's end before
// it sees that it stands in a literal.
func quoteC(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
