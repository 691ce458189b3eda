package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		events string
		noSkip bool
		before []string // skipped before the tests began
		want   string
		well   bool
	}{
		{
			name: "sub-tests are counted, not their parent",
			events: `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestA"}
{"Action":"output","Package":"m/a","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"m/a","Test":"TestA/x","Output":"=== RUN   TestA/x\n"}
{"Action":"output","Package":"m/a","Test":"TestA/y","Output":"=== RUN   TestA/y\n"}
{"Action":"pass","Package":"m/a","Test":"TestA/x"}
{"Action":"pass","Package":"m/a","Test":"TestA/y"}
{"Action":"pass","Package":"m/a","Test":"TestA"}
{"Action":"pass","Package":"m/a","Elapsed":0.25}
`,
			want: "ok    m/a  2 tests, 0.2 s\n2 passed, 0 failed, 0 skipped\n",
			well: true,
		},
		{
			name: "a failure is shown in full and counted where it is",
			events: `{"Action":"output","Package":"m/a","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"m/a","Test":"TestA/x","Output":"=== RUN   TestA/x\n"}
{"Action":"output","Package":"m/a","Test":"TestA/x","Output":"    a_test.go:3: got 1, want 2\n"}
{"Action":"output","Package":"m/a","Test":"TestB","Output":"    b_test.go:3: chatter of a test that passes\n"}
{"Action":"fail","Package":"m/a","Test":"TestA/x"}
{"Action":"fail","Package":"m/a","Test":"TestA"}
{"Action":"pass","Package":"m/a","Test":"TestB"}
{"Action":"output","Package":"m/a","Output":"FAIL\n"}
{"Action":"fail","Package":"m/a"}
`,
			want: "FAIL  m/a\n        a_test.go:3: got 1, want 2\n    FAIL\n1 passed, 1 failed, 0 skipped\n",
		},
		{
			name: "a skip carries its sentence",
			events: `{"Action":"output","Package":"m/a","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"m/a","Test":"TestA","Output":"    a_test.go:9: boto3 is not installed: pip install boto3\n"}
{"Action":"output","Package":"m/a","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestA"}
{"Action":"output","Package":"m/a","Test":"TestB","Output":"--- PASS: TestB (0.00s)\n"}
{"Action":"pass","Package":"m/a","Test":"TestB"}
{"Action":"pass","Package":"m/a","Elapsed":1}
`,
			before: []string{"race detector: install gcc"},
			want:   "ok    m/a  1 tests, 1.0 s\nskipped: TestA: boto3 is not installed: pip install boto3\nskipped: race detector: install gcc\n1 passed, 0 failed, 2 skipped\n",
			well:   true,
		},
		{
			name: "where nothing may be skipped a skip is a failure",
			events: `{"Action":"output","Package":"m/a","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestA"}
{"Action":"output","Package":"m/a","Test":"TestB","Output":"--- PASS: TestB (0.00s)\n"}
{"Action":"pass","Package":"m/a","Test":"TestB"}
{"Action":"pass","Package":"m/a"}
`,
			noSkip: true,
			want: "ok    m/a  1 tests, 0.0 s\nskipped: TestA: no reason given; a skip tells how to get what is missing\n" +
				"a skip is a failure here (PODID_NO_SKIP)\n1 passed, 0 failed, 1 skipped\n",
		},
		{
			name: "a package without tests is no skip",
			events: `{"Action":"output","Package":"m/b","Output":"?   \tm/b\t[no test files]\n"}
{"Action":"skip","Package":"m/b"}
{"Action":"output","Package":"m/a","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"m/a","Test":"TestA"}
{"Action":"pass","Package":"m/a"}
`,
			noSkip: true,
			want:   "ok    m/a  1 tests, 0.0 s\n1 passed, 0 failed, 0 skipped\n",
			well:   true,
		},
		{
			name: "a package that does not build is one failure",
			events: `{"ImportPath":"m/a [m/a.test]","Action":"build-output","Output":"# m/a\na.go:1:1: syntax error\n"}
{"ImportPath":"m/a [m/a.test]","Action":"build-fail"}
{"Action":"output","Package":"m/a","Output":"FAIL\tm/a [build failed]\n"}
{"Action":"fail","Package":"m/a","FailedBuild":"m/a [m/a.test]"}
`,
			want: "FAIL  m/a\n    # m/a\n    a.go:1:1: syntax error\n    FAIL\tm/a [build failed]\n0 passed, 1 failed, 0 skipped\n",
		},
		{
			name: "a test cut off by a panic or a kill has failed",
			events: `{"Action":"output","Package":"m/a","Test":"TestA","Output":"panic: boom\n"}
{"Action":"fail","Package":"m/a"}
{"Action":"output","Package":"m/b","Test":"TestB","Output":"=== RUN   TestB\n"}
`,
			want: "FAIL  m/a\n    panic: boom\nFAIL  m/b\n0 passed, 2 failed, 0 skipped\n",
		},
		{
			name:   "what is no event is passed on, and nothing run is nothing well",
			events: "go: no such module\n",
			want:   "go: no such module\n0 passed, 0 failed, 0 skipped\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			r := newReport(&out)
			r.skips = append(r.skips, c.before...)
			if err := r.read(strings.NewReader(c.events)); err != nil {
				t.Fatal(err)
			}
			well := r.close(c.noSkip)
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Errorf("the report differs (-want +got):\n%s", diff)
			}
			if well != c.well {
				t.Errorf("all well: got %v, want %v", well, c.well)
			}
		})
	}
}
