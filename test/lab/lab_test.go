package lab_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	authentication "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/podid/podid/test/lab"
)

func TestLight(t *testing.T) {
	t.Parallel()
	const issuer = "https://issuer.example/a"
	l := lab.Light(t, lab.Issuer(issuer), lab.APIServerFlags("--v=1"))
	c := clients(t, l)
	version, err := c.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != "v1.36.3" {
		t.Errorf("the API server is %s, want v1.36.3", version.GitVersion)
	}

	before := token(t, c)
	if got := payload(t, before); !strings.Contains(got, `"iss":"`+issuer+`"`) || l.Issuer() != issuer {
		t.Errorf("the token is %s, want the issuer %s", got, issuer)
	}
	if err := l.RotateServiceAccountKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := token(t, c)
	if a, b := head(before), head(after); a == b {
		t.Errorf("tokens have the same header before and after the key was rotated: %s", a)
	}
	for _, token := range []string{before, after} {
		review, err := c.AuthenticationV1().TokenReviews().Create(t.Context(), &authentication.TokenReview{
			Spec: authentication.TokenReviewSpec{Token: token, Audiences: []string{"a"}},
		}, meta.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !review.Status.Authenticated {
			t.Errorf("a token is refused: %s", review.Status.Error)
		}
	}
}

func TestIsolated(t *testing.T) {
	t.Parallel()
	l := lab.Light(t, lab.Isolated(), lab.NoControllerManager())
	ctx := t.Context()

	t.Run("kwok runs pods on fake nodes", func(t *testing.T) {
		if err := l.Kwok(ctx); err != nil {
			t.Fatal(err)
		}
		nodes, err := l.FakeNodes(ctx, "fake", 2)
		if err != nil {
			t.Fatal(err)
		}
		c := clients(t, l)
		sa := &core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: "default"}}
		if _, err := c.CoreV1().ServiceAccounts("default").Create(ctx, sa, meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		pod := &core.Pod{
			ObjectMeta: meta.ObjectMeta{Name: "p"},
			Spec:       core.PodSpec{NodeName: nodes[1], Containers: []core.Container{{Name: "c", Image: "none"}}},
		}
		if _, err := c.CoreV1().Pods("default").Create(ctx, pod, meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=30s", "pod/p"); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("network namespaces have the same addresses and see the node", func(t *testing.T) {
		program := build(t)
		const same = "127.0.0.1:80"
		for _, name := range []string{"node-a", "node-b"} {
			n, err := l.Netns(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := n.Start(ctx, lab.Spec{Name: name, Argv: []string{program, ":80"}}); err != nil {
				t.Fatal(err)
			}
			// From within: its own. To the node: seen there under the address that the lab says.
			if host := get(t, n.DialContext, same, "/"); host != "127.0.0.1" {
				t.Errorf("%s is called from %s, want 127.0.0.1", name, host)
			}
			from := ask(t, n.DialContext, same, url.Values{"tcp": {net.JoinHostPort(l.Address.String(), "443")}})
			if from != n.Address.String() {
				t.Errorf("%s connects to the API server from %s, want %s", name, from, n.Address)
			}
			// And from the node to it, by either family.
			for _, address := range []netip.Addr{n.Address, n.Address6} {
				get(t, l.DialContext, netip.AddrPortFrom(address, 80).String(), "/")
			}
		}
	})

	t.Run("a test listens inside", func(t *testing.T) {
		listener, err := l.Listen(ctx, "tcp", "127.0.0.1:8080")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })}
		go func() { _ = s.Serve(listener) }()
		t.Cleanup(func() { _ = s.Close() })
		get(t, l.DialContext, "127.0.0.1:8080", "/")
	})

	t.Run("commands run inside and die with their contexts", func(t *testing.T) {
		cmd := l.Command(ctx, "sh", "-c", "hostname; read line; echo $line; exit 3")
		cmd.Stdin = strings.NewReader("as it was\n")
		out, err := cmd.Output()
		if ended := new(exec.ExitError); !errors.As(err, &ended) || ended.ExitCode() != 3 || string(out) != lab.NodeName+"\nas it was\n" {
			t.Errorf("got %q and %v, want the host's name, the line and status 3", out, err)
		}
		short, cancel := context.WithCancel(ctx)
		sleep := l.Command(short, "sleep", "1000")
		if err := sleep.Start(); err != nil {
			t.Fatal(err)
		}
		sleeps := func() bool { return l.Command(ctx, "pgrep", "-x", "sleep").Run() == nil }
		within(t, 10*time.Second, "the program has started", sleeps)
		cancel()
		_ = sleep.Wait()
		within(t, 10*time.Second, "the program has ended", func() bool { return !sleeps() })
	})

	t.Run("programs are stopped, killed and started again", func(t *testing.T) {
		p, err := l.Start(ctx, lab.Spec{Name: "shell", Argv: []string{"sh", "-c", `trap "exit 5" TERM; echo up $A; while :; do sleep 0.01; done`}, Env: []string{"A=1"}})
		if err != nil {
			t.Fatal(err)
		}
		up := func(times int) func() bool {
			return func() bool { return strings.Count(p.Output(), "up 1\n") == times }
		}
		within(t, 10*time.Second, "it is up", up(1))
		if err := p.Stop(ctx); err != nil || p.Exit().Code != 5 {
			t.Errorf("stopped with %v and %+v, want code 5", err, p.Exit())
		}
		if p, err = p.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		within(t, 10*time.Second, "it is up again", up(2))
		if err := p.Kill(); err != nil || p.Exit().Signal != int(syscall.SIGKILL) {
			t.Errorf("killed with %v and %+v, want signal 9", err, p.Exit())
		}
	})
}

