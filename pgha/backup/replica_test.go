package backup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestReplica: beside the backup there is the log from its first segment on, over a failover, and
// what the archive does not have ends it.
func TestReplica(t *testing.T) {
	t.Parallel()
	const first, second = "000000010000000000000003", "000000010000000000000004"
	const end1, own2, last2 = "000000010000000000000005", "000000020000000000000005",
		"000000020000000000000006"
	for name, c := range map[string]struct {
		archive []string
		want    string
	}{
		"nothing is archived":     {nil, `"segments": 0,`},
		"one timeline":            {[]string{first, second}, `"segments": 2,`},
		"a failover":              {[]string{first, second, "00000002.history", own2, last2}, `"segments": 4,`},
		"both have the last":      {[]string{first, second, end1, "00000002.history", own2, last2}, `"segments": 4,`},
		"a segment is missing":    {[]string{first, "00000002.history", own2, last2}, `"segments": 1,`},
		"the archive is silent":   {[]string{"silent"}, "exit 82: unable to connect"},
		"the backup is not there": {[]string{"gone"}, "exit 75: backup set is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			data, copied := filepath.Join(dir, "data"), filepath.Join(dir, "copied.json")
			file := filepath.Join(dir, "settings.json")
			settings := `{"data": "` + data + `", "pgbackrest": ["pgbackrest", "--stanza=shop"],
				"copied": "` + copied + `"}`
			if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
				t.Fatal(err)
			}
			got := scripttest.Run{With: "python3", Script: string(replicaProgram),
				Args: []string{file, "20261130-092951F"},
				Fakes: map[string]string{"pgbackrest": `have=' ` + strings.Join(c.archive, " ") + ` '
case "$have$*" in
*" gone "*restore) echo "backup set is not valid" >&2; exit 75;;
*restore) mkdir -p ` + data + `/pg_wal; echo '{}' >` + data + `/patroni.dynamic.json
	echo "START WAL LOCATION: 0/3000028 (file ` + first + `)" >` + data + `/backup_label;;
*" silent "*) echo "unable to connect" >&2; exit 82;;
*) case "$have" in *" $3 "*) ;; *) exit 1;; esac
	printf '1\t0/5000120\tno recovery target specified\n' >"$4";;
esac`}}.Do(t)
			said, _ := os.ReadFile(copied)
			if told := got.Stdout + got.Stderr; !strings.Contains(told, c.want) {
				t.Errorf("%q, want %q", told, c.want)
			}
			if failed := got.Code != 0; failed != strings.HasPrefix(c.want, "exit") ||
				failed != (len(said) == 0) {
				t.Errorf("code %d, said %q", got.Code, said)
			}
			if calls := got.Calls[0]; calls !=
				"pgbackrest --stanza=shop --type=none --set=20261130-092951F restore" {
				t.Errorf("%q", calls)
			}
			if _, err := os.Stat(data + "/patroni.dynamic.json"); err == nil {
				t.Error("Patroni's settings of the time of the backup are there")
			}
		})
	}
}
