package verify

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// unreachableCluster is a cluster of one database that nobody answers for.
func unreachableCluster(t *testing.T) *site.Site {
	t.Helper()
	sp := spec.New()
	sp.Hosts = []spec.Host{{Name: "db", Address: "192.0.2.1", Role: spec.RoleDatabase,
		Member: "db"}}
	return (&site.Site{
		Spec: sp, Unreachable: map[string]error{"db": remote.OnHost("db", remote.ErrUnreachable)},
		Connections: map[string]*remote.Target{},
		State:       &vault.State{Dir: t.TempDir(), ReadOnly: true},
	}).Hold(&vault.Credentials{})
}

func TestVerifyFailsWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	heard := 0
	checks, err := Verify(t.Context(), unreachableCluster(t), func(Check) { heard++ })
	if !errors.Is(err, ErrVerify) {
		t.Errorf("got %v, want ErrVerify", err)
	}
	if heard != len(checks) {
		t.Errorf("heard of %d checks of %d", heard, len(checks))
	}
	if first := checks[0]; first.OK || first.Problem == "" || first.Hint.IsZero() {
		t.Errorf("hosts do not answer and the check says %+v", first)
	}
}

// TestWhatStatusCallsAProblemFails: nothing that makes status unhealthy passes verify.
func TestWhatStatusCallsAProblemFails(t *testing.T) {
	t.Parallel()
	s := sitetest.PowerStatus()
	s.Errors = map[string]string{}
	for _, part := range status.Parts() {
		s.Errors[string(part)] = "trouble of " + string(part)
	}
	now := func() (status.Status, error) { return s, nil }
	told := ""
	for _, c := range runChecks(t.Context(), unreachableCluster(t),
		append(checks(now), poolerChecks(now)...), nil) {
		told += c.Problem + "\n"
	}
	for _, trouble := range s.Errors {
		if !strings.Contains(told, trouble) {
			t.Errorf("no check fails with %q", trouble)
		}
	}
	healthy := sitetest.PowerStatus()
	for _, part := range status.Parts() {
		if detail, err := moment(func() (status.Status, error) {
			return healthy, nil
		}).is(sawMembers,
			part)(t.Context(), nil); err != nil || detail == "" {
			t.Errorf("%s of a healthy cluster: %q, %v", part, detail, err)
		}
	}
}

func TestInterruptionIsNoVerdict(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Verify(ctx, unreachableCluster(t), func(c Check) {
		t.Errorf("a verdict on %q after the end", c.Name)
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrVerify) {
		t.Errorf("Verify: got %v, want context.Canceled alone", err)
	}
}
