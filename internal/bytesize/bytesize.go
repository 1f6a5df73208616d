// Package bytesize renders numbers of bytes for people.
package bytesize

import (
	"fmt"
	"strings"
)

// Text is the size in the largest unit (B, KiB, MiB, ...) of which there is one at least, with a
// decimal where that says more: 512 B, 6.5 GiB, 8 GiB.
func Text(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefixes := float64(n)/unit, "KMGTPE"
	for value >= unit && len(prefixes) > 1 {
		value, prefixes = value/unit, prefixes[1:]
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + prefixes[:1] + "iB"
}
