package patroni

import (
	"context"
	"fmt"
	"io"

	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// oldConfig is the member's config.yml before it is changed; nil where it can't be read or nobody
// would put it back.
func oldConfig(ctx context.Context, o Options, m Member) []byte {
	if o.TryLogins == nil || o.Planning() {
		return nil
	}
	file, err := m.Target.Get(ctx, ConfigPath)
	if err != nil {
		return nil
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		return nil
	}
	return content
}

// tryReloaded tries the logins on a member that has read its new config.yml. Where one fails the
// old file is put back and read again, and the error, which matches ErrPutBack, says what failed.
func (c *operator) tryReloaded(ctx context.Context, m Member, old []byte) error {
	if c.options.TryLogins == nil {
		return nil
	}
	refused := c.options.TryLogins(ctx, m)
	if refused == nil || ctx.Err() != nil {
		return refused
	}
	const hint = "put right what the specification says of logins (postgresql.pg_hba, " +
		"patroni.extra); the other members are as they were"
	if len(old) == 0 {
		return remote.WithHint(fmt.Errorf("%s with its new configuration: %w", m.Name,
			refused), hint)
	}
	_, err := m.Target.Ensure(ctx,
		host.ConfigFile(c.options, old),
		remote.Unit{Name: Unit, Enabled: remote.Yes, Running: remote.Yes,
			ReloadOn: []string{ConfigPath}})
	if err == nil {
		err = c.waitReloaded(ctx, m)
	}
	if err != nil {
		return remote.WithHint(fmt.Errorf("%s with its new configuration: %w; put its old one "+
			"back: %w",
			m.Name, refused, err), hint)
	}
	return remote.WithHint(fmt.Errorf("%w: %s with its new configuration: %w", ErrPutBack, m.Name,
		refused), hint)
}
