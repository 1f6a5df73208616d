package settings

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// ParseSettings reads assignments as people type them: "ttl=20", "work_mem=8MB", "slots={a: {type:
// physical}}". Nothing after the = removes the setting, as null does; quotes make text of anything,
// also of nothing. The error matches patroni.ErrInvalid.
func ParseSettings(assignments []string) (map[string]any, error) {
	settings := map[string]any{}
	for _, text := range assignments {
		key, value, ok := strings.Cut(text, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, remote.WithHint(fmt.Errorf("%w: %q is no KEY=VALUE",
				patroni.ErrInvalid, text),
				"for example: ttl=20 work_mem=8MB")
		}
		if _, twice := settings[key]; twice {
			return nil, remote.WithHint(fmt.Errorf("%w: %s is given twice", patroni.ErrInvalid,
				key), "give it once")
		}
		parsed, err := parseValue(strings.TrimSpace(value))
		if err != nil {
			return nil, remote.WithHint(fmt.Errorf("%w: %s: %w", patroni.ErrInvalid, key, err),
				"lists and mappings are written as YAML does in one line")
		}
		settings[key] = parsed
	}
	return settings, nil
}

// parseValue leaves everything as text that does not look exactly like something else: 0755 and 1e3
// stay what was typed.
func parseValue(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return n, nil
	}
	switch {
	case text == "", text == "null", text == "~":
		return nil, nil
	case text == "true", text == "false":
		return text == "true", nil
	case strings.ContainsAny(text[:1], `"'[{`):
		var value any
		err := yaml.Unmarshal([]byte(text), &value)
		return value, err
	}
	return text, nil
}
