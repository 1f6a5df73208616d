package psql

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha"
)

func TestPsqlArguments(t *testing.T) {
	t.Parallel()
	conn := pgha.Connection{Port: 5432, ReadPort: 5433, ReadDSN: "x"}
	for args, want := range map[string]string{
		"":                      "   ",
		"-d shop":               "shop   ",
		"-dshop -U me":          "shop me  ",
		"--dbname=shop -Ume":    "shop me  ",
		"--username me":         " me  ",
		"shop":                  "shop   ",
		"shop me -c x":          "shop me  -c x",
		"-Atc x shop":           "shop   -Atc x",
		"-Atcx":                 "   -Atcx",
		"-Atd shop -f -":        "shop   -At -f -",
		"-p 5433":               "  read ",
		"-p5432 --port=write":   "   ",
		"--port read -X":        "  read -X",
		"-v a=b --set c=d -l":   "   -v a=b --set c=d -l",
		"-c -d":                 "   -c -d",
		"-- shop me":            "shop me  ",
		"--command x -d shop":   "shop   --command x",
		"--command=x --csv":     "   --command=x --csv",
		"-d shop other":         "shop other  ",
		"-P pager=off -F , -1":  "   -P pager=off -F , -1",
		"-U me -d shop -qXAt":   "shop me  -qXAt",
		"--no-password -w shop": "shop   --no-password -w",
	} {
		p, err := Parse(strings.Fields(args), conn)
		read := map[bool]string{true: "read"}[p.Read]
		if got := strings.Join([]string{
			p.Database, p.User, read, strings.Join(p.Rest, " "),
		}, " "); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", args, got, err, want)
		}
	}
	for _, args := range []string{
		"-h db", "-hdb", "--host=db", "--host /run/postgresql", "-p 5555", "-p", "-d",
		"--dbname", "-c",
		"-d host=x", "-d postgres://x/y", "a b c", "-U x a b c", "postgresql://h/db", "-Ath db",
	} {
		if p, err := Parse(strings.Fields(args), conn); err == nil {
			t.Errorf("%q: %+v, %v", args, p, err)
		}
	}
	if _, err := Parse([]string{"-p", "read"}, pgha.Connection{Port: 5432}); err == nil {
		t.Error("a read port without replicas")
	}
}
