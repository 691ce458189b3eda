// Package secretfile keeps files that only their owner may read: keys, tokens, profiles.
//
// A file is replaced whole or not at all: a reader, and a start after a crash, finds the old content or the new one. It ends
// with mode 0600 whatever it had before.
package secretfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
)

const mode = 0o600

// Write replaces a file. A symbolic link is followed, also to a file that is not there yet, because people keep their
// configuration elsewhere. The folder must exist.
func Write(file string, content []byte) error {
	file, err := target(file)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, content) {
		return os.Chmod(file, mode)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".podid-*") // CreateTemp makes it 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already when all went well
	if _, err := tmp.Write(content); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(file))
}

// maxLinks is the number of symbolic links that lead nowhere before they are taken for a circle.
const maxLinks = 16

// target follows symbolic links.
func target(file string) (string, error) {
	for range maxLinks {
		link, err := os.Readlink(file)
		if err != nil {
			return file, nil //nolint:nilerr // not a link, or not there: this is the place to write
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(file), link)
		}
		file = link
	}
	return "", &os.PathError{Op: "follow", Path: file, Err: errors.New("too many symbolic links")}
}

// syncFolder makes a rename last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
