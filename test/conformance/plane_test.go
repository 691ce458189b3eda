package conformance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/podid/podid/internal/devcluster"
)

// The accounts of every plane, and the profiles of their administrators.
const (
	account1, profile1 = "111122223333", "podid"
	account2, profile2 = "444455556666", "podid-444455556666"
	region             = "us-east-1"
)

// A plane is a laptop mode of its own, as a process with ports that were free.
type plane struct {
	dir       string
	awsConfig string
	log       *os.File
	cmd       *exec.Cmd
	alive     io.Closer // standard input of the process, which ends with it
	kubelet   *devcluster.Kubelet
}

// planes are all that were started: they live as long as the tests, which share them.
var planes struct {
	sync.Mutex
	list []*plane
}

// end ends what the tests have shared.
func end(code int) int {
	planes.Lock()
	defer planes.Unlock()
	for _, p := range planes.list {
		_ = p.alive.Close()
		_ = p.cmd.Wait()
		_ = os.RemoveAll(p.dir)
	}
	return code
}

// newPlane starts podid dev and returns when it says that it is ready. Its folder is short, as a socket is in it.
func newPlane() (*plane, error) {
	dir, err := os.MkdirTemp("", "podid-conf-")
	if err != nil {
		return nil, err
	}
	p := &plane{dir: dir, awsConfig: filepath.Join(dir, "aws", "config")}
	if p.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	defer p.log.Close()
	p.cmd = exec.Command(os.Args[0], "dev", "--data", p.data(), "--aws-config", p.awsConfig, "--region", region,
		"--account", account1, "--account", account2, "--listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0")
	p.cmd.Env = append(p.environment(), asPodid+"=1")
	p.cmd.Stderr = p.log
	if p.alive, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	planes.Lock()
	planes.list = append(planes.list, p)
	planes.Unlock()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "podid dev is ready") {
			go func() {
				for lines.Scan() { // nothing may block it
				}
			}()
			p.kubelet, err = devcluster.Dial(context.Background(), filepath.Join(p.data(), "cluster"))
			return p, err
		}
	}
	text, _ := os.ReadFile(p.log.Name())
	return nil, fmt.Errorf("podid dev ended before it was ready:\n%s", text)
}

func (p *plane) data() string { return filepath.Join(p.dir, "data") }

// environment is the tests' own without what would give a client another identity, endpoint or home.
func (p *plane) environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "AWS_") && !strings.HasPrefix(kv, "HOME=") {
			env = append(env, kv)
		}
	}
	return append(env, "HOME="+p.dir, "AWS_CONFIG_FILE="+p.awsConfig, "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(p.dir, "none"),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "PYTHONDONTWRITEBYTECODE=1")
}

// config is what the SDK for Go makes of a profile.
func (p *plane) config(ctx context.Context, profile string) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithSharedConfigFiles([]string{p.awsConfig}),
		config.WithSharedCredentialsFiles([]string{}), config.WithSharedConfigProfile(profile))
}

// variables are those that every scenario finds.
func (p *plane) variables(ctx context.Context, run string) (map[string]any, error) {
	c, err := p.config(ctx, profile1)
	if err != nil {
		return nil, err
	}
	name := p.kubelet.Info().Cluster
	d, err := eks.NewFromConfig(c).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		return nil, err
	}
	if d.Cluster.Identity == nil || d.Cluster.Identity.Oidc == nil {
		return nil, errors.New("the laptop mode's cluster has no issuer")
	}
	issuer := aws.ToString(d.Cluster.Identity.Oidc.Issuer)
	v := map[string]any{
		"account": account1, "account2": account2, "region": region, "run": run, "cluster": name,
		"issuer": issuer, "issuerName": issuer[strings.Index(issuer, "//")+2:],
	}
	for name, audience := range map[string]string{"webIdentityToken": "sts.amazonaws.com", "podToken": "pods.eks.amazonaws.com"} {
		v[name], err = p.kubelet.Token(ctx, devcluster.TokenRequest{
			Namespace: "conformance", ServiceAccount: "conf-" + run, Pod: "conf-" + run, PodUID: podUID(run), Audience: audience, Lifetime: time.Hour,
		})
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// podUID is the UID of a run's pod.
func podUID(run string) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", bytes.NewBufferString(run).Bytes())
}
