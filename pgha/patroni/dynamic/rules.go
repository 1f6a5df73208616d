package dynamic

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// rule checks the value of one key and returns what is wrong and the remedy, or "".
type rule func(value any) (problem, remedy string)

// integer reads a whole number, which may be written as text.
func integer(value any) (int64, bool) {
	switch v := value.(type) {
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return n, err == nil
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}

func whole(least int64) rule {
	return func(value any) (string, string) {
		remedy := fmt.Sprintf("write a whole number, %d or more", least)
		n, ok := integer(value)
		switch {
		case !ok:
			return fmt.Sprintf("%v is not a whole number", value), remedy
		case n < least:
			return fmt.Sprintf("%d is too small", n), remedy
		}
		return "", ""
	}
}

// duration is a number of seconds, or text with a unit.
func duration(value any) (string, string) {
	text := strings.TrimSpace(fmt.Sprint(value))
	for _, unit := range []string{"ms", "min", "s", "h", "d", ""} {
		if number, found := strings.CutSuffix(text, unit); found {
			if n, err := strconv.ParseFloat(strings.TrimSpace(number), 64); err == nil && n >= 0 {
				return "", ""
			}
		}
	}
	return fmt.Sprintf("%v is no length of time", value),
		"write seconds, or a number with a unit: 30min"
}

func boolean(value any) (string, string) {
	switch strings.ToLower(fmt.Sprint(value)) {
	case "on", "off", "true", "false", "yes", "no", "1", "0":
		return "", ""
	}
	return fmt.Sprintf("%v is neither true nor false", value), "write true or false"
}

func synchronousWord(value any) (string, string) {
	if problem, _ := boolean(value); problem == "" ||
		strings.EqualFold(fmt.Sprint(value), "quorum") {
		return "", ""
	}
	return fmt.Sprintf("Patroni knows no mode %v", value),
		"write true, false or quorum; strict is synchronous_mode_strict: true"
}

func mapping(value any) (string, string) {
	if _, ok := value.(map[string]any); !ok {
		return fmt.Sprintf("%v is not a section", value), "write keys with values under it"
	}
	return "", ""
}

func list(value any) (string, string) {
	if _, ok := value.([]any); !ok {
		return fmt.Sprintf("%v is not a list", value), "write a list"
	}
	return "", ""
}

func scalar(value any) (string, string) {
	switch value.(type) {
	case map[string]any, []any:
		return "is no single value", "write text, a number, true or false"
	}
	return "", ""
}
