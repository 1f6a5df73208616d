package site_test

import (
	"context"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// must returns a value, or ends the test.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// execute reaches hosts that run commands here, each with a folder of its own.
func execute(dirs map[string]string) func(context.Context, spec.Host) (remote.Executor, error) {
	return func(_ context.Context, h spec.Host) (remote.Executor, error) {
		return sitetest.Below(h.Name, dirs[h.Name]), nil
	}
}
