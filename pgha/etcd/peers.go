package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/pgha/toolkit/pgha/remote"
)

// peer is a member of the cluster as another member knows it.
type peer struct {
	PeerURLs []string `json:"peerURLs"`
	// ClientURLs are empty until the member has taken part for the first time.
	ClientURLs []string `json:"clientURLs"`
	// Learner gets all that is written and has no vote yet.
	Learner bool `json:"isLearner"`
}

// peersKnownTo asks m, through its port for peers, which members it knows. Unlike the port for
// clients that one answers while there is no quorum; etcd itself asks there before it starts
// without data. It is asked through m's own host alone: etcd wants to see a peer come from an
// address that its certificate names.
func (o Options) peersKnownTo(ctx context.Context, m Member) ([]peer, error) {
	config, err := o.tlsConfig(m.Peer)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: config,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return m.Target.Dial(ctx, "tcp", address)
		}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.peerURL(m)+"/members", nil)
	if err != nil {
		return nil, err
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, remote.OnHost(m.Target.Name, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, remote.OnHost(m.Target.Name, fmt.Errorf("ask etcd for its members: %s",
			res.Status))
	}
	var peers []peer
	if err := json.NewDecoder(http.MaxBytesReader(nil, res.Body,
		1<<20)).Decode(&peers); err != nil {
		return nil, remote.OnHost(m.Target.Name, fmt.Errorf("ask etcd for its members: %w", err))
	}
	return peers, nil
}

// membersKnownTo returns the names of those of the options' members that m knows.
func (o Options) membersKnownTo(ctx context.Context, m Member) ([]string, error) {
	peers, err := o.peersKnownTo(ctx, m)
	var names []string
	for _, p := range o.Members {
		if standingOf(peers, o.peerURL(p)) != unknown {
			names = append(names, p.Name)
		}
	}
	return names, err
}

// learns tells whether the member with the peer URL has no vote.
func learns(peers []peer, url string) bool {
	return slices.ContainsFunc(peers, func(p peer) bool {
		return p.Learner && slices.Contains(p.PeerURLs, url)
	})
}

// standing is what a cluster's living members know about a member without data.
type standing int

const (
	unknown standing = iota // not a member, or not any more
	added                   // a member that has not taken part yet
	voter                   // a member that has taken part
)

// standingOf looks for the member with the given peer URL among peers.
func standingOf(peers []peer, url string) standing {
	i := slices.IndexFunc(peers, func(p peer) bool { return slices.Contains(p.PeerURLs, url) })
	switch {
	case i < 0:
		return unknown
	case len(peers[i].ClientURLs) == 0:
		return added
	default:
		return voter
	}
}
