package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cli"
)

const (
	appPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Logs", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::logs/*"},
    {"Sid": "Tls", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
  ]
}
`
	trustPolicy = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},
 "Action": ["sts:AssumeRole", "sts:TagSession"]}}
`
	orgPolicy   = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}`
	oddPolicy   = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b"}]}`
	wrongPolicy = "{\"Version\": \"2012-10-17\",\n \"Statement\": {\"Effect\": \"Maybe\"}}"
	casesFile   = `{"id":"public","policy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]},"public":true}
{"id":"wrong","a":{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}},"b":{"Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}},"equivalent":true}
not JSON
{"id":"valid","policyType":"trust","document":"{}","valid":false}
`
)

// policyVerb runs a policy command line in a folder with the policies above. File names are written @name.
func policyVerb(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app.json": appPolicy, "trust.json": trustPolicy, "org.json": orgPolicy, "odd.json": oddPolicy, "wrong.json": wrongPolicy, "cases.jsonl": casesFile,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := strings.NewReplacer("@", dir+string(filepath.Separator))
	full := []string{"policy"}
	for _, a := range args {
		full = append(full, at.Replace(a))
	}
	var out, errs strings.Builder
	code = cli.Run(t.Context(), cli.Process{Args: full, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs})
	back := strings.NewReplacer(dir+string(filepath.Separator), "@")
	return code, back.Replace(out.String()), back.Replace(errs.String())
}

const (
	roleFlag = "--principal=arn:aws:iam::111122223333:role/team/app"
	getLogs  = "--resource=arn:aws:s3:::logs/a"
	who      = "User: arn:aws:sts::111122223333:assumed-role/app/session is "
)

func TestPolicyVerbs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		stdin          string
		args           []string
		code           int
		stdout, stderr string
	}{
		{
			name: "test", args: []string{"test", "@cases.jsonl"}, code: 1,
			stdout: "FAIL @cases.jsonl:2: wrong: not equivalent, expected equivalent: \n" +
				"FAIL @cases.jsonl:3: not a JSON object: invalid character 'o' in literal null (expecting 'u')\n2 passed, 2 failed\n",
		},
		{
			name: "test as JSON", stdin: strings.Split(casesFile, "\n")[0], args: []string{"test", "--json", "-"},
			stdout: `{"id":"public","decision":"public","expect":"public","pass":true}` + "\n",
		},
		{name: "test without a file", args: []string{"test", "@none"}, code: 2, stderr: "podid: open @none: no such file or directory\n"},
		{
			name: "eval allows", args: []string{"eval", roleFlag, "--action=s3:GetObject", getLogs, "--identity=@app.json"},
			stdout: "allow\n" + who + `authorized to perform: s3:GetObject on resource: arn:aws:s3:::logs/a, by the Allow statement "Logs" at @app.json:4:5` + "\n",
		},
		{
			name: "eval denies", code: 1, stdin: appPolicy,
			args: []string{
				"eval", "--json", roleFlag, "--action=s3:GetObject", getLogs, "--identity=-", "--context=aws:SecureTransport=false",
			},
			stdout: `{"decision":"explicitDeny","layer":"identity","why":"` + who +
				`not authorized to perform: s3:GetObject on resource: arn:aws:s3:::logs/a with an explicit deny in an identity-based policy",` +
				`"deciding":{"layer":"identity","document":"-","effect":"Deny","sid":"Tls","index":1,"line":5,"column":5}}` + "\n",
		},
		{
			name:   "eval of a trust policy",
			args:   []string{"eval", "--principal=pods.eks.amazonaws.com", "--action=sts:TagSession", "--resource=arn:aws:iam::111122223333:role/app", "--trust=@trust.json"},
			stdout: "allow\nUser: pods.eks.amazonaws.com is authorized to perform: sts:TagSession on resource: arn:aws:iam::111122223333:role/app, by the Allow statement at @trust.json:1:40\n",
		},
		{
			name: "eval with levels", code: 1, args: []string{
				"eval", roleFlag, "--action=s3:PutObject", getLogs, "--identity=@app.json", "--scp=@org.json,@app.json", "--scp=@org.json",
			},
			stdout: "implicitDeny\n" + who +
				"not authorized to perform: s3:PutObject on resource: arn:aws:s3:::logs/a because no service control policy allows the s3:PutObject action\n",
		},
		{
			name: "eval of a broken policy", code: 2, args: []string{"eval", roleFlag, "--action=s3:GetObject", "--identity=@wrong.json"},
			stderr: "podid: @wrong.json:2:26: Syntax errors in policy. Effect is Allow or Deny\n",
		},
		{
			name: "eval without a question", code: 2, args: []string{"eval"}, stderr: "podid: --principal and --action are needed\n",
		},
		{
			name: "eval with a flag that is none", code: 2, args: []string{"eval", "--who"},
			stderr: "podid: unknown flag: --who; see \"podid policy eval --help\"\n",
		},
		{
			name: "explain", args: []string{"explain", roleFlag, "--action=s3:GetObject", "--resource=arn:aws:s3:::data/a", "--identity=@app.json"},
			stdout: "implicitDeny\n" + who +
				`not authorized to perform: s3:GetObject on resource: arn:aws:s3:::data/a because no identity-based policy allows the s3:GetObject action

Layers:
  identity (1 document): implicitDeny
    nearly:  Allow statement "Logs" at @app.json:4:5
             Resource: the request has "arn:aws:s3:::data/a", the policy asks for "arn:aws:s3:::logs/*"

What would allow this, smallest first (each evaluated):
  1. add "arn:aws:s3:::data/a" to Resource of the Allow statement "Logs" at @app.json:4:5; the statement then allows more than this request
       {
         "Sid": "Logs",
         "Effect": "Allow",
         "Action": [
           "s3:GetObject",
           "s3:PutObject"
         ],
         "Resource": [
           "arn:aws:s3:::logs/*",
           "arn:aws:s3:::data/a"
         ]
       }
  2. add a statement to @app.json
       {
         "Effect": "Allow",
         "Action": "s3:GetObject",
         "Resource": "arn:aws:s3:::data/a"
       }
`,
		},
		{
			name: "lint", code: 1, args: []string{"lint", "@app.json", "@odd.json"},
			stdout: "@odd.json:1:71: warning: s3:GetObject is about objects, and the statement names buckets only: add BUCKET/* [action-resource-mismatch]\n",
		},
		{name: "lint fails on errors only", args: []string{"lint", "--fail-on=error", "--json", "@odd.json"}, stdout: `{"file":"@odd.json","rule":"action-resource-mismatch",` +
			`"severity":"warning","line":1,"column":71,"message":"s3:GetObject is about objects, and the statement names buckets only: add BUCKET/*"}` + "\n"},
		{name: "lint guesses the type", args: []string{"lint", "@trust.json"}},
		{
			name: "lint of a broken policy", code: 1, args: []string{"lint", "@wrong.json"},
			stdout: "@wrong.json:2:26: error: Syntax errors in policy. Effect is Allow or Deny [syntax]\n",
		},
		{name: "lint with an unknown type", code: 2, args: []string{"lint", "--type=tea", "@app.json"}, stderr: "podid: unknown policy type \"tea\": it is identity, boundary, session, scp, rcp, trust or resource\n"},
		{
			name: "fmt", stdin: orgPolicy, args: []string{"fmt", "-"},
			stdout: "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\",\n      \"Action\": \"s3:Get*\",\n      \"Resource\": \"*\"\n    }\n  ]\n}\n",
		},
		{name: "fmt --check", code: 1, args: []string{"fmt", "--check", "@app.json"}, stdout: "@app.json\n"},
		{name: "diff of equals", args: []string{"diff", "@app.json", "@app.json"}, stdout: "The documents mean the same.\n"},
		{
			name: "diff", code: 1, stdin: oddPolicy, args: []string{"diff", "-", "@org.json"},
			stdout: `newly allowed:
  actions:    s3:GetObject, s3:Get*
  resources:  *, any other resource
  example:    arn:aws:sts::111122223333:assumed-role/any/session, s3:GetObject on * with {"aws:PrincipalArn":["arn:aws:iam::111122223333:role/any"]}: implicitDeny before, allow now

newly allowed:
  actions:    s3:Get*
  resources:  arn:aws:s3:::b
  example:    arn:aws:sts::111122223333:assumed-role/any/session, s3:Getx on arn:aws:s3:::b with {"aws:PrincipalArn":["arn:aws:iam::111122223333:role/any"]}: implicitDeny before, allow now

2 groups of differences, from 15 requests.
`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := policyVerb(t, tt.stdin, tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if d := cmp.Diff(tt.stdout, stdout); d != "" {
				t.Errorf("stdout:\n%s", d)
			}
			if d := cmp.Diff(tt.stderr, stderr); d != "" {
				t.Errorf("stderr:\n%s", d)
			}
		})
	}
}

