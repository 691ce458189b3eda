package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// built are the components of each tier, and the module that pins each.
var (
	lightBinaries = []component{
		{"etcd", "etcd"}, {"kube-apiserver", "kube"}, {"kube-controller-manager", "kube"}, {"kubectl", "kube"}, {"kwok", "kwok"},
	}
	fullBinaries = []component{
		{"kube-scheduler", "kube"},
		{"kubelet", "kube"},
		{"containerd", "containerd"},
		{"containerd-shim-runc-v2", "containerd"},
		{"ctr", "containerd"},
		{"runc", "runc"},
		{"cni/bridge", "cni"},
		{"cni/loopback", "cni"},
		{"cni/host-local", "cni"},
	}
)

type component struct{ name, module string }

// unable says why there can be no such lab here, and how there can be; empty if there can.
func unable(c config) string {
	if runtime.GOOS != "linux" {
		return "a lab needs Linux: run the tests there"
	}
	if c.isolated && os.Geteuid() != 0 {
		return "a lab with namespaces of its own needs root: run the tests as root"
	}
	bin, err := binaries()
	if err != nil {
		return err.Error()
	}
	tier, needed := "light", lightBinaries
	if c.full {
		tier, needed = "full", append(needed[:len(needed):len(needed)], fullBinaries...)
	}
	for _, b := range needed {
		if err := current(bin, b); err != nil {
			return fmt.Sprintf("a lab needs Kubernetes, and %v: build it with test/lab/build %s", err, tier)
		}
	}
	return ""
}

// current checks that a component was built, and from the pins of today.
func current(bin string, c component) error {
	dir, err := root()
	if err != nil {
		return err
	}
	pin := sha256.New()
	for _, file := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, "test/lab/modules", c.module, file))
		if err != nil {
			return err
		}
		pin.Write(text)
	}
	text, err := os.ReadFile(filepath.Join(bin, c.name+".pin"))
	if err != nil {
		return fmt.Errorf("%s is not there", c.name)
	}
	if was, _, _ := strings.Cut(string(text), "\n"); was != hex.EncodeToString(pin.Sum(nil)) {
		return fmt.Errorf("%s was built from other pins", c.name)
	}
	return nil
}

// cache is the folder for what can be made again.
func cache() (string, error) {
	if dir := os.Getenv("PODID_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := root()
	return filepath.Join(dir, ".cache"), err
}

func binaries() (string, error) {
	dir, err := cache()
	return filepath.Join(dir, "lab", "bin"), err
}

// visible lists the folders that programs in a lab must see under the names that they have outside.
func visible() (string, error) {
	dir, err := root()
	if err != nil {
		return "", err
	}
	cache, err := cache()
	return strings.Join([]string{dir, filepath.Join(cache, "lab")}, string(filepath.ListSeparator)), err
}

// root is the folder of this module: tests run in the folder of their package.
var root = sync.OnceValues(func() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module github.com/podid/podid\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no folder above %s is that of podid", start)
		}
	}
})

// Build builds a program of this module, "./cmd/podid" say, into one static file and returns its path.
func Build(ctx context.Context, pkg string) (string, error) {
	dir, err := root()
	if err != nil {
		return "", err
	}
	into, err := cache()
	if err != nil {
		return "", err
	}
	into = filepath.Join(into, "lab", "built", strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-"))
	if err := os.MkdirAll(into, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(into, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	out := filepath.Join(into, filepath.Base(pkg))
	built, link := out+".built", out+".new"
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", built, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build %s: %w\n%s", pkg, err, text), context.Cause(ctx))
	}
	// Go takes a file away before it writes it anew. Another test may be about to start the one from before.
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.Link(built, link); err != nil {
		return "", err
	}
	return out, os.Rename(link, out)
}
