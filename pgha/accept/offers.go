package accept

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/settings"
	"github.com/pgha/toolkit/pgha/spec"
)

// offers are what the specification could take over. What it surely cannot is left, with the
// reason.
func offers(ctx context.Context, c *site.Site,
	planned []provision.PlannedChange) ([]offer, []LeftChange, error) {
	left := []LeftChange{}
	var found []offer
	dynamic, err := settings.DynamicConfig(ctx, c)
	switch {
	case errors.Is(err, patroni.ErrUnavailable) && ctx.Err() == nil:
		dynamic = map[string]any{} // a cluster that does not run has no settings to accept
	case err != nil:
		return nil, nil, err
	}
	for _, ch := range planned {
		if ch.Kind == "file" {
			found = append(found, fileOffers(c, ch)...)
		}
		if ch.Kind != "setting" {
			continue
		}
		change, reason := settingOffer(c, ch.Name, dynamic)
		if reason == "" && ch.Origin.Cause != provision.CauseDrift {
			reason = "it is not known to be drift: the specification may have a newer value than " +
				"the last apply"
		}
		if reason != "" {
			left = append(left, LeftChange{ch.Host, ch.Kind, ch.Name, reason})
			continue
		}
		found = append(found, offer{change, ch.Origin, []provision.PlannedChange{ch}})
	}
	alone, kept, err := aloneInDCS(c, dynamic)
	return joinOffers(append(found, alone...)), append(left, kept...), err
}

// joinOffers joins offers of one field that agree, and drops those that do not.
func joinOffers(offers []offer) []offer {
	byField := map[string]offer{}
	conflict := map[string]bool{}
	for _, o := range offers {
		was, again := byField[o.Field()]
		if again && !reflect.DeepEqual(was.Value, o.Value) {
			conflict[o.Field()] = true
		}
		o.covers = append(slices.Clone(was.covers), o.covers...)
		byField[o.Field()] = o
	}
	var merged []offer
	for _, field := range slices.Sorted(maps.Keys(byField)) {
		if !conflict[field] {
			merged = append(merged, byField[field])
		}
	}
	return merged
}

// parameterField is a parameter's place in the specification, by the name that it has there
// already.
func parameterField(c *site.Site, name string) []string {
	for there := range c.Spec.PostgreSQL.Parameters {
		if strings.EqualFold(there, name) {
			name = there
		}
	}
	return []string{"postgresql", "parameters", name}
}

// settingOffer says which field of the specification makes the DCS's value of a setting, or why
// none does.
func settingOffer(c *site.Site, key string,
	dynamic map[string]any) (change spec.Change, reason string) {
	if name, ok := strings.CutPrefix(key, configtree.Parameters); ok {
		return parameterOffer(parameterField(c, name),
			configtree.ValueOf(configtree.Section(dynamic, "postgresql", "parameters"), name))
	}
	value := dynamic[key]
	if name, ok := strings.CutPrefix(key, "postgresql."); ok {
		value = configtree.Section(dynamic, "postgresql")[name]
	}
	field := []string{"patroni", strings.TrimPrefix(key, "postgresql.")}
	switch key {
	case "ttl", "loop_wait", "retry_timeout", "primary_start_timeout", "maximum_lag_on_failover":
		if n, ok := value.(int64); ok {
			return spec.Change{Path: field, Value: n}, ""
		}
	case "failsafe_mode", "postgresql.use_pg_rewind", "postgresql.use_slots":
		if on, ok := value.(bool); ok {
			return spec.Change{Path: field, Value: on}, ""
		}
	case "synchronous_mode", "synchronous_mode_strict":
		if mode := synchronousOf(dynamic); mode != "" {
			return spec.Change{Path: []string{"patroni", "synchronous_mode"},
				Value: string(mode)}, ""
		}
	default:
		return change, "the specification has no field for it"
	}
	if value == nil {
		return change, "it was removed from the DCS, and " + strings.Join(field, ".") +
			" always has a value"
	}
	return change, fmt.Sprintf("%s cannot be %v", strings.Join(field, "."), value)
}

