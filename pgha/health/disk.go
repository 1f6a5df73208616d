package health

// FullAt is the percentage of use from which a disk is full: PostgreSQL and etcd stop when they
// cannot write.
const FullAt = 98

// Full tells whether of so many bytes or inodes so few are left that a disk is full. Nothing is
// full where nothing is counted.
func Full(total, free int64) bool { return Used(total, free) >= FullAt }

// Used is the percentage that is not free.
func Used(total, free int64) int64 {
	if total <= 0 {
		return 0
	}
	return (total - free) * 100 / total
}
