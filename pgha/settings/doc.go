// Package settings shows and changes the settings of Patroni and PostgreSQL, and compares the
// places that hold them: the specification, the DCS, the members' files and the running servers.
package settings