// synchronousOf is the mode that the two settings together mean; "" where the specification has
// none for it.
func synchronousOf(dynamic map[string]any) spec.SynchronousMode {
	switch [2]any{dynamic["synchronous_mode"], dynamic["synchronous_mode_strict"]} {
	case [2]any{false, false}:
		return spec.SynchronousOff
	case [2]any{true, false}:
		return spec.SynchronousOn
	case [2]any{true, true}:
		return spec.SynchronousStrict
	case [2]any{"quorum", false}:
		return spec.SynchronousQuorum
	}
	return ""
}

// parameterOffer accepts a parameter: null where it was removed, which keeps this program's own
// default away as well.
func parameterOffer(field []string, value any) (change spec.Change, reason string) {
	switch value.(type) {
	case nil, bool, int64, float64, string:
	default:
		return change, "it is not a single value"
	}
	name := field[len(field)-1]
	alone := spec.Spec{PostgreSQL: spec.PostgreSQL{Parameters: map[string]any{name: value}}}
	redacted := alone.Redacted().PostgreSQL.Parameters[name]
	if redacted != value || configtree.ConfigText(value) != fmt.Sprint(value) {
		return change, "it may hold a secret, and a specification holds none"
	}
	return spec.Change{Path: field, Value: value}, ""
}

// aloneInDCS offers the parameters that only the DCS has. Apply leaves them alone, so they are no
// drift, but a cluster made again would lack them.
func aloneInDCS(c *site.Site, dynamic map[string]any) ([]offer, []LeftChange, error) {
	po, err := c.PatroniOptions()
	if err != nil {
		return nil, nil, err
	}
	wanted, err := site.SpecConfig(po)
	if err != nil {
		return nil, nil, err
	}
	declared := configtree.Section(wanted, "postgresql", "parameters")
	var found []offer
	var left []LeftChange
	inDCS := configtree.Section(dynamic, "postgresql", "parameters")
	for _, name := range slices.Sorted(maps.Keys(inDCS)) {
		if inDCS[name] == nil || configtree.ValueOf(declared, name) != nil {
			continue
		}
		change, reason := parameterOffer(parameterField(c, strings.ToLower(name)), inDCS[name])
		if reason != "" {
			left = append(left, LeftChange{Kind: "setting", Name: configtree.Parameters + name,
				Reason: reason + "; apply leaves it alone"})
			continue
		}
		found = append(found, offer{Change: change,
			origin: provision.Origin{Owner: "patroni", From: change.Field()}})
	}
	return found, left, nil
}

// recoverable are lines of rendered files that hold one field's value, as it was on the host.
var recoverable = []struct {
	file  string
	line  *regexp.Regexp
	field []string // "*" is the host's index
}{
	{"/etc/haproxy/haproxy.cfg", regexp.MustCompile(`(?m)^-    maxconn (\d+)$`),
		[]string{"balancer", "max_connections"}},
	{"/etc/keepalived/keepalived.conf", regexp.MustCompile(`(?m)^-    priority (\d+)$`),
		[]string{"hosts", "*", "priority"}},
	{"/etc/keepalived/keepalived.conf", regexp.MustCompile(`(?m)^-    virtual_router_id (\d+)$`),
		[]string{"vip", "router_id"}},
}

// fileOffers takes single values out of a file that somebody edited. Whether the specification then
// makes that very file is found out by planning.
func fileOffers(c *site.Site, ch provision.PlannedChange) []offer {
	var found []offer
	for _, r := range recoverable {
		m := r.line.FindAllStringSubmatch(ch.Diff, -1)
		if ch.Name != r.file || len(m) != 1 || ch.Origin.Cause != provision.CauseDrift {
			continue
		}
		n, err := strconv.ParseInt(m[0][1], 10, 64)
		if err != nil {
			continue
		}
		field := slices.Clone(r.field)
		for i := range field {
			if field[i] == "*" {
				field[i] = strconv.Itoa(slices.IndexFunc(c.Spec.Hosts,
					func(h spec.Host) bool { return h.Name == ch.Host }))
			}
		}
		found = append(found, offer{spec.Change{Path: field, Value: n}, ch.Origin,
			[]provision.PlannedChange{ch}})
	}
	return found
}
