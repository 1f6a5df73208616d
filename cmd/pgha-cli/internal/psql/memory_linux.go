package psql

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// InMemory returns a file with this content that lies on no disk, is for this user alone and ends
// with this process.
func InMemory(content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("pgpass", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "pgpass")
	if err = f.Chmod(0o600); err == nil { // libpq ignores a password file that others may read
		_, err = f.Write(content)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write a file in memory: %w", err)
	}
	return f, nil
}

// PathOf is the path by which programs that this process starts open a file of InMemory.
func PathOf(f *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()) }
