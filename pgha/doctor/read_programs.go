package doctor

import (
	"encoding/json"

	"github.com/pgha/toolkit/pgha/remote"
)

// readPrograms reads what look.py prints.
func readPrograms(h *Host, r remote.Result) {
	var answer struct {
		Patroni Patroni `json:"patroni"`
		Etcd    Etcd    `json:"etcd"`
		Files   struct {
			Data
			Certificates []Certificate `json:"certificates"`
			Error        string        `json:"error"`
		} `json:"files"`
	}
	if err := json.Unmarshal(r.Stdout, &answer); err != nil {
		reason := "python3 did not answer: " + oneLine(err.Error())
		h.Patroni, h.Etcd = &Patroni{Error: reason}, &Etcd{Error: reason}
		return
	}
	h.Patroni, h.Etcd = &answer.Patroni, &answer.Etcd
	*h.Data, h.Certificates = answer.Files.Data, answer.Files.Certificates
}
