package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// Type is a type of backup.
type Type string

// The types of backups.
const (
	// Full holds everything.
	Full Type = "full"
	// Differential holds what has changed since the last full one.
	Differential Type = "diff"
	// Incremental holds what has changed since the last one of any type.
	Incremental Type = "incr"
)

// Types returns all types.
func Types() []Type { return []Type{Full, Differential, Incremental} }

// Set is a backup in the repository.
type Set struct {
	// Label names it: "20261130-092951F".
	Label string `json:"label"`
	Type  Type   `json:"type"`
	// Start and Stop are when it was made. The moment of Stop is the first that it can be restored
	// to.
	Start time.Time `json:"start"`
	Stop  time.Time `json:"stop"`
	// Size is that of the databases, RepositorySize what this backup alone takes in the repository,
	// in bytes.
	Size           int64 `json:"size"`
	RepositorySize int64 `json:"repository_size"`
	// FirstSegment and LastSegment of the write-ahead log are those without which it is worth
	// nothing.
	FirstSegment string `json:"first_segment"`
	LastSegment  string `json:"last_segment"`
	// StopLSN is the position in the log at Stop.
	StopLSN string `json:"stop_lsn"`
	// Damaged: pages had wrong checksums when it was made.
	Damaged bool `json:"damaged,omitempty"`
	// System is the system identifier of the cluster that it is of.
	System string `json:"system_identifier"`
}

// Timeline returns the timeline on which the backup was made; 0 where that is not known.
func (s Set) Timeline() int {
	timeline, _, _ := place(s.LastSegment)
	return timeline
}

// Inventory is what the repository says of itself.
type Inventory struct {
	// Sets are the backups, the oldest first.
	Sets []Set `json:"backups"`
	// LastSegment is the newest one of the write-ahead log that is archived; "" for none.
	LastSegment string `json:"last_segment,omitempty"`
	// System is the system identifier of the cluster that is backed up now; "" before Register.
	System string `json:"system_identifier,omitempty"`
	// Running: a backup is being made. Done and Total are bytes; 0 where that is not known.
	Running bool  `json:"running,omitempty"`
	Done    int64 `json:"done,omitempty"`
	Total   int64 `json:"total,omitempty"`
	// Encrypted tells whether files in it are.
	Encrypted bool `json:"encrypted"`
}

// Newest returns the newest backup; false if there is none.
func (i Inventory) Newest() (Set, bool) {
	if len(i.Sets) == 0 {
		return Set{}, false
	}
	return i.Sets[len(i.Sets)-1], true
}

// Set returns the backup of that label.
func (i Inventory) Set(label string) (Set, bool) {
	for _, s := range i.Sets {
		if s.Label == label {
			return s, true
		}
	}
	return Set{}, false
}

// ErrNoRepository: the repository has no place for the cluster yet, or cannot be read.
var ErrNoRepository = errs.New(errs.NotFound, "the repository does not know the cluster")

// List asks the repository what it has. Changes nothing; takes about 0.1 s. The error matches
// ErrNoRepository where Register has not been called, or the directory or the key is another one.
func List(ctx context.Context, o Options) (Inventory, error) {
	o = o.WithDefaults()
	t := o.Repository.Target
	res, err := t.Run(ctx, remote.Cmd{User: systemUser, Timeout: lookTimeout,
		Argv: o.pgbackrest("--output=json", "info")})
	if err != nil {
		return Inventory{}, fmt.Errorf("ask the repository: %w", remote.OnHost(t.Name, err))
	}
	inventory, err := parseInfo(res.Stdout)
	if err != nil {
		return Inventory{}, fmt.Errorf("ask the repository: %w", remote.OnHost(t.Name, err))
	}
	return inventory, nil
}

// lookTimeout bounds one question to a host.
const lookTimeout = 30 * time.Second

