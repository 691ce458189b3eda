package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/podid/podid/test/lab/inside"
)

// Addresses of a lab with namespaces of its own. Two such labs do not see each other.
const (
	nodeIPv4    = "10.200.0.2"
	nodeIPv6    = "fd00:200::2"
	podCIDRv4   = "10.244.0.0/16"
	podCIDRv6   = "fd00:244::/64"
	serviceCIDR = "10.96.0.0/16"
	serviceIP   = "10.96.0.1" // of kubernetes.default.svc
)

// NodeName is the name of the node of a full lab.
const NodeName = "lab-node"

// bootTime is far more than a boot takes, even on a machine that is busy with other tests.
const bootTime = 3 * time.Minute

// Lab is a running Kubernetes.
type Lab struct {
	Place // where its components run: programs may be started there, connections made

	Dir        string // configuration, keys and logs; removed at the end
	Kubeconfig string // file, for an administrator; good for programs in the lab

	config   config
	bin      string // of the components
	server   string // address of the API server
	pki      *pki
	keys     []string // public keys of service accounts, the newest first
	holder   *exec.Cmd
	holds    io.Closer // the lab ends when it is closed
	programs programs
	places   atomic.Int32
}

// config is what options set.
type config struct {
	full              bool
	isolated          bool
	controllerManager bool
	issuer            string
	apiServerFlags    []string
}

// Option changes how a lab is booted.
type Option func(*config)

// Issuer sets the issuer of service account tokens.
func Issuer(url string) Option { return func(c *config) { c.issuer = url } }

// APIServerFlags adds flags to kube-apiserver's.
func APIServerFlags(flags ...string) Option {
	return func(c *config) { c.apiServerFlags = append(c.apiServerFlags, flags...) }
}

// NoControllerManager boots without kube-controller-manager: no default service accounts, no garbage collection.
func NoControllerManager() Option { return func(c *config) { c.controllerManager = false } }

// Isolated gives a light lab namespaces of its own, as a full one has them: for network namespaces, which need root.
func Isolated() Option { return func(c *config) { c.isolated = true } }

// Light boots an API server for a test.
func Light(tb testing.TB, options ...Option) *Lab {
	tb.Helper()
	return bootFor(tb, newConfig(false, options))
}

// Full boots a node for a test.
func Full(tb testing.TB, options ...Option) *Lab {
	tb.Helper()
	return bootFor(tb, newConfig(true, options))
}

func newConfig(full bool, options []Option) config {
	c := config{full: full, isolated: full, controllerManager: true, issuer: "https://oidc.lab.internal/id/LAB"}
	for _, option := range options {
		option(&c)
	}
	return c
}

func skip(tb testing.TB, c config) {
	tb.Helper()
	if why := unable(c); why != "" {
		tb.Skip(why)
	}
}

func bootFor(tb testing.TB, c config) *Lab {
	tb.Helper()
	skip(tb, c)
	ctx, cancel := context.WithTimeout(tb.Context(), bootTime)
	defer cancel()
	l, err := boot(ctx, c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log(l.Tails())
		}
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
	})
	return l
}

// boot boots a lab. One that does not come up is ended, and the error has the ends of its logs.
func boot(ctx context.Context, c config) (*Lab, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "podid-lab-") // a test's own folder has too long a name for a socket in it
	if err != nil {
		return nil, err
	}
	l := &Lab{Dir: dir, config: c, bin: bin, Kubeconfig: filepath.Join(dir, "admin.kubeconfig")}
	l.Place = Place{lab: l, Address: netip.MustParseAddr("127.0.0.1")}
	if c.isolated {
		l.Address, l.Address6 = netip.MustParseAddr(nodeIPv4), netip.MustParseAddr(nodeIPv6)
	}
	if err := l.up(ctx); err != nil {
		tails := l.Tails()
		return nil, errors.Join(fmt.Errorf("boot the lab: %w\n%s", err, tails), l.Close())
	}
	return l, nil
}

func (l *Lab) up(ctx context.Context) error {
	for _, dir := range []string{"log", "pki", "bin"} {
		if err := os.Mkdir(filepath.Join(l.Dir, dir), 0o700); err != nil {
			return err
		}
	}
	ports, err := l.ports(ctx)
	if err != nil {
		return err
	}
	l.server = netip.AddrPortFrom(l.Address, ports.api).String()
	g, parallel := errgroup.WithContext(ctx)
	g.Go(func() error { return l.hold(parallel) })
	g.Go(func() (err error) { l.pki, err = l.newPKI(); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := l.startControlPlane(ctx, ports); err != nil {
		return err
	}
	if !l.config.full {
		return l.controlPlaneReady(ctx)
	}
	return l.startNode(ctx)
}

// hold starts the process that holds the lab.
func (l *Lab) hold(ctx context.Context) error {
	program, err := Build(ctx, "./test/lab/node")
	if err != nil {
		return err
	}
	l.node = program
	visible, err := visible()
	if err != nil {
		return err
	}
	args := []string{"hold", "-dir", l.Dir}
	if l.config.isolated {
		args = append(args, "-isolate", "-name", NodeName, "-visible", visible,
			"-addresses", nodeIPv4+"/16,"+nodeIPv6+"/64", "-loopback", serviceIP+"/32")
	}
	if os.Getenv("PODID_LAB_KEEP") != "" {
		args = append(args, "-keep")
	}
	log, err := os.Create(l.logFile("node"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	l.holder = exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	l.holder.Stderr = log
	if l.holds, err = l.holder.StdinPipe(); err != nil {
		return err
	}
	if err := l.holder.Start(); err != nil {
		l.holder = nil
		return err
	}
	l.inside = inside.Client{Socket: filepath.Join(l.Dir, "lab.sock")}
	return until(ctx, "the lab's namespaces are made", func(context.Context) error {
		_, err := os.Stat(l.inside.Socket)
		return err
	})
}

// Close ends the lab. Nothing of it is left.
func (l *Lab) Close() error {
	if l.holder == nil {
		return os.RemoveAll(l.Dir)
	}
	_ = l.holds.Close()
	if err := l.holder.Wait(); err != nil {
		return fmt.Errorf("end the lab: %w", err)
	}
	return nil
}

func (l *Lab) logFile(name string) string { return filepath.Join(l.Dir, "log", name+".log") }

// Logs returns what a component, or a program started under that name, has written.
func (l *Lab) Logs(name string) string {
	text, err := os.ReadFile(l.logFile(name))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Tails returns the ends of all logs.
func (l *Lab) Tails() string {
	const lines = 25
	files, err := filepath.Glob(l.logFile("*"))
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".log")
		all := strings.Split(strings.TrimRight(l.Logs(name), "\n"), "\n")
		fmt.Fprintf(&b, "--- %s\n%s\n", name, strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
	return b.String()
}
