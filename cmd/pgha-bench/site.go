package main

import (
	"context"
	"errors"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/spec"
)

// withLab boots a new lab for f and removes it afterwards.
func withLab(ctx context.Context, options lab.Options, f func(*lab.Lab) error) (err error) {
	if err := lab.Down(ctx, options); err != nil {
		return err
	}
	defer func() {
		// An interrupted measurement leaves no lab behind either.
		err = errors.Join(err, lab.Down(context.WithoutCancel(ctx), options))
	}()
	l, err := lab.Start(ctx, options)
	if err != nil {
		return err
	}
	return f(l)
}

// specOf is the lab's own specification with more lines of YAML.
func specOf(l *lab.Lab, more string) (*pgha.Spec, error) {
	text, err := l.Spec()
	if err != nil {
		return nil, err
	}
	return spec.Parse("lab "+l.Name(), append(text, more...))
}

// connected hands f connections to the hosts.
func connected(ctx context.Context, l *lab.Lab, sp *pgha.Spec, opts pgha.ConnectOptions,
	f func(*pgha.Cluster) error) error {
	opts.Dial = l.DialContext
	c, err := pgha.Connect(ctx, sp, opts)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close())
}
