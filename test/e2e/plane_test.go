// Package e2e tests podid as processes: what happens to them, and between them.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/podid/podid/internal/cli"
)

// asPodid makes a process of the test binary be podid.
const asPodid = "PODID_E2E_IS_PODID"

func TestMain(m *testing.M) {
	if os.Getenv(asPodid) == "" {
		os.Exit(m.Run())
	}
	os.Exit(cli.Run(cli.UntilAsked(), cli.Process{Args: os.Args[1:], Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
}

// plane is a control plane with a data folder, which may be started several times, one after the other.
type plane struct {
	t         testing.TB
	dir       string
	args      []string // of podid serve, besides the folder and the address
	awsConfig string

	cmd      *exec.Cmd
	log      *bytes.Buffer // standard error; to be read after the end
	endpoint string
}

// newPlane starts a control plane.
func newPlane(t testing.TB, args ...string) *plane {
	t.Helper()
	dir := t.TempDir()
	p := &plane{t: t, dir: filepath.Join(dir, "data"), args: args, awsConfig: filepath.Join(dir, "aws", "config")}
	p.start("127.0.0.1:0")
	return p
}

// start runs podid serve on an address until it says that it serves.
func (p *plane) start(listen string) {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], append([]string{"serve", "--data", p.dir, "--aws-config", p.awsConfig, "--listen", listen}, p.args...)...)
	p.cmd.Env = append(os.Environ(), asPodid+"=1")
	p.log = &bytes.Buffer{}
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	process := p.cmd.Process
	p.t.Cleanup(func() { _ = process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "podid serves "); ok {
			p.endpoint, _, _ = strings.Cut(rest, " ")
			return
		}
	}
	p.t.Fatalf("podid serve ended: %v\n%s", p.cmd.Wait(), p.log)
}

func (p *plane) address() string { return p.endpoint[strings.Index(p.endpoint, "//")+2:] }

// kill ends the process without a word of warning.
func (p *plane) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Error(err)
	}
	_ = p.cmd.Wait() // "signal: killed"
}

// restart kills the process and starts it again on the same address.
func (p *plane) restart() {
	p.t.Helper()
	p.kill()
	p.start(p.address())
}

// signal sends a signal.
func (p *plane) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Error(err)
	}
}

// closed waits until the listener takes no more connections.
func (p *plane) closed(ctx context.Context) {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.endpoint+"/healthz", nil)
		if err != nil {
			p.t.Fatal(err)
		}
		resp, err := h.Do(req)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("the listener is still open: %v", err)
		case <-tick.C:
		}
	}
}

// administrator is the configuration of an AWS client with the profile that podid wrote.
func (p *plane) administrator() aws.Config {
	p.t.Helper()
	c, err := config.LoadDefaultConfig(p.t.Context(), config.WithSharedConfigFiles([]string{p.awsConfig}),
		config.WithSharedCredentialsFiles([]string{}), config.WithSharedConfigProfile("podid"))
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// patient makes a client repeat what was not answered, as SDKs do, for longer than a restart takes.
func patient(c aws.Config) aws.Config {
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 200, 200*time.Millisecond, ratelimit.None
		})
	}
	return c
}
