package measure

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
)

// walSync is etcd's histogram of how long its log takes to reach the disk, since it was started.
const walSync = "etcd_disk_wal_fsync_duration_seconds"

// leastSyncs is how many it takes for the slowest of a hundred to mean anything.
const leastSyncs = 100

// etcdSync asks the etcd of a host for that histogram.
func etcdSync(ctx context.Context, c *site.Site, t *remote.Target) (advisor.Sync, error) {
	own, err := c.Credentials().EtcdOperator.TLS()
	if err != nil {
		return advisor.Sync{}, fmt.Errorf("load the certificate for asking etcd: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.Credentials().EtcdCA)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return t.Dial(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own},
			MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, "GET",
		"https://"+connstring.HostPort(t.Address, c.Spec.Etcd.ClientPort)+"/metrics", nil)
	if err != nil {
		return advisor.Sync{}, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return advisor.Sync{}, fmt.Errorf("ask etcd for its metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return advisor.Sync{}, fmt.Errorf("ask etcd for its metrics: HTTP %d", resp.StatusCode)
	}
	return syncHistogram(io.LimitReader(resp.Body, 4<<20))
}

// syncHistogram works out the 99th percentile, straight within the bucket that it is in.
func syncHistogram(metrics io.Reader) (advisor.Sync, error) {
	type bucket struct{ bound, count float64 }
	var buckets []bucket
	lines := bufio.NewScanner(metrics)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), walSync+`_bucket{le="`)
		bound, count, found := strings.Cut(rest, `"} `)
		if !ok || !found {
			continue
		}
		b, err1 := strconv.ParseFloat(bound, 64)
		n, err2 := strconv.ParseFloat(count, 64)
		if err := errs.Join(err1, err2); err != nil {
			return advisor.Sync{}, fmt.Errorf("read etcd's metrics: %w", err)
		}
		// The last bound is +Inf; nothing else may be without end, or no number.
		if !(b >= 0) || !(n >= 0) || math.IsInf(n, 1) {
			return advisor.Sync{}, fmt.Errorf("read etcd's metrics: %q is no count of syncs",
				lines.Text())
		}
		if len(buckets) > 0 && b <= buckets[len(buckets)-1].bound {
			return advisor.Sync{}, fmt.Errorf("read etcd's metrics: the bound %s is out of order",
				bound)
		}
		buckets = append(buckets, bucket{b, n})
	}
	if err := lines.Err(); err != nil {
		return advisor.Sync{}, fmt.Errorf("read etcd's metrics: %w", err)
	}
	if len(buckets) < 2 || buckets[len(buckets)-1].count < leastSyncs {
		return advisor.Sync{}, fmt.Errorf("read etcd's metrics: fewer than %d syncs in %s",
			leastSyncs, walSync)
	}
	all := buckets[len(buckets)-1].count
	below := bucket{}
	for i, b := range buckets {
		if b.count >= 0.99*all {
			if i == len(buckets)-1 { // beyond the last bound there is no other one
				b.bound = below.bound
			}
			p99 := b.bound
			if b.count > below.count {
				p99 = below.bound +
					(b.bound-below.bound)*(0.99*all-below.count)/(b.count-below.count)
			}
			return advisor.Sync{P99Seconds: p99, Samples: int(all),
				Source: fmt.Sprintf("etcd's own count of %d since it was started", int(all))}, nil
		}
		below = b
	}
	return advisor.Sync{}, errors.New("read etcd's metrics: the histogram is not cumulative")
}
