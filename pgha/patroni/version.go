package patroni

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/pgha/toolkit/pgha/remote"
)

// MinimumVersion is the oldest Patroni that works: 4.0 knows quorum commit, keeps the slots of
// absent members and can validate the configuration of a member that runs.
const MinimumVersion = "4.0"

var versionPattern = regexp.MustCompile(`^(?:patroni )?(?:\d+:)?(\d+)\.(\d+)`)

// CheckVersion refuses a Patroni older than MinimumVersion with an error that matches ErrVersion.
// It takes what `patroni --version` prints, what the REST API says, or the version of a Debian
// package. Pure computation.
func CheckVersion(output string) error {
	match := versionPattern.FindStringSubmatch(output)
	if match == nil {
		return fmt.Errorf("%w: %.40q is no version", ErrVersion, output)
	}
	major, err := strconv.Atoi(match[1])
	if err != nil {
		return fmt.Errorf("%w: %.40q is no version", ErrVersion, output)
	}
	if major < 4 {
		return remote.WithHint(
			fmt.Errorf("%w: %s.%s is older than %s, which is needed for quorum commit, for "+
				"keeping slots of absent members and for validating a running member's "+
				"configuration",
				ErrVersion, match[1], match[2], MinimumVersion),
			"install Patroni from PostgreSQL's own apt repository")
	}
	return nil
}
