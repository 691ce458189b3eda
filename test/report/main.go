// Command report reads `go test -json` on standard input and tells a person what happened: a line a package, every failure
// in full, everything that was skipped with the sentence that says how to get it, and the count as the last line.
//
//	go test -json ./... | go run ./test/report
//
// It ends with status 1 when a test failed, when nothing ran at all, or, with -no-skip, when anything was skipped.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	noSkip := flag.Bool("no-skip", false, "a skip is a failure")
	r := newReport(os.Stdout)
	flag.Func("skipped", "`NAME: SENTENCE` of something that was left out before the tests began (may be repeated)", func(text string) error {
		r.skips = append(r.skips, text)
		return nil
	})
	flag.Parse()
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintf(os.Stderr, "report: %v\n", err)
		os.Exit(1)
	}
	if !r.close(*noSkip) {
		os.Exit(1)
	}
}