const pods = `
apiVersion: v1
kind: Pod
metadata: {name: bridge}
spec:
  containers: [{name: hello, image: "lab.internal/hello:1", args: [":8080"]}]
  terminationGracePeriodSeconds: 0
---
apiVersion: v1
kind: Pod
metadata: {name: host}
spec:
  hostNetwork: true
  containers: [{name: hello, image: "lab.internal/hello:1", args: [":8081"]}]
  terminationGracePeriodSeconds: 0
`

func TestFull(t *testing.T) {
	t.Parallel()
	l := lab.Full(t)
	ctx := t.Context()
	if err := l.Import(ctx, lab.Image(t, "lab.internal/hello:1", "./test/lab/testdata/hello")); err != nil {
		t.Fatal(err)
	}
	if err := l.Apply(ctx, pods); err != nil {
		t.Fatal(err)
	}
	c := clients(t, l)

	ready := func(restarts int32) netip.Addr {
		var bridge *core.Pod
		within(t, 60*time.Second, "the pods run", func() bool {
			for _, name := range []string{"host", "bridge"} {
				pod, err := c.CoreV1().Pods("default").Get(ctx, name, meta.GetOptions{})
				if err != nil || len(pod.Status.ContainerStatuses) != 1 {
					return false
				}
				if s := pod.Status.ContainerStatuses[0]; !s.Ready || s.RestartCount != restarts {
					return false
				}
				bridge = pod
			}
			return true
		})
		if len(bridge.Status.PodIPs) != 2 {
			t.Errorf("the pod has addresses %v, want one of each family", bridge.Status.PodIPs)
		}
		return netip.MustParseAddr(bridge.Status.PodIP)
	}
	check := func(pod netip.Addr) {
		t.Helper()
		address := netip.AddrPortFrom(pod, 8080).String()
		for _, from := range []string{"8080", "8081"} {
			host := l.Address.String()
			if from == "8080" {
				host = pod.String()
			}
			get(t, l.DialContext, net.JoinHostPort(host, from), "/")
		}
		// The node sees a pod's own address, on its own addresses and on link-local ones that an agent has.
		for _, target := range []string{l.Address.String(), "169.254.170.23"} {
			told := ask(t, l.DialContext, address, url.Values{"url": {"http://" + net.JoinHostPort(target, "8081")}})
			if told != pod.String() {
				t.Errorf("%s is called from %s, want the pod's %s", target, told, pod)
			}
		}
		for _, target := range []string{"10.96.0.1:443", "[fd00:ec2::23]:8081"} {
			ask(t, l.DialContext, address, url.Values{"tcp": {target}})
		}
	}
	agentAddresses := func() {
		t.Helper()
		for _, a := range []string{"169.254.170.23/32", "fd00:ec2::23/128"} {
			if out, err := l.Command(ctx, "ip", "address", "add", a, "dev", "lo").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out) // as it would be if a reboot had left one
			}
		}
	}
	agentAddresses()
	check(ready(0))

	if err := l.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	again := ready(1)
	agentAddresses()
	check(again)
	events, err := l.Kubectl(ctx, "get", "events", "-A", "--field-selector=reason=Rebooted")
	if err != nil || !strings.Contains(events, lab.NodeName) {
		t.Errorf("the kubelet has not noticed the reboot: %v, %s", err, events)
	}
}

