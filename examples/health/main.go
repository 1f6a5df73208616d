// Command health answers HTTP requests for a cluster's health, for load balancers, monitors and
// internal platforms that cannot read Patroni's own API: GET /health is 200 with the whole status
// as JSON, or 503 when something is wrong.
//
// It looks at the cluster at most once in two seconds, however many ask.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/spec"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: health SPEC ADDRESS, such as health pgha.yaml 127.0.0.1:8080")
	}
	sp, err := spec.Load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	mux := http.NewServeMux()
	mux.Handle("GET /health", &health{spec: sp})
	server := &http.Server{Addr: os.Args[2], Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// health keeps the last answer for a moment.
type health struct {
	spec *pgha.Spec

	mu     sync.Mutex
	looked time.Time
	code   int
	body   []byte
}

func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.looked) > 2*time.Second {
		// Somebody who hangs up must not spoil the answer for the next.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
		defer cancel()
		h.code, h.body = h.look(ctx)
		h.looked = time.Now()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(h.code)
	if _, err := w.Write(h.body); err != nil {
		log.Printf("answer to %s: %v", r.RemoteAddr, err)
	}
}

// look connects again each time, so that hosts that went away and came back need no thought.
func (h *health) look(ctx context.Context) (code int, body []byte) {
	code = http.StatusServiceUnavailable
	cluster, err := pgha.Connect(ctx, h.spec, pgha.ConnectOptions{ReadOnly: true,
		AllowUnreachable: true, Timeout: 3 * time.Second})
	if err != nil {
		return code, encode(map[string]string{"error": err.Error()})
	}
	defer cluster.Close()
	status, err := cluster.Status(ctx)
	if err != nil {
		return code, encode(map[string]string{"error": err.Error()})
	}
	if status.Healthy() {
		code = http.StatusOK
	}
	return code, encode(status)
}

func encode(v any) []byte {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return []byte(`{"error": "the status cannot be written as JSON"}`)
	}
	return append(body, '\n')
}
