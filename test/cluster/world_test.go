// Package cluster_test runs the story of podid on a real Kubernetes, with its real images: from "podid cluster connect" to the object in
// the other account's bucket, through what can be refused and what can fail.
package cluster_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"k8s.io/client-go/kubernetes"

	"github.com/podid/podid/test/lab"
)

const (
	clusterAccount = "111122223333"
	bucketAccount  = "444455556666"
	clusterName    = "lab"
	imagePrefix    = "test.podid.dev"
	imageVersion   = "v0.0.0-test"

	operatorNamespace = "podid-system"
	agentNamespace    = "kube-system"
	lateNamespace     = "late" // with late binding
)

// world is a cluster, a control plane on its node's network, and clients of both.
type world struct {
	lab       *disaster
	kube      kubernetes.Interface
	dir       string
	podid     string // the program
	plane     *lab.Program
	awsConfig string

	cluster aws.Config // administrator of the cluster's account
	bucket  aws.Config // administrator of the bucket's account
}

// TestCluster is one story on one cluster: its parts build on each other.
func TestCluster(t *testing.T) {
	w := newWorld(t)
	for _, part := range []struct {
		title string
		run   func(*testing.T)
	}{
		{"podid cluster connect", w.connect},
		{"the story in pods", w.story},
		{"a stolen token", w.stolenToken},
		{"ended pods", w.endedPods},
		{"disasters", w.disasters},
		{"many associations", w.manyAssociations},
		{"a burst of pods", w.burst},
		{"podid cluster disconnect", w.disconnect},
	} {
		if !t.Run(part.title, part.run) {
			t.FailNow() // what follows builds on it
		}
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l := lab.Full(t)
	w := &world{lab: &disaster{l}, dir: t.TempDir()}
	w.awsConfig = filepath.Join(w.dir, "aws", "config")
	var err error
	w.kube, err = kubernetes.NewForConfig(l.REST())
	must(t, err)
	w.podid, err = lab.Build(t.Context(), "./cmd/podid")
	must(t, err)
	t.Cleanup(func() { w.tell(t) })
	w.startPlane(t)
	w.cluster, w.bucket = w.profile(t, "podid"), w.profile(t, "podid-"+bucketAccount)
	w.images(t)
	return w
}

// startPlane starts the control plane on the node's network, with its data in the same folder each time, and waits until it answers.
func (w *world) startPlane(t testing.TB) {
	t.Helper()
	address := netip.AddrPortFrom(w.lab.Address, 8474)
	var err error
	w.plane, err = w.lab.Start(t.Context(), lab.Spec{Name: "podid", Argv: []string{
		w.podid, "serve", "--data", filepath.Join(w.dir, "data"), "--aws-config", w.awsConfig, "--listen", address.String(), "--tls-self-signed",
		"--account", clusterAccount, "--account", bucketAccount,
	}})
	must(t, err)
	lab.Eventually(t, 20*time.Second, "the control plane answers", func(ctx context.Context) error {
		if _, err := os.Stat(w.authority()); err != nil {
			return fmt.Errorf("%w: %s", err, w.plane.Output())
		}
		h := w.profile(t, "podid").HTTPClient
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address.String()+"/healthz", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := h.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

// tell prints what the cluster knows of the system's own pods, where something failed.
func (w *world) tell(t testing.TB) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp"},
		{"logs", "-n", agentNamespace, "-l", agentSelector, "--all-containers", "--prefix", "--tail=40"},
		{"logs", "-n", operatorNamespace, "-l", operatorSelector, "--prefix", "--tail=60"},
	} {
		text, err := w.lab.Kubectl(ctx, args...)
		t.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DialContext: w.lab.DialContext}, Timeout: 5 * time.Second}).Get("http://127.0.0.1:2703/readyz")
	if err != nil {
		t.Logf("the agent's probes: %v", err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	t.Logf("the agent's readiness: %s %s %v", resp.Status, body, err)
}

// authority is the file with the certificate authority of the control plane.
func (w *world) authority() string { return filepath.Join(filepath.Dir(w.awsConfig), "podid-ca.pem") }

// profile is the configuration of an AWS client outside of the cluster, with a profile that podid wrote.
func (w *world) profile(t testing.TB, name string) aws.Config {
	t.Helper()
	pem, err := os.ReadFile(w.authority())
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := config.LoadDefaultConfig(t.Context(), config.WithSharedConfigFiles([]string{w.awsConfig}),
		config.WithSharedCredentialsFiles([]string{}), config.WithSharedConfigProfile(name),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext, tr.Proxy = w.lab.DialContext, nil
			tr.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		})))
	must(t, err)
	return c
}

func s3client(c aws.Config) *s3.Client {
	return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
}

// images builds podid's own images as "make images" does, and the application's, and loads them into the node.
func (w *world) images(t testing.TB) {
	t.Helper()
	out := filepath.Join(w.dir, "images")
	build := exec.CommandContext(t.Context(), "go", "run", "./images", "--root", "..", "--out", out, "--prefix", imagePrefix, "--version", imageVersion, "--platforms", "linux/amd64")
	build.Dir = filepath.Join("..", "..", "tools")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the images: %v\n%s", err, text)
	}
	tars, err := filepath.Glob(filepath.Join(out, "*.tar"))
	must(t, err)
	if len(tars) < 3 {
		t.Fatalf("the images are %v", tars)
	}
	for _, tar := range append(tars, lab.Image(t, appImage, "./test/cluster/app")) {
		must(t, w.lab.Import(t.Context(), tar))
	}
}

// command runs podid on the node's network, as an administrator would elsewhere.
func (w *world) command(t testing.TB, args ...string) (string, error) {
	t.Helper()
	c := w.lab.Command(t.Context(), w.podid, args...)
	c.Env = append(c.Env, "AWS_CONFIG_FILE="+w.awsConfig, "AWS_EC2_METADATA_DISABLED=true", "HOME="+w.dir)
	text, err := c.CombinedOutput()
	if err != nil {
		return string(text), fmt.Errorf("podid %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return string(text), nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// disaster is the lab with what can befall it.
type disaster struct{ *lab.Lab }

func (d *disaster) RestartAPIServer(t *testing.T) {
	t.Helper()
	must(t, d.Lab.RestartAPIServer(t.Context()))
}

func (d *disaster) RotateServiceAccountKey(t *testing.T) {
	t.Helper()
	must(t, d.Lab.RotateServiceAccountKey(t.Context()))
}

func (d *disaster) Reboot(t *testing.T) {
	t.Helper()
	must(t, d.Lab.Reboot(t.Context()))
}
