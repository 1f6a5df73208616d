package checkup

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/remote"
)

// readPrograms reads what look.py prints.
func readPrograms(h *doctor.Host, r remote.Result) {
	var answer struct {
		Patroni doctor.Patroni `json:"patroni"`
		Etcd    doctor.Etcd    `json:"etcd"`
		Files   struct {
			doctor.Data
			Certificates []doctor.Certificate `json:"certificates"`
			Error        string               `json:"error"`
		} `json:"files"`
	}
	err := json.Unmarshal(r.Stdout, &answer)
	if err != nil {
		reason := "python3 did not answer: " + oneLine(err.Error())
		answer.Patroni, answer.Etcd = doctor.Patroni{Error: reason}, doctor.Etcd{Error: reason}
	}
	if h.Patroni != nil {
		h.Patroni = &answer.Patroni
	}
	if h.Etcd != nil {
		h.Etcd = &answer.Etcd
	}
	if err != nil {
		return
	}
	*h.Data, h.Certificates = answer.Files.Data, answer.Files.Certificates
}

func readSQL(h *doctor.Host, r remote.Result) {
	h.SQL = &doctor.SQL{}
	out := strings.TrimSpace(string(r.Stdout))
	switch {
	case r.ExitCode == 124:
		h.SQL.Error = "no answer within 4 s"
	case r.ExitCode != 0:
		h.SQL.Error = oneLine(out)
	default:
		if err := json.Unmarshal([]byte(out), h.SQL); err != nil {
			h.SQL = &doctor.SQL{Error: "unreadable answer: " + err.Error()}
		}
	}
}

func readReplicationLogin(h *doctor.Host, r remote.Result) {
	if h.SQL != nil && h.SQL.Error == "" && r.ExitCode != 0 {
		h.SQL.ReplicationLogin = oneLine(string(r.Stdout))
		if r.ExitCode == 124 {
			h.SQL.ReplicationLogin = "no answer within 4 s"
		}
	}
}

func readHAProxyCheck(h *doctor.Host, r remote.Result) {
	if r.ExitCode != 0 {
		h.HAProxy.ConfigError = cmp.Or(oneLine(string(r.Stdout)),
			fmt.Sprintf("exit code %d", r.ExitCode))
	}
}

func readHAProxyStat(h *doctor.Host, r remote.Result) {
	h.HAProxy.Servers = map[string]string{}
	if r.ExitCode != 0 {
		h.HAProxy.Error = oneLine(string(r.Stdout))
		return
	}
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(r.Stdout), "# ")))
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	rows, err := in.ReadAll()
	if err != nil || len(rows) == 0 {
		h.HAProxy.Error = "unreadable answer"
		return
	}
	column := func(row []string, name string) string {
		if i := slices.Index(rows[0], name); i >= 0 && i < len(row) {
			return row[i]
		}
		return ""
	}
	for _, row := range rows[1:] {
		proxy, server := column(row, "pxname"), column(row, "svname")
		if server != "FRONTEND" && server != "BACKEND" && server != "" &&
			strings.HasPrefix(proxy, "postgres_") {
			h.HAProxy.Servers[proxy+"/"+server] = strings.TrimSpace(column(row, "status") + " " +
				strings.TrimPrefix(column(row, "check_status"), "* "))
		}
	}
}

func readHAProxyReload(h *doctor.Host, r remote.Result) {
	h.HAProxy.ReloadFailed = lb.ParseReload(string(r.Stdout)).Reason
}

// oneLine makes evidence of a program's complaint.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return s
}
