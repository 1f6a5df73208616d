package site

import (
	"testing"
)

func TestRepositorySources(t *testing.T) {
	t.Parallel()
	const head = "# Written by pgha from postgresql.repository of the specification; changes are " +
		"overwritten.\nTypes: deb\n"
	for _, tt := range []struct {
		name string
		repo Repository
		want string
	}{
		{"PostgreSQL's own on Debian 12", Repository{Codename: "bookworm"}, head +
			"URIs: https://apt.postgresql.org/pub/repos/apt\nSuites: bookworm-pgdg\nComponents: " +
			"main\nSigned-By: /usr/share/postgresql-common/pgdg/apt.postgresql.org.asc\n"},
		{"PostgreSQL's own on Ubuntu 24.04", Repository{Codename: "noble"}, head +
			"URIs: https://apt.postgresql.org/pub/repos/apt\nSuites: noble-pgdg\nComponents: " +
			"main\nSigned-By: /usr/share/postgresql-common/pgdg/apt.postgresql.org.asc\n"},
		{"a mirror", Repository{
			Codename: "trixie", URL: "https://mirror.example/pg", Suite: "stable",
			Components: []string{"main", "18"}, Key: []byte("key"),
		}, head +
			"URIs: https://mirror.example/pg\nSuites: stable\nComponents: main 18\nSigned-By: " +
			"/etc/apt/keyrings/pgha-repository.asc\n"},
	} {
		if got := string(tt.repo.sources()); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}