// TestPolicyTestRunsTheCorpus: the shipped command agrees with the engine's own corpus.
func TestPolicyTestRunsTheCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../policy/testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	code, stdout, stderr := policyVerb(t, "", append([]string{"test"}, files...)...)
	if code != 0 || !strings.HasSuffix(stdout, " passed, 0 failed\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestPolicyExplainAsJSON(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := policyVerb(t, "", "explain", "--json", roleFlag, "--action=s3:GetObject", "--resource=arn:aws:s3:::data/a", "--identity=@app.json")
	var got struct {
		Outcome     string
		Layers      []struct{ NearMisses []struct{ Element string } }
		Suggestions []struct{ Edits []struct{ Change string } }
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if got.Outcome != "implicitDeny" || len(got.Layers) != 1 || got.Layers[0].NearMisses[0].Element != "Resource" || len(got.Suggestions) != 2 ||
		got.Suggestions[0].Edits[0].Change != "add-value" {
		t.Errorf("got %+v", got)
	}
}

func TestPolicyFmtWrites(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "p.json")
	if err := os.WriteFile(name, []byte(orgPolicy), 0o640); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", ""} {
		if code, stdout, stderr := policyVerb(t, "", "fmt", "-w", name); code != 0 || stdout != want {
			t.Fatalf("run %d: exit code %d\n%s%s", i, code, stdout, stderr)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil || !strings.HasPrefix(string(text), "{\n  \"Version\": \"2012-10-17\",\n") {
		t.Errorf("%v: %s", err, text)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if code, _, _ := policyVerb(t, "", "fmt", "--check", name); code != 0 {
		t.Errorf("--check after -w: exit code %d", code)
	}
}

// TestPolicyHelp: every verb says how it is used, with an example.
func TestPolicyHelp(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"test", "eval", "explain", "lint", "fmt", "diff"} {
		code, stdout, _ := policyVerb(t, "", verb, "--help")
		if code != 0 || !strings.Contains(stdout, "Examples:\n  podid policy "+verb) || !strings.Contains(stdout, "Exit codes:") || !strings.Contains(stdout, "--json") {
			t.Errorf("%s: exit code %d\n%s", verb, code, stdout)
		}
	}
}
