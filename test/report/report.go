package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// report collects the events of all packages. A test that has sub-tests is not counted itself, unless it failed and none of
// them did: its sub-tests are what was tried.
type report struct {
	out            io.Writer
	running        map[string]*results // by package
	builds         map[string]string   // what the compiler said, by import path
	passed, failed int
	skips          []string // "NAME: SENTENCE"
}

// results is what one package has said so far.
type results struct {
	output  map[string]string // by test; "" is the package itself
	actions map[string]string // pass, fail or skip, by test
}

func newReport(out io.Writer) *report {
	return &report{out: out, running: map[string]*results{}, builds: map[string]string{}}
}

// read takes events until the input ends. Lines that are no events are passed on: they are the go command's own complaints.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
				r.take(e)
			} else {
				fmt.Fprint(r.out, line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	if e.Package == "" { // of a build, which is told again by the packages that fail for it
		r.builds[e.ImportPath] += e.Output
		return
	}
	p := r.running[e.Package]
	if p == nil {
		p = &results{output: map[string]string{}, actions: map[string]string{}}
		r.running[e.Package] = p
	}
	switch e.Action {
	case "output":
		p.output[e.Test] += e.Output
	case "pass", "fail", "skip":
		p.actions[e.Test] = e.Action
		if e.Test == "" {
			r.finish(e, p)
			delete(r.running, e.Package)
		}
	}
}

// finish counts a package's tests and prints its line and its failures.
func (r *report) finish(e event, p *results) {
	names := slices.Sorted(maps.Keys(p.output))
	var failures []string
	var passed, skipped int
	for _, name := range names {
		if name == "" {
			continue
		}
		below := func(action string) bool {
			for other, a := range p.actions {
				if strings.HasPrefix(other, name+"/") && (action == "" || a == action) {
					return true
				}
			}
			return false
		}
		switch action := p.actions[name]; {
		case action == "skip":
			skipped++
			r.skips = append(r.skips, name+": "+sentence(p.output[name]))
		case action == "pass" && !below(""):
			passed++
		case action == "fail" && !below("fail"), action == "" && e.Action == "fail" && !below(""): // without an action: cut off by a panic or the timeout
			failures = append(failures, name)
		}
	}
	r.passed += passed
	r.failed += len(failures)
	switch {
	case e.Action == "fail":
		fmt.Fprintf(r.out, "FAIL  %s\n", e.Package)
		for _, name := range names {
			if name != "" && p.actions[name] != "pass" && p.actions[name] != "skip" {
				indent(r.out, p.output[name])
			}
		}
		if len(failures) == 0 { // it did not build, or ended outside any test
			r.failed++
		}
		indent(r.out, r.builds[e.FailedBuild]+p.output[""])
	case passed+skipped > 0:
		fmt.Fprintf(r.out, "ok    %s  %d tests, %.1f s\n", e.Package, passed, e.Elapsed)
	}
}

// close prints what was skipped and the count. It reports whether all is well.
func (r *report) close(noSkip bool) bool {
	for name, p := range r.running { // the go command was killed
		r.finish(event{Action: "fail", Package: name}, p)
	}
	slices.Sort(r.skips)
	for _, skip := range r.skips {
		fmt.Fprintf(r.out, "skipped: %s\n", skip)
	}
	if noSkip && len(r.skips) > 0 {
		fmt.Fprintln(r.out, "a skip is a failure here (PODID_NO_SKIP)")
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skips))
	return r.failed == 0 && r.passed > 0 && (!noSkip || len(r.skips) == 0)
}

var position = regexp.MustCompile(`^\S+\.go:\d+: `)

// sentence is what a skipped test said, without the lines and places that the testing package adds.
func sentence(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, position.ReplaceAllString(line, ""))
		}
	}
	if len(said) == 0 {
		return "no reason given; a skip tells how to get what is missing"
	}
	return strings.Join(said, " ")
}

// indent prints text four columns to the right, without the lines that only say that a test began or went on.
func indent(out io.Writer, text string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprintf(out, "    %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
}
