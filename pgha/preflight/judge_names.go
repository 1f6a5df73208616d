package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// judgeLocales reports locales that the host has not generated: initdb and PostgreSQL refuse them.
func (j *judge) judgeLocales() {
	if len(j.Host.Locales) == 0 {
		return // locale did not answer
	}
	for _, l := range j.Want.Locales {
		if slices.ContainsFunc(j.Host.Locales, func(have string) bool {
			return plain(have) == plain(l.Value)
		}) {
			continue
		}
		name, charset, _ := strings.Cut(l.Value, ".")
		charset, modifier, _ := strings.Cut(charset, "@")
		if modifier != "" {
			name += "@" + modifier
		}
		if charset == "" {
			charset = "ISO-8859-1"
		}
		j.stopAt(l.Field, fmt.Sprintf("it has no locale %s (%s)", l.Value, l.Field),
			fmt.Sprintf("make it there: apt-get install -y locales && localedef -i %s -f %s %s; "+
				"or set %s to C.UTF-8",
				name, charset, l.Value, l.Field))
	}
}

// plain writes the name of a locale as locale -a does: C.UTF-8 and C.utf8 are the same.
func plain(locale string) string {
	name, charset, found := strings.Cut(locale, ".")
	if !found {
		return name
	}
	charset, modifier, _ := strings.Cut(charset, "@")
	charset = strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(charset))
	if modifier != "" {
		modifier = "@" + modifier
	}
	return name + "." + charset + modifier
}

// judgeZones reports time zones that the host has no data of.
func (j *judge) judgeZones() {
	for _, z := range j.Want.Zones {
		if j.Host.Zones[z.Value] == "no" {
			j.stopAt(z.Field, fmt.Sprintf("it knows no time zone %s (%s)", z.Value, z.Field),
				fmt.Sprintf(
					"set %s to one that `timedatectl list-timezones` shows there; names of old "+
						"are in the package tzdata-legacy", z.Field))
		}
	}
}
