package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/podid/podid/internal/secretfile"
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

// section is the profile's text. S3 requests are addressed by path: a bucket's own host name would have to resolve. And their version
// of the signature is told, as boto3 and the first AWS CLI sign URLs with an older one where it is not.
func (p Profile) section(owner string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[profile %s]\n%s%s\n", p.Name, profileMark, owner)
	fmt.Fprintf(&b, "region = %s\nendpoint_url = %s\n", p.Region, p.Endpoint)
	fmt.Fprintf(&b, "aws_access_key_id = %s\naws_secret_access_key = %s\n", p.AccessKeyID, p.SecretAccessKey)
	if p.CABundle != "" {
		fmt.Fprintf(&b, "ca_bundle = %s\n", p.CABundle)
	}
	b.WriteString("s3 =\n  addressing_style = path\n  signature_version = s3v4\n")
	return b.String()
}

var errForeignProfile = errors.New("this profile was not written by podid for this data folder and is left alone; rename it, or choose another file with --aws-config")

// writeProfiles puts profiles into an AWS shared config file, which ends with mode 0600. Sections that podid wrote for the
// same owner (a data folder) are replaced; any other text is kept as it is. A section of the same name with another
// origin is errForeignProfile and nothing is written.
func writeProfiles(file, owner string, profiles []Profile) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make the folder of the AWS config: %w", err)
	}
	unlock, err := lockFolder(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("lock the folder of the AWS config: %w", err)
	}
	defer unlock()
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
	return secretfile.Write(file, []byte(text))
}

// lockFolder makes two processes that change a file of the folder do so one after the other, without a lock file to leave
// behind. The lock goes with the process.
func lockFolder(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return func() { _ = d.Close() }, nil // nothing was written
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
