package inside

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Node is what makes fresh namespaces a Kubernetes node.
type Node struct {
	Name      string
	Dir       string   // the lab's folder
	Visible   []string // further folders that must be seen inside under the names they have outside
	Addresses []string // on the bridge
	Loopback  []string // on lo
}

// covered are the folders that a kubelet or containerd writes to under names that cannot be set. They get contents of the
// lab's own, so that nothing is left on the machine.
var covered = []string{"/run", "/var/lib", "/var/log"}

// SetUp makes the calling process's namespaces, all fresh, the node's. Its mounts go with the last process.
func (n *Node) SetUp() error {
	if err := unix.Sethostname([]byte(n.Name)); err != nil {
		return fmt.Errorf("set the host's name: %w", err)
	}
	// Private first, so that nothing gets back to the machine; then shared, as a kubelet needs it for the volumes of pods.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	if err := n.mountCgroups(); err != nil {
		return err
	}
	if err := n.cover(); err != nil {
		return err
	}
	if err := n.newBootID(); err != nil {
		return err
	}
	if err := mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return err
	}
	return Network(n.Addresses, n.Loopback)
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind+source, target, err)
	}
	return nil
}

// mountCgroups shows the hierarchies from the lab's own group down, be they those of version 1 or the one of version 2.
func (n *Node) mountCgroups() error {
	const root = "/sys/fs/cgroup"
	if err := mount("sysfs", "/sys", "sysfs", 0, ""); err != nil { // the one of our network namespace
		return err
	}
	hierarchies, err := Hierarchies()
	if err != nil {
		return err
	}
	if len(hierarchies) == 1 && hierarchies[0].Unified {
		if err := mount("cgroup2", root, "cgroup2", 0, ""); err != nil {
			return err
		}
		return delegate(root)
	}
	if err := mount("tmpfs", root, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, h := range hierarchies {
		dir := filepath.Join(root, h.Name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		kind, options := "cgroup", h.Options
		if h.Unified {
			kind, options = "cgroup2", ""
		}
		if err := mount(kind, dir, kind, 0, options); err != nil {
			return err
		}
	}
	return nil
}

// delegate hands the controllers of version 2 down: a group that does so may hold no process itself.
func delegate(root string) error {
	own := filepath.Join(root, "init")
	if err := os.Mkdir(own, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("move into %s: %w", own, err)
	}
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for controller := range bytes.FieldsSeq(controllers) {
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), append([]byte("+"), controller...), 0); err != nil {
			return fmt.Errorf("hand %s down: %w", controller, err)
		}
	}
	return nil
}

// cover puts the lab's own folders over the covered ones.
func (n *Node) cover() error {
	visible := append([]string{n.Dir}, n.Visible...)
	handles := make([]int, len(visible))
	for i, dir := range visible {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s: %w", dir, err)
		}
		defer func() { _ = unix.Close(fd) }()
		handles[i] = fd
	}
	for _, dir := range covered {
		own := filepath.Join(n.Dir, "disk", dir)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		err := mount(own, dir, "", unix.MS_BIND, "")
		if dir == "/run" || onOverlay(n.Dir) { // containerd cannot lay an overlay on an overlay
			err = mount("tmpfs", dir, "tmpfs", 0, "mode=755")
		}
		if err != nil {
			return err
		}
	}
	for i, dir := range visible {
		if err := uncover(dir, handles[i]); err != nil {
			return err
		}
	}
	return nil
}

// uncover shows a folder again that lies under a covered one.
func uncover(dir string, handle int) error {
	for _, above := range covered {
		if !strings.HasPrefix(dir, above+"/") {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return mount(fmt.Sprintf("/proc/self/fd/%d", handle), dir, "", unix.MS_BIND, "")
	}
	return nil
}

func onOverlay(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC
}

// newBootID gives the node another boot id than the machine has: a kubelet tells by it that its node was restarted.
func (n *Node) newBootID() error {
	const bootID = "/proc/sys/kernel/random/boot_id"
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	own := filepath.Join(n.Dir, "disk", "boot-id")
	text := fmt.Sprintf("%x-%x-%x-%x-%x\n", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
		return err
	}
	_ = unix.Unmount(bootID, unix.MNT_DETACH) // there is none the first time
	return mount(own, bootID, "", unix.MS_BIND, "")
}

// reboot ends pods and what holds them, and takes away what no restart of a machine leaves. The lab's kubelet and containerd
// are ended and started by whoever started them.
func (n *Node) reboot() error {
	if err := killPods(); err != nil {
		return err
	}
	own := append([]string{n.Dir}, n.Visible...)
	if err := unmountBelow(own, "/var/lib/kubelet", "/run"); err != nil {
		return err
	}
	if err := emptyRun(own); err != nil {
		return err
	}
	if err := removeGroups(); err != nil {
		return err
	}
	if err := forget(n.Loopback); err != nil {
		return err
	}
	return n.newBootID()
}

// killPods kills every process that is in a pod's cgroup or holds a pod, until there is none.
func killPods() error {
	for range 1000 {
		pids, err := podProcesses()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errors.New("processes of pods do not end")
}

func podProcesses() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		name, _ := os.ReadFile(filepath.Join(dir, "comm")) // it may have ended
		groups, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		if bytes.HasPrefix(name, []byte("containerd-shim")) || bytes.Contains(groups, []byte("/kubepods")) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// unmountBelow takes away all mounts below folders, but not those of the lab itself.
func unmountBelow(own []string, dirs ...string) error {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var targets []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 {
			targets = append(targets, fields[1])
		}
	}
	for i := len(targets) - 1; i >= 0; i-- { // the last one first
		for _, dir := range dirs {
			if strings.HasPrefix(targets[i], dir+"/") && !slices.Contains(own, targets[i]) {
				_ = unix.Unmount(targets[i], unix.MNT_DETACH) // or gone with the one above it
			}
		}
	}
	return nil
}

// emptyRun takes all out of /run, as it lives in memory; but not the lab's own folders, should they be there.
func emptyRun(keep []string) error {
	entries, err := os.ReadDir("/run")
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join("/run", e.Name())
		kept := false
		for _, dir := range keep {
			kept = kept || strings.HasPrefix(dir+"/", path+"/")
		}
		if kept {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}
