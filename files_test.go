package podid_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maxLines is where we look for the second idea in a file.
const maxLines = 500

func TestEveryPackageHasOneComment(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		var commented []string
		for _, name := range p.GoFiles {
			if f, _ := parse(t, filepath.Join(p.Dir, name), parser.PackageClauseOnly); f.Doc != nil {
				commented = append(commented, name)
			}
		}
		if len(p.GoFiles) > 0 && len(commented) != 1 {
			t.Errorf("%s has %d package comments %v, want 1: it says what the package owns and promises", p.ImportPath, len(commented), commented)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, name := range append(p.GoFiles, p.IgnoredGoFiles...) {
			f, text := parse(t, filepath.Join(p.Dir, name), parser.PackageClauseOnly)
			if lines := bytes.Count(text, []byte("\n")); lines > maxLines && !ast.IsGenerated(f) {
				t.Errorf("%s/%s has %d lines, more than %d: look for the second idea in it", p.name(), name, lines, maxLines)
			}
		}
	}
}

var (
	reference = regexp.MustCompile(`\bspec: .*`)
	document  = regexp.MustCompile(`^spec: [A-Za-z0-9-]+\.md\b`)
	section   = regexp.MustCompile(`^spec: ([A-Za-z0-9-]+\.md) (\d+(\.\d+)*)\b`)
	heading   = regexp.MustCompile(`(?m)^#+ (\d+(?:\.\d+)*)[. ]`)
)

// specification reads the section numbers of the documents in docs/spec.
func specification(t *testing.T) map[string]map[string]bool {
	t.Helper()
	files, err := filepath.Glob("docs/spec/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("docs/spec holds no documents: %v", err)
	}
	sections := make(map[string]map[string]bool, len(files))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		numbers := map[string]bool{}
		for _, m := range heading.FindAllSubmatch(text, -1) {
			numbers[string(m[1])] = true
		}
		sections[filepath.Base(name)] = numbers
	}
	return sections
}

// A decision that follows the outside world names the document and the section it follows, and there is such a section:
// `// spec: pod-identity.md 2.3`. A package may follow a whole document.
func TestSpecReferencesNameDocumentAndSection(t *testing.T) {
	t.Parallel()
	sections := specification(t)
	for _, p := range packages(t) {
		for _, names := range [][]string{p.GoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles} {
			for _, name := range names {
				if p.ImportPath == module && name == "files_test.go" {
					continue
				}
				f, text := parse(t, filepath.Join(p.Dir, name), parser.SkipObjectResolution)
				if !bytes.Contains(text, []byte("spec: ")) {
					continue
				}
				for _, group := range f.Comments {
					wellMade := section
					if group == f.Doc {
						wellMade = document
					}
					for _, comment := range group.List {
						for _, found := range reference.FindAllString(comment.Text, -1) {
							if !wellMade.MatchString(found) {
								t.Errorf("%s/%s: %q, want `spec: FILE.md SECTION`", p.name(), name, found)
							}
							if m := section.FindStringSubmatch(found); m != nil && !sections[m[1]][m[2]] {
								t.Errorf("%s/%s: %q: docs/spec/%s has no section %s", p.name(), name, found, m[1], m[2])
							}
						}
					}
				}
			}
		}
	}
}

func TestModulesReplaceNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"go.mod", "tools/go.mod"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(strings.TrimSpace(line), "replace") {
				t.Errorf("%s: %q: `go install` refuses a module with replacements, and they hide a fork", name, line)
			}
		}
	}
}

var ownPath = regexp.MustCompile(`(^|[^\w./-])/(work|root|tmp/bash\w*)/`)

func TestNoFileNamesOneMachinesPaths(t *testing.T) {
	t.Parallel()
	list, err := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("the list of tracked files needs git and a clone: run this in a clone of the repository")
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			continue // removed but not yet committed, a link to a folder, or not text
		}
		for i, line := range strings.Split(string(text), "\n") {
			if ownPath.MatchString(line) {
				t.Errorf("%s:%d: a path of somebody's machine: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// parse reads a Go file with its comments, and its text.
func parse(t *testing.T, path string, mode parser.Mode) (*ast.File, []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, text, mode|parser.ParseComments)
	if f == nil || f.Name == nil {
		t.Fatal(err)
	}
	return f, text
}
