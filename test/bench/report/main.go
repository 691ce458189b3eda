// Command report turns the output of test/bench/run into docs/performance.md. Whether a bar holds is computed, never written by hand.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// results are the benchmarks of one run, the best of several counts.
type results struct {
	machine, toolchain string
	names              []string // package and benchmark, in order
	best               map[string]map[string]float64
}

func main() {
	r, err := read(os.Stdin)
	if err == nil {
		err = write(os.Stdout, r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func read(from io.Reader) (*results, error) {
	r := &results{best: map[string]map[string]float64{}}
	var pkg string
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := lines.Text()
		if text, ok := strings.CutPrefix(line, "machine: "); ok {
			r.machine = text
		} else if text, ok := strings.CutPrefix(line, "go: "); ok {
			r.toolchain = text
		} else if text, ok := strings.CutPrefix(line, "pkg: github.com/podid/podid/"); ok {
			pkg = strings.TrimPrefix(text, "internal/")
		} else if strings.HasPrefix(line, "Benchmark") {
			r.add(pkg, strings.Fields(line))
		}
	}
	return r, lines.Err()
}

// add keeps the best of every unit, which is the least of all but rates: neighbours on the machine only ever make a benchmark slower.
func (r *results) add(pkg string, fields []string) {
	if len(fields) < 4 {
		return
	}
	name := strings.TrimPrefix(fields[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		name = name[:i]
	}
	if pkg != "test/bench" {
		name = pkg + " " + name
	}
	units := r.best[name]
	if units == nil {
		units = map[string]float64{}
		r.best[name] = units
		r.names = append(r.names, name)
	}
	for i := 2; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		old, ok := units[fields[i+1]]
		better := v < old
		if strings.HasSuffix(fields[i+1], "/s") {
			better = v > old
		}
		if err == nil && (!ok || better) {
			units[fields[i+1]] = v
		}
	}
}

func (r *results) ns(name string) float64     { return r.best[name]["ns/op"] }
func (r *results) ratio(a, b string) float64  { return r.ns(a) / r.ns(b) }
func (r *results) worst(group string) float64 { return slices.Max(r.group(group)) }

func (r *results) group(prefix string) []float64 {
	out := []float64{0}
	for _, name := range r.names {
		if strings.HasPrefix(name, prefix) {
			out = append(out, r.ns(name))
		}
	}
	return out
}

// bar is one promise of the engine and what was measured.
type bar struct {
	what, want, got string
	holds           bool
}

func (r *results) bars() []bar {
	minio, cedar := r.ratio("Ten/minio", "Ten/podid"), r.ratio("Ten/cedar", "Ten/podid")
	built, allocs := r.ratio("Ten/cedar-built-per-call", "Ten/podid"), r.best["Ten/podid"]["allocs/op"]
	growth := func(shape string) float64 { return r.ratio("Statements/"+shape+"/1000", "Statements/"+shape+"/10") }
	full, half := r.best["api/eksauthapi HTTP/full"]["req/s"], r.best["api/eksauthapi HTTP/half"]["p99-ms"]
	admission := r.best["kube/admission Admission"]["p99-µs"] * 1e3
	times := func(f float64) string { return fmt.Sprintf("%.1fx", f) }
	out := []bar{
		{"faster than minio/pkg, ten statements", "at least 5x", times(minio), minio >= 5},
		{"faster than cedar-go, request and entities prebuilt", "at least 5x", times(cedar), cedar >= 5},
		{"faster than cedar-go, built for each call", "at least 5x", times(built), built >= 5},
		{"ten statements", "under 500 ns", duration(r.ns("Ten/podid")), r.ns("Ten/podid") < 500},
		{"allocations of a decision", "0", fmt.Sprint(allocs), allocs == 0},
		{"seven documents, allowed or refused", "under 2 us", duration(r.worst("Stack/")), r.worst("Stack/") < 2000},
	}
	for _, shape := range []string{
		"buckets/one-document", "buckets/documents-of-fifty", "buckets/documents-of-ten",
		"wildcards/one-document", "wildcards/documents-of-fifty", "wildcards/documents-of-ten",
	} {
		out = append(out, bar{"1,000 statements against 10: " + shape, "under 5x", times(growth(shape)), growth(shape) < 5})
	}
	return append(
		out,
		bar{"explain, seven documents", "under 20 us", duration(r.worst("Explain/")), r.worst("Explain/") < 20e3},
		bar{"compile the ten statements", "under 50 us", duration(r.ns("Compile/podid")), r.ns("Compile/podid") < 50e3},
		bar{"the worst hostile policy", "under 1 ms", duration(r.worst("Hostile/")), r.worst("Hostile/") < 1e6},
		bar{"AssumeRoleForPodIdentity over HTTP, fresh RS256 tokens, client included", "5,000 a second", fmt.Sprintf("%.0f", full), full >= 5000},
		bar{"99 of 100 of them at half that rate", "under 10 ms", duration(half * 1e6), half < 10},
		bar{"99 of 100 admissions of a pod, 5,000 associations, client and TLS included", "under 5 ms", duration(admission), admission < 5e6},
	)
}

func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.1f us", ns/1e3)
	case ns < 1e9:
		return fmt.Sprintf("%.1f ms", ns/1e6)
	}
	return fmt.Sprintf("%.1f s", ns/1e9)
}
