package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A podClient is a program below pods/ and how it is run.
type podClient struct {
	name    string                   // as in the table
	version [2]string                // a file of this repository, and a pattern that finds the version in it
	command func() ([]string, error) // the error says how to get what is missing

	// shows is what the client says when the agent refuses, where it keeps the agent's text to itself.
	shows string
}

var requirements = "../../.ci/requirements.txt"

var podClients = []*podClient{
	{"AWS CLI", [2]string{requirements, `(?m)^awscli==(\S+)`}, func() ([]string, error) {
		_, err := pythonClients()
		return []string{absolute("pods/cli/pod")}, err
	}, ""},
	{"boto3", [2]string{requirements, `(?m)^boto3==(\S+)`}, func() ([]string, error) {
		interpreter, err := pythonClients()
		return []string{interpreter, absolute("pods/python/pod.py")}, err
	}, ""},
	{"AWS SDK for Go v2", [2]string{"../../go.mod", `aws-sdk-go-v2 v(\S+)`}, func() ([]string, error) {
		program, err := goProgram()
		return []string{program}, err
	}, ""},
	{"AWS SDK for JavaScript v3", [2]string{"pods/javascript/package-lock.json", `"@aws-sdk/client-sts": "([^"]+)"`}, func() ([]string, error) {
		dir, err := built("javascript", "node")
		return []string{"node", filepath.Join(dir, "pod.js")}, err
	}, "Could not load credentials from any providers"},
	{"AWS SDK for Java v2", [2]string{"pods/java/pom.xml", `<artifactId>bom</artifactId>\s*<version>([^<]+)`}, func() ([]string, error) {
		dir, err := built("java", "java")
		return []string{"java", "-cp", filepath.Join(dir, "target", "classes") + ":" + filepath.Join(dir, "target", "lib", "*"), "Pod"}, err
	}, "The requested metadata is not found"},
	{"AWS SDK for Rust", [2]string{"pods/rust/Cargo.lock", `name = "aws-config"\s*version = "([^"]+)`}, func() ([]string, error) {
		dir, err := built("rust")
		return []string{filepath.Join(dir, "pod")}, err
	}, "Non-success status from HTTP credential provider: StatusCode(404)"},
}

// versionOf reads a version from the file that pins it, so that it is the same wherever the table is made.
func versionOf(place [2]string) (string, error) {
	text, err := os.ReadFile(place[0])
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(place[1]).FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s holds no %s", place[0], place[1])
	}
	return string(m[1]), nil
}

// goProgram builds the pod's program in Go.
var goProgram = sync.OnceValues(func() (string, error) {
	p, err := podWorld()
	if err != nil {
		return "", err
	}
	program := filepath.Join(p.dir, "pod")
	c := exec.Command("go", "build", "-o", program, "./pods/go")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// notBuiltError says that install has not made a program on this machine.
type notBuiltError string

func (n notBuiltError) Error() string {
	return fmt.Sprintf("the pod's program in %s is not built: run test/conformance/install, which says what it needs", string(n))
}

// built is the folder that install has built a program in: one for each state of its sources.
func built(name string, tools ...string) (string, error) {
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return "", notBuiltError(name)
		}
	}
	sum, err := sumOf(filepath.Join("pods", name))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache(), "conformance", name+"-"+sum)
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		return "", notBuiltError(name)
	}
	return dir, nil
}

// sumOf is what install computes of a folder: the sum of the lines of sha256sum, in the order of sort.
func sumOf(dir string) (string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, "./"+filepath.ToSlash(strings.TrimPrefix(path, dir+"/")))
		}
		return err
	})
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	all := sha256.New()
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%x  %s\n", sha256.Sum256(text), f)
	}
	return hex.EncodeToString(all.Sum(nil))[:12], nil
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}
