package status

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/spec"
)

// Former returns the hosts that the cluster was last brought in line with and the specification
// names no more: neither their name nor their member's nor their address. None where no apply has
// said so yet. Changes nothing. The error matches etcd.ErrUnhealthy where etcd does not answer.
func Former(ctx context.Context, c *site.Site) ([]spec.Host, error) {
	known, err := rememberedHosts(ctx, c)
	return slices.DeleteFunc(known, func(was spec.Host) bool {
		return slices.ContainsFunc(c.Spec.Hosts, func(h spec.Host) bool {
			return h.Name == was.Name || h.Member == was.Member && h.Member != "" ||
				h.Address == was.Address
		})
	}), err
}

// rememberedHosts are those that RememberHosts has written.
func rememberedHosts(ctx context.Context, c *site.Site) ([]spec.Host, error) {
	o, err := c.EtcdAnywhere()
	if err != nil {
		return nil, err
	}
	keys, err := etcd.Keys(ctx, o, c.HostsKey())
	text, there := keys[""]
	if err != nil || !there {
		return nil, err
	}
	var known []spec.Host
	if err := json.Unmarshal([]byte(text), &known); err != nil {
		return nil, fmt.Errorf("read %s of etcd: %w", c.HostsKey(), err)
	}
	return known, nil
}

// RememberHosts writes into etcd which hosts the cluster has, for Former. Safe to repeat: it writes
// nothing where that is known.
func RememberHosts(ctx context.Context, c *site.Site) error {
	known, err := rememberedHosts(ctx, c)
	if err != nil {
		return err
	}
	was, err := json.Marshal(known)
	if err != nil {
		return fmt.Errorf("sum up the hosts: %w", err)
	}
	now, err := json.Marshal(c.Spec.Hosts)
	if err != nil {
		return fmt.Errorf("sum up the hosts: %w", err)
	}
	if string(was) == string(now) {
		return nil
	}
	o, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	return etcd.Keep(ctx, o, c.HostsKey(), string(now))
}

// LeftBehind is the refusal of an apply that does not say what becomes of former hosts.
func LeftBehind(former []spec.Host) error {
	var args []string
	for _, h := range former {
		args = append(args, "--remove", h.Name)
	}
	return errs.WithNext(fmt.Errorf("%w: in the cluster, and not in the specification: %s",
		errs.ErrRefused, strings.Join(site.HostNames(former), ", ")),
		errs.Text("%s takes what is named out, in recorded steps; or write it into the "+
			"specification again", errs.Verb("apply", args...)))
}
