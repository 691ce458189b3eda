package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/podid/podid/test/lab/inside"
)

// Place is a network namespace of a lab: its own, or a further one that stands for another node's.
type Place struct {
	Name     string     // empty: the lab's own
	Address  netip.Addr // in the lab
	Address6 netip.Addr // invalid where the lab is on loopback

	lab    *Lab
	inside inside.Client
	node   string // the program
}

// Netns makes a network namespace that is joined to the lab's node, as another node's would be. Its processes see the files
// and processes of the lab, but have links and addresses of their own, and a lo of their own. The lab must be isolated.
func (l *Lab) Netns(ctx context.Context, name string) (*Place, error) {
	host := 9 + l.places.Add(1)
	p := &Place{
		Name: name, lab: l, inside: l.inside, node: l.node,
		Address:  netip.AddrFrom4([4]byte{10, 200, byte(host >> 8), byte(host)}),
		Address6: netip.MustParseAddr(fmt.Sprintf("fd00:200::%x", host)),
	}
	err := l.inside.Netns(ctx, name, []string{p.Address.String() + "/16", p.Address6.String() + "/64"}, []string{nodeIPv4, nodeIPv6})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// DialContext connects from inside. It is good for http.Transport, client-go and all that takes a dialer; it resolves no names.
func (p *Place) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return p.inside.Dial(ctx, p.Name, network, address)
}

// Listen listens inside; who connects there is accepted by the test.
func (p *Place) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return p.inside.Listen(ctx, p.Name, network, address)
}

// Command is a program to be run inside, with the lab's kubectl and the like first in its PATH, and KUBECONFIG set. The
// process of the command stands for the one inside: signals are passed on, and killing it kills that.
func (p *Place) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.node, append([]string{"run", "-socket", p.inside.Socket, "-netns", p.Name, name}, args...)...)
	cmd.Env = p.environment(nil)
	return cmd
}

func (p *Place) environment(more []string) []string {
	env := append(os.Environ(), "PATH="+p.lab.bin+":"+os.Getenv("PATH"), "KUBECONFIG="+p.lab.Kubeconfig,
		"CONTAINERD_ADDRESS=/run/containerd/containerd.sock", "CONTAINERD_NAMESPACE=k8s.io")
	return append(env, more...)
}

// Spec is a program that works until it is stopped.
type Spec struct {
	Name string   // of the log: see Lab.Logs
	Argv []string // the program and its arguments
	Env  []string // besides the test's own, PATH and KUBECONFIG
	Dir  string
}

// Program is a program at work.
type Program struct {
	*inside.Process
	Spec  Spec
	place *Place
	told  atomic.Bool // to end
}

// Start starts a program inside. A program that is started again under a name goes on in the same log.
func (p *Place) Start(ctx context.Context, s Spec) (*Program, error) {
	log, err := os.OpenFile(p.lab.logFile(s.Name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	dir := s.Dir
	if dir == "" {
		dir = p.lab.Dir
	}
	process, err := p.inside.Start(ctx, inside.Command{
		Netns: p.Name, Argv: s.Argv, Env: p.environment(s.Env), Dir: dir, Files: [3]*os.File{1: log, 2: log},
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return &Program{Process: process, Spec: s, place: p}, nil
}

// Stop asks the program to end, and waits; when the context ends first, it kills it.
func (p *Program) Stop(ctx context.Context) error {
	p.told.Store(true)
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return p.ended(err)
	}
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		_ = p.Kill()
		return fmt.Errorf("%s had to be killed: %w", p.Spec.Name, context.Cause(ctx))
	}
}

// Kill ends the program, and what shares its process group, without a word of warning.
func (p *Program) Kill() error {
	p.told.Store(true)
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return p.ended(err)
	}
	<-p.Done()
	return nil
}

// ended forgives that something could not be told to a program that had ended.
func (p *Program) ended(err error) error {
	select {
	case <-p.Done():
		return nil
	default:
		return err
	}
}

// Restart starts the program again, after it has ended.
func (p *Program) Restart(ctx context.Context) (*Program, error) { return p.place.Start(ctx, p.Spec) }

// Output is what the program has written.
func (p *Program) Output() string { return p.place.lab.Logs(p.Spec.Name) }

// Kubectl runs kubectl as an administrator and returns what it prints.
func (l *Lab) Kubectl(ctx context.Context, args ...string) (string, error) {
	return l.output(l.Command(ctx, "kubectl", args...))
}

// Apply applies manifests.
func (l *Lab) Apply(ctx context.Context, manifests string) error {
	cmd := l.Command(ctx, "kubectl", "apply", "--server-side", "-f", "-")
	cmd.Stdin = strings.NewReader(manifests)
	_, err := l.output(cmd)
	return err
}

func (l *Lab) output(cmd *exec.Cmd) (string, error) {
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		// The first arguments of the command are ours.
		return string(out), fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args[6:], " "), err, problems.String())
	}
	return string(out), nil
}

// programs are the components at work, by name.
type programs struct {
	mu     sync.Mutex
	byName map[string]*Program
}

func (p *programs) set(name string, program *Program) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byName == nil {
		p.byName = map[string]*Program{}
	}
	p.byName[name] = program
}

func (p *programs) get(name string) *Program {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byName[name]
}

// Component returns a component at work: "kube-apiserver", "kubelet"; nil if the lab has none of that name.
func (l *Lab) Component(name string) *Program { return l.programs.get(name) }

// component starts a component from the lab's binaries.
func (l *Lab) component(ctx context.Context, name string, flags ...string) error {
	program, err := l.Start(ctx, Spec{
		Name: name, Argv: append([]string{l.bin + "/" + name}, flags...),
		Env: []string{"GOGC=400"}, // a lab lives for minutes, and has more memory than processors
	})
	if err != nil {
		return err
	}
	l.programs.set(name, program)
	return nil
}
