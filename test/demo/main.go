// Command demo runs the story of podid with AWS's own clients, against a real control plane in a throw-away folder.
//
// It builds podid, starts "podid dev" and walks through the steps, one line each, with the real answers. It ends with
// "N steps passed", or with exit status 1 at the first step that does not hold. From the root of the repository:
//
//	go run ./test/demo
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "podid-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &demo{dir: dir, out: out, awsConfig: filepath.Join(dir, "aws", "config")}
	return d.run(ctx, d.story)
}

// run builds everything, starts podid dev and tells a story against it.
func (d *demo) run(ctx context.Context, story func(context.Context) error) (err error) {
	if err := d.build(ctx); err != nil {
		return err
	}
	stop, err := d.start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, stop())
		if err != nil {
			err = fmt.Errorf("%w\npodid said:\n%s", err, d.log.String())
		}
	}()
	return story(ctx)
}

// demo is a running control plane and what the steps have made so far.
type demo struct {
	dir       string
	out       io.Writer
	awsConfig string
	log       bytes.Buffer // what podid dev wrote to standard error
	passed    int
	skips     []skipped

	cluster aws.Config // administrator of the cluster's account
	bucket  aws.Config // administrator of the bucket's account
	made    made
}

func (d *demo) data() string               { return filepath.Join(d.dir, "data") }
func (d *demo) program(name string) string { return filepath.Join(d.dir, "bin", name) }

// build compiles podid and the program that plays the application.
func (d *demo) build(ctx context.Context) error {
	fmt.Fprintln(d.out, "building podid and the demo application ...")
	c := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(d.dir, "bin")+string(filepath.Separator), "github.com/podid/podid/cmd/podid", "github.com/podid/podid/test/demo/upload")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	c.Stdout, c.Stderr = d.out, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// start runs podid dev and waits until it says that it is ready. The cluster is left to the story: podid dev would make it.
func (d *demo) start(ctx context.Context) (stop func() error, err error) {
	p := exec.CommandContext(ctx, d.program("podid"), "dev", "--data", d.data(), "--aws-config", d.awsConfig,
		"--listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--create-cluster=false",
		"--account", clusterAccount, "--account", bucketAccount)
	p.Cancel = func() error { return p.Process.Signal(syscall.SIGTERM) }
	p.WaitDelay = 15 * time.Second
	stdout, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.Stderr = &d.log
	begin := time.Now()
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("start podid dev: %w", err)
	}
	stop = func() error {
		_ = p.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which Wait tells
		return p.Wait()
	}
	if err := waitForLine(stdout, "podid dev is ready"); err != nil {
		return nil, errors.Join(err, stop(), errors.New(d.log.String()))
	}
	fmt.Fprintf(d.out, "podid dev is ready after %s\n", time.Since(begin).Round(time.Millisecond))
	if d.cluster, err = d.profile(ctx, "podid"); err != nil {
		return nil, errors.Join(err, stop())
	}
	if d.bucket, err = d.profile(ctx, "podid-"+bucketAccount); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// waitForLine reads until a line begins with prefix, and lets the rest drain.
func waitForLine(r io.Reader, prefix string) error {
	var seen bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		seen.Write(buf[:n])
		for line := range strings.SplitSeq(seen.String(), "\n") {
			if strings.HasPrefix(line, prefix) {
				go func() { _, _ = io.Copy(io.Discard, r) }() // it ends with the process
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("podid dev ended before it was ready: %s", seen.String())
		}
	}
}

func (d *demo) profile(ctx context.Context, name string) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithSharedConfigFiles([]string{d.awsConfig}),
		config.WithSharedCredentialsFiles([]string{}), config.WithSharedConfigProfile(name))
}

// skipped is a step that this machine cannot do, and how it could. Where PODID_NO_SKIP is set it is a failure.
type skipped string

func (s skipped) Error() string { return string(s) }

// step runs one step and prints its line; what f returns is the real answer.
func (d *demo) step(title string, f func() (string, error)) error {
	answer, err := f()
	if how, ok := errors.AsType[skipped](err); ok && os.Getenv("PODID_NO_SKIP") == "" {
		d.skips = append(d.skips, how)
		fmt.Fprintf(d.out, " - skip %s\n        %s\n", title, how)
		return nil
	}
	if err != nil {
		fmt.Fprintf(d.out, "FAILED  %s\n", title)
		return fmt.Errorf("%s: %w", title, err)
	}
	d.passed++
	fmt.Fprintf(d.out, "%2d ok   %s\n        %s\n", d.passed, title, strings.ReplaceAll(strings.TrimSpace(answer), "\n", "\n        "))
	return nil
}

// pod runs a program as a pod of a service account and returns what it printed.
func (d *demo) pod(ctx context.Context, serviceAccount string, command ...string) (string, error) {
	return d.podWith(ctx, []string{"--service-account", serviceAccount}, command...)
}

func (d *demo) podWith(ctx context.Context, flags []string, command ...string) (string, error) {
	args := append([]string{"run", "--data", d.data()}, flags...)
	c := exec.CommandContext(ctx, d.program("podid"), append(append(args, "--"), command...)...)
	out, err := c.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%w: %s", err, out)
	}
	return string(out), nil
}

// refused turns a refusal into an answer: err must be there and its text must have every fragment.
func refused(err error, fragments ...string) (string, error) {
	if err == nil {
		return "", errors.New("it was allowed")
	}
	for _, f := range fragments {
		if !strings.Contains(err.Error(), f) {
			return "", fmt.Errorf("refused, but the text lacks %q: %w", f, err)
		}
	}
	return "refused: " + err.Error(), nil
}