// The codes of pgBackRest's status (command/info/info.c, 2.45 to 2.60): a stanza without a backup
// is no fault.
const (
	statusOK        = 0
	statusNoBackup  = 2
	statusNoPath    = 1
	statusNotStanza = 3
)

// stanzaInfo is a stanza in what `pgbackrest info --output=json` prints.
type stanzaInfo struct {
	Archive []struct {
		Database struct {
			ID int `json:"id"`
		} `json:"database"`
		Max string `json:"max"`
	} `json:"archive"`
	Backup []struct {
		Archive struct {
			Start string `json:"start"`
			Stop  string `json:"stop"`
		} `json:"archive"`
		Database struct {
			ID int `json:"id"`
		} `json:"database"`
		Error bool `json:"error"`
		Info  struct {
			Size       int64 `json:"size"`
			Repository struct {
				Delta int64 `json:"delta"`
			} `json:"repository"`
		} `json:"info"`
		Label string `json:"label"`
		LSN   struct {
			Stop string `json:"stop"`
		} `json:"lsn"`
		Timestamp struct {
			Start int64 `json:"start"`
			Stop  int64 `json:"stop"`
		} `json:"timestamp"`
		Type Type `json:"type"`
	} `json:"backup"`
	Cipher     string `json:"cipher"`
	Repository []struct {
		Status struct {
			Message string `json:"message"`
		} `json:"status"`
	} `json:"repo"`
	DB []struct {
		ID     int         `json:"id"`
		System json.Number `json:"system-id"`
	} `json:"db"`
	Status struct {
		Code int `json:"code"`
		Lock struct {
			Backup struct {
				Held  bool  `json:"held"`
				Size  int64 `json:"size"`
				Done  int64 `json:"size-cplt"`
				Total int64 `json:"size-total"`
			} `json:"backup"`
		} `json:"lock"`
		Message string `json:"message"`
	} `json:"status"`
}

// parseInfo reads what pgBackRest prints of one stanza. It exits with 0 also where it could read
// nothing: the code in its answer says so.
func parseInfo(text []byte) (Inventory, error) {
	var stanzas []stanzaInfo
	if err := json.Unmarshal(text, &stanzas); err != nil {
		return Inventory{}, fmt.Errorf("read the answer of pgbackrest info: %w", err)
	}
	if len(stanzas) == 0 {
		return Inventory{}, fmt.Errorf("%w: it has nothing", ErrNoRepository)
	}
	s := stanzas[0]
	switch s.Status.Code {
	case statusOK, statusNoBackup:
	case statusNoPath, statusNotStanza:
		return Inventory{}, fmt.Errorf("%w: %s", ErrNoRepository, s.Status.Message)
	default:
		words := s.Status.Message
		for _, r := range s.Repository {
			words += ": " + r.Status.Message
		}
		return Inventory{}, fmt.Errorf("pgbackrest info: %s", said([]byte(words)))
	}
	lock := s.Status.Lock.Backup
	found := Inventory{Encrypted: s.Cipher != "" && s.Cipher != "none", Running: lock.Held,
		Done: lock.Done, Total: max(lock.Size, lock.Total)}
	systems, newest := map[int]string{}, 0
	for _, db := range s.DB {
		systems[db.ID] = db.System.String()
		if db.ID >= newest {
			newest, found.System = db.ID, db.System.String()
		}
	}
	for _, a := range s.Archive {
		if a.Database.ID == newest {
			found.LastSegment = a.Max
		}
	}
	for _, b := range s.Backup {
		found.Sets = append(found.Sets, Set{Label: b.Label, Type: b.Type,
			Start: time.Unix(b.Timestamp.Start, 0).UTC(), Stop: time.Unix(b.Timestamp.Stop, 0).UTC(),
			Size: b.Info.Size, RepositorySize: b.Info.Repository.Delta,
			StopLSN: b.LSN.Stop, FirstSegment: b.Archive.Start, LastSegment: b.Archive.Stop, Damaged: b.Error,
			System: systems[b.Database.ID]})
	}
	return found, nil
}
