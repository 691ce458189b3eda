//go:build unix && !linux

package objectstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFilesystem makes everything durable that was written to the file system of dir, with the means of systems that have no syncfs(2).
func syncFilesystem(dir *os.File) error {
	if err := unix.Sync(); err != nil {
		return err
	}
	return dir.Sync()
}
