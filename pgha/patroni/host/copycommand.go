package host

import (
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// copyMethod is what Patroni calls copies that a command makes.
const copyMethod = "pgha_backup"

// WithCopyCommand returns a config.yml by which Patroni makes the data of a replica with a command,
// quoted as for a shell, and with pg_basebackup where that fails. Patroni reads it at a reload, and
// runs the command as PostgreSQL's system user with an empty data directory. A config.yml that has
// a command already gets the other, or none for "". Errors say what is wrong in the file. Pure
// computation.
func WithCopyCommand(config []byte, command string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(config, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigPath, err)
	}
	var section *yaml.Node
	if len(doc.Content) > 0 {
		section = lookup(doc.Content[0], "postgresql")
	}
	if section == nil {
		return nil, errors.New(ConfigPath + " has no section postgresql")
	}
	const methods = "create_replica_methods"
	if command == "" {
		if lookup(section, copyMethod) == nil {
			return config, nil
		}
		remove(section, methods)
		remove(section, copyMethod)
		return text("", &doc)
	}
	var more yaml.Node
	if err := more.Encode(map[string]any{
		methods:    []string{copyMethod, "basebackup"},
		copyMethod: map[string]any{"command": command, "no_params": true},
	}); err != nil {
		return nil, err
	}
	merge(section, &more)
	return text("", &doc)
}

// remove takes a key out of a mapping.
func remove(mapping *yaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
}
