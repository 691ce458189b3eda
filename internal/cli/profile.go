package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Profile is a section of an AWS shared config file: everything that an AWS client needs to speak to this control plane.
type Profile struct {
	Name            string // podid
	Region          string
	Endpoint        string
	AccessKeyID     string
	SecretAccessKey string
	CABundle        string // "" where the endpoint's certificate needs none of ours
}

// profileMark begins the comment that says whose section it is, so that podid replaces its own sections and no others.
const profileMark = "# written by podid for "

// section is the profile's text. S3 requests are addressed by path: a bucket's own host name would have to resolve.
func (p Profile) section(owner string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[profile %s]\n%s%s\n", p.Name, profileMark, owner)
	fmt.Fprintf(&b, "region = %s\nendpoint_url = %s\n", p.Region, p.Endpoint)
	fmt.Fprintf(&b, "aws_access_key_id = %s\naws_secret_access_key = %s\n", p.AccessKeyID, p.SecretAccessKey)
	if p.CABundle != "" {
		fmt.Fprintf(&b, "ca_bundle = %s\n", p.CABundle)
	}
	b.WriteString("s3 =\n  addressing_style = path\n")
	return b.String()
}

var errForeignProfile = errors.New("the profile was not written by podid for this data folder")

// writeProfiles puts profiles into an AWS shared config file, which ends with mode 0600. Sections that podid wrote for the
// same owner (a data folder) are replaced; any other text is kept as it is. A section of the same name with another
// origin is errForeignProfile and nothing is written.
func writeProfiles(file, owner string, profiles []Profile) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the AWS config: %w", err)
	}
	text := string(old)
	for _, p := range profiles {
		if text, err = replaceSection(text, p, owner); err != nil {
			return fmt.Errorf("profile %q in %s: %w", p.Name, file, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make the folder of the AWS config: %w", err)
	}
	return writePrivate(file, []byte(text))
}

func replaceSection(text string, p Profile, owner string) (string, error) {
	header := "[profile " + p.Name + "]"
	var out strings.Builder
	replaced := false
	for _, s := range sections(text) {
		first, rest, _ := strings.Cut(s, "\n")
		if strings.TrimSpace(first) != header {
			out.WriteString(s)
			continue
		}
		if !strings.HasPrefix(rest, profileMark+owner+"\n") {
			return "", errForeignProfile
		}
		out.WriteString(p.section(owner))
		replaced = true
	}
	if !replaced {
		if out.Len() > 0 && !strings.HasSuffix(out.String(), "\n\n") {
			out.WriteString("\n")
		}
		out.WriteString(p.section(owner))
	}
	return out.String(), nil
}

// sections cuts a file before each line that begins with "[".
func sections(text string) []string {
	var list []string
	var current strings.Builder
	for line := range strings.SplitAfterSeq(text, "\n") {
		if strings.HasPrefix(line, "[") && current.Len() > 0 {
			list = append(list, current.String())
			current.Reset()
		}
		current.WriteString(line)
	}
	if current.Len() > 0 {
		list = append(list, current.String())
	}
	return list
}

// writePrivate replaces a file atomically; the new one has mode 0600 whatever the old one had. A symbolic link is followed,
// because people keep their configuration elsewhere.
func writePrivate(file string, content []byte) error {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, content) {
		return os.Chmod(file, 0o600)
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
	return os.Rename(tmp.Name(), file)
}
