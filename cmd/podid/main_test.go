package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts run podid as processes of its own; two ordinary programs that use AWS's SDK stand beside it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"podid": main, "sdk": sdk, "count-signals": countSignals})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			e.Values[keyProcesses] = map[string]*process{}
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"start": start, "stop": stop, "mode": mode},
	})
}

// process is a podid that runs in the background of a script.
type process struct {
	cmd     *exec.Cmd
	drained chan struct{}
}

type key int

const keyProcesses key = 0

// start NAME ARG... runs podid until it says that it is ready, and puts its endpoint into the variable ENDPOINT.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME ARG...")
	}
	cmd := exec.Command(program(ts, "podid"), args[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "WORK", "TMPDIR", "AWS_CONFIG_FILE", "PODID_DATA"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	log := &strings.Builder{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	p := &process{cmd: cmd, drained: make(chan struct{})}
	ready := make(chan string)
	go func() {
		defer close(p.drained)
		defer close(ready)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := lines.Text()
			for _, prefix := range []string{"podid serves ", "podid dev is ready: "} {
				if rest, ok := strings.CutPrefix(line, prefix); ok {
					endpoint, _, _ := strings.Cut(rest, " ")
					ready <- endpoint
				}
			}
		}
	}()
	ts.Defer(func() { _ = cmd.Process.Kill() })
	endpoint, ok := <-ready
	if !ok {
		err := cmd.Wait()
		ts.Fatalf("podid ended before it was ready: %v\n%s", err, log.String())
	}
	ts.Setenv("ENDPOINT", endpoint)
	ts.Value(keyProcesses).(map[string]*process)[args[0]] = p
}

// stop NAME asks podid to end; it must do so with exit status 0.
func stop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stop NAME")
	}
	p := ts.Value(keyProcesses).(map[string]*process)[args[0]]
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	<-p.drained
	ts.Check(p.cmd.Wait())
}

// mode FILE PERMISSIONS checks a file's permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE PERMISSIONS")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// program finds one of the test's own programs.
func program(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	ts.Fatalf("no program %s", name)
	return ""
}

// sdk is an ordinary program that knows nothing of podid: it uses the AWS SDK with its default chain.
func sdk() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := sdkVerb(ctx, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},
  "Action":["sts:AssumeRole","sts:TagSession"]}]}`

func sdkVerb(ctx context.Context, verb string, args []string) error {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	switch verb {
	case "whoami":
		who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
		if err == nil {
			fmt.Println(*who.Arn)
		}
		return err
	case "clusters":
		list, err := eks.NewFromConfig(c).ListClusters(ctx, nil)
		if err == nil {
			fmt.Println(list.Clusters)
		}
		return err
	case "bucket":
		_, err := s3.NewFromConfig(c).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &args[0]})
		return err
	case "put":
		_, err := s3.NewFromConfig(c).PutObject(ctx, &s3.PutObjectInput{Bucket: &args[0], Key: &args[1], Body: strings.NewReader(args[2])})
		return err
	case "associate": // SERVICE-ACCOUNT BUCKET: with a role that may put into the bucket's folder "in"
		im := iam.NewFromConfig(c)
		role, err := im.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &args[0], AssumeRolePolicyDocument: aws.String(trust)})
		if err != nil {
			return err
		}
		_, err = im.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &args[0], PolicyName: aws.String("put"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::` + args[1] + `/in/*"}}`)})
		if err != nil {
			return err
		}
		_, err = eks.NewFromConfig(c).CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
			ClusterName: aws.String("local"), Namespace: aws.String("shop"), ServiceAccount: &args[0], RoleArn: role.Role.Arn,
		})
		return err
	case "patterns": // allow patterns in the cluster
		_, err := eks.NewFromConfig(c).TagResource(ctx, &eks.TagResourceInput{
			ResourceArn: aws.String("arn:aws:eks:" + c.Region + ":111122223333:cluster/local"), Tags: map[string]string{"podid.io/pattern-associations": "true"},
		})
		return err
	case "pattern": // NAMESPACE SERVICE-ACCOUNT ROLE: with a role that may do nothing, and sessions that keep their names
		role, err := iam.NewFromConfig(c).CreateRole(ctx, &iam.CreateRoleInput{RoleName: &args[2], AssumeRolePolicyDocument: aws.String(trust)})
		if err != nil {
			return err
		}
		_, err = eks.NewFromConfig(c).CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
			ClusterName: aws.String("local"), Namespace: &args[0], ServiceAccount: &args[1], RoleArn: role.Role.Arn,
			Tags: map[string]string{"podid.io/session-name": "@cluster-@namespace_@pod"},
		})
		return err
	}
	return fmt.Errorf("no verb %s", verb)
}

// countSignals asks the process that runs it to end, and exits with the number of times that it is told so itself.
func countSignals() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM)
	if err := syscall.Kill(os.Getppid(), syscall.SIGTERM); err != nil {
		os.Exit(100)
	}
	<-signals
	n := 1
	for {
		select {
		case <-signals:
			n++
		case <-time.After(300 * time.Millisecond):
			os.Exit(40 + n)
		}
	}
}