// held makes a process of the test binary boot a lab and wait to be killed.
const held = "PODID_LAB_TEST_HELD"

func TestNothingIsLeftOfAKilledTest(t *testing.T) {
	boot := map[string]func(testing.TB, ...lab.Option) *lab.Lab{"light": lab.Light, "full": lab.Full}
	if tier := os.Getenv(held); tier != "" {
		fmt.Println("held", boot[tier](t).Dir)
		select {}
	}
	t.Parallel()
	lab.SkipUnlessFull(t)
	for tier := range boot {
		t.Run(tier, func(t *testing.T) {
			t.Parallel()
			killed(t, tier)
		})
	}
}

func killed(t *testing.T, tier string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingIsLeftOfAKilledTest$")
	cmd.Env = append(os.Environ(), held+"="+tier)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "held "); ok {
			dir = rest
		}
	}
	if len(of(t, dir)) < 4 {
		t.Fatalf("the lab in %q has not started", dir)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	within(t, 20*time.Second, "nothing is left", func() bool { return len(of(t, dir)) == 0 })
}

// of lists the processes, the folders and the control groups of a lab.
func of(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range commands {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), dir) {
			found = append(found, file)
		}
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*/" + filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		found = append(found, dir)
	}
	return append(found, groups...)
}

func build(t *testing.T) string {
	t.Helper()
	program, err := lab.Build(t.Context(), "./test/lab/testdata/hello")
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func clients(t *testing.T, l *lab.Lab) *kubernetes.Clientset {
	t.Helper()
	c, err := kubernetes.NewForConfig(l.REST())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func token(t *testing.T, c *kubernetes.Clientset) string {
	t.Helper()
	r, err := c.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "default", &authentication.TokenRequest{
		Spec: authentication.TokenRequestSpec{Audiences: []string{"a"}},
	}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status.Token
}

func payload(t *testing.T, token string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func head(token string) string { return token[:strings.Index(token, ".")] }

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// get asks a hello program, as soon as it answers, and splits the address that it tells.
func get(t *testing.T, dial dialer, address, path string) string {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	var text []byte
	var last error
	within(t, 20*time.Second, "http://"+address+path+" answers", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := h.Do(req)
		if err != nil {
			last = err
			return false
		}
		defer res.Body.Close()
		text, err = io.ReadAll(res.Body)
		last = fmt.Errorf("%s: %s: %w", res.Status, text, err)
		return err == nil && res.StatusCode == http.StatusOK
	}, &last)
	host, _, err := net.SplitHostPort(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return host
}

func ask(t *testing.T, dial dialer, address string, what url.Values) string {
	t.Helper()
	return get(t, dial, address, "/ask?"+what.Encode())
}

func within(t *testing.T, d time.Duration, what string, try func() bool, why ...*error) {
	t.Helper()
	tick, end := time.NewTicker(20*time.Millisecond), time.After(d)
	defer tick.Stop()
	for !try() {
		select {
		case <-tick.C:
		case <-end:
			for _, err := range why {
				t.Log(*err)
			}
			t.Fatalf("it took more than %v until %s", d, what)
		}
	}
}
