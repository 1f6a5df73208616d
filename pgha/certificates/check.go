package certificates

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/wire"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// peer is a host that dials a server.
type peer struct {
	from *remote.Target
	to   wire.Endpoint
}

// peersOf are all hosts that dial a server of these authorities, and its own host, as far as none
// of them is left out.
func peersOf(r *job.Job, authorities []string) ([]peer, error) {
	dials := map[string]bool{}
	for _, route := range inspect.Routes(r.Site) {
		dials[route.From+" "+route.To+" "+route.Port] = true
	}
	var list []peer
	there := site.Without(r.Spec.Hosts, r.LeftOut())
	for _, to := range there {
		for _, d := range wire.Of(r.Site, to) {
			if !slices.Contains(authorities, d.Authority) {
				continue
			}
			for _, from := range there {
				if from.Name != to.Name &&
					!dials[from.Name+" "+to.Name+" "+strconv.Itoa(d.Port)] {
					continue
				}
				t, err := r.Site.Target(from.Name)
				if err != nil {
					return nil, err
				}
				list = append(list, peer{t, d})
			}
		}
	}
	return list, nil
}

// trial is a handshake, and what has to come of it.
type trial struct {
	peer
	what string
	// most is the highest version of TLS: whether a server lets a client in is known at the end of
	// a handshake of 1.2 alone.
	most uint16
	// untrusted: what the server shows must not be of the endpoint's authorities. refused: the
	// server must not let in whoever shows the endpoint's own certificate.
	untrusted, refused bool
}

const (
	// trialWithin bounds a handshake, and settledWithin the wait until all come out as they must:
	// PostgreSQL reads its files a moment after it was told to.
	trialWithin   = 5 * time.Second
	settledWithin = 30 * time.Second
	// atOnce are the handshakes at a time: members that answer late for them look ill.
	atOnce = 8
)

func (t trial) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, trialWithin)
	defer cancel()
	_, err := t.to.Handshake(ctx, t.from, tls.VersionTLS12, t.most, true)
	var unknown *tls.CertificateVerificationError
	switch {
	case t.untrusted && errors.As(err, &unknown), t.refused && errors.Is(err, wire.ErrRefused):
		return nil
	case t.untrusted && err == nil:
		return errors.New("the server shows a certificate of the former authority")
	case t.refused && err == nil:
		return errors.New("the server lets in a certificate of the former authority")
	}
	return err
}

// tryAll opens handshakes until all came out as they must, and returns how many there are. The
// error names those that did not.
func tryAll(ctx context.Context, trials []trial) (int, error) {
	left := trials
	var failed error
	err := poll.Until(ctx, poll.Options{What: "every handshake to come out as it must",
		Bound: settledWithin, Every: 500 * time.Millisecond},
		func(ctx context.Context) (string, error) {
			left, failed = tryOnce(ctx, left)
			return "", failed
		})
	if failed != nil && ctx.Err() == nil {
		err = errs.WithKind(failed, errs.Unhealthy)
	}
	return len(trials), err
}

// tryOnce returns those trials that failed, and why.
func tryOnce(ctx context.Context, trials []trial) (left []trial, err error) {
	failed := make([]error, len(trials))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, t := range trials {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := t.try(ctx); err != nil {
				failed[i] = fmt.Errorf("from %s to %s, %s: %w", t.from.Name, t.to.Host, t.what, err)
			}
		})
	}
	wg.Wait()
	for i, err := range failed {
		if err != nil {
			left = append(left, trials[i])
		}
	}
	return left, errs.Join(failed...)
}

// asks tells whether a server wants to see a certificate of those who dial it. PostgreSQL and its
// poolers want a password.
func asks(d wire.Endpoint) bool { return d.Authority != layout.PostgresAuthority }

// onTheWire are trials of what servers show: the certificates that the credentials hold.
func onTheWire(ctx context.Context, r *job.Job, authorities []string) (int, error) {
	cr := r.Credentials()
	n := 0
	var failed error
	err := poll.Until(ctx, poll.Options{What: "every server to show its new certificate",
		Bound: settledWithin, Every: 500 * time.Millisecond},
		func(ctx context.Context) (string, error) {
			n, failed = 0, nil
			var problems []error
			for _, h := range site.Without(r.Spec.Hosts, r.LeftOut()) {
				said := lookAtHost(ctx, r.Site, h)
				if said.err != nil {
					problems = append(problems, remote.OnHost(h.Name, said.err))
					continue
				}
				for _, of := range certs.OfHost(r.Spec, h) {
					if !slices.Contains(authorities, of.Authority) {
						continue
					}
					want := seen(cr.Hosts[h.Name][of.Name].Cert, time.Now())
					for _, w := range said.shown[of.Name] {
						n++
						if w.SHA256 != want.SHA256 {
							problems = append(problems, fmt.Errorf("%s: %s (port %d) shows serial "+
								"%s, not %s %s", h.Name, w.Server, w.Port, w.Serial, want.Serial,
								w.Error))
						}
					}
				}
			}
			failed = errs.Join(problems...)
			return "", failed
		})
	if failed != nil && ctx.Err() == nil {
		err = errs.WithKind(failed, errs.Unhealthy)
	}
	return n, err
}
