package objectstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFilesystem makes everything durable that was written to the file system of dir. It reports write errors of any file on it, once.
func syncFilesystem(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }
