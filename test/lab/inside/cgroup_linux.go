package inside

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Hierarchy is one tree of control groups.
type Hierarchy struct {
	Name    string // of its folder: "memory", "systemd"; "unified" for the one of version 2
	Options string // to mount it with
	Unified bool   // version 2
	Path    string // of the calling process in it
}

// Hierarchies lists the trees that the calling process is in. All of it is read before anything moves: moving changes it.
func Hierarchies() ([]Hierarchy, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var all []Hierarchy
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("not a line of /proc/self/cgroup: %q", line)
		}
		h := Hierarchy{Name: parts[1], Options: parts[1], Path: parts[2]}
		if name, named := strings.CutPrefix(parts[1], "name="); named {
			h.Name, h.Options = name, "none,"+parts[1]
		}
		if parts[0] == "0" {
			h.Name, h.Unified = "unified", true
		}
		all = append(all, h)
	}
	return all, nil
}

// folder is where the machine has the hierarchy mounted; empty if it has not.
func (h Hierarchy) folder() string {
	dir := filepath.Join("/sys/fs/cgroup", h.Name)
	if h.Unified {
		if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err == nil {
			dir = "/sys/fs/cgroup"
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
		return ""
	}
	return dir
}

// Group is one control group of that name in every hierarchy.
type Group struct {
	name  string
	trees []Hierarchy
}

// NewGroup makes the groups.
func NewGroup(name string) (*Group, error) {
	trees, err := Hierarchies()
	if err != nil {
		return nil, err
	}
	g := &Group{name: name}
	for _, h := range trees {
		root := h.folder()
		if root == "" {
			continue
		}
		g.trees = append(g.trees, h)
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			return g, err
		}
		if h.Name != "cpuset" {
			continue
		}
		for _, setting := range []string{"cpuset.cpus", "cpuset.mems"} { // empty ones take no process
			value, err := os.ReadFile(filepath.Join(root, setting))
			if err != nil {
				return g, err
			}
			if err := os.WriteFile(filepath.Join(root, name, setting), value, 0); err != nil {
				return g, err
			}
		}
	}
	return g, nil
}

// Enter moves the calling process in.
func (g *Group) Enter() error { return g.move(func(Hierarchy) string { return g.name }) }

// Leave moves it back to where it was.
func (g *Group) Leave() error { return g.move(func(h Hierarchy) string { return h.Path }) }

func (g *Group) move(to func(Hierarchy) string) error {
	for _, h := range g.trees {
		file := filepath.Join(h.folder(), to(h), "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return fmt.Errorf("move to another control group: %w", err)
		}
	}
	return nil
}

// Remove takes the groups away, with all below them; their processes must have been killed.
func (g *Group) Remove() error {
	var left error
	for _, h := range g.trees {
		dir := filepath.Join(h.folder(), g.name)
		for range 500 { // a killed process may take a moment to leave
			if left = removeTree(dir); left == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if left != nil {
			return left
		}
	}
	return nil
}

// removeTree removes control groups, the lowest first. The files in them are not to be removed, and need not be.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(dir)
}

// removeGroups removes the groups of pods, as seen inside.
func removeGroups() error {
	trees, err := Hierarchies()
	if err != nil {
		return err
	}
	for _, h := range trees {
		if root := h.folder(); root != "" {
			if err := removeTree(filepath.Join(root, "kubepods")); err != nil {
				return fmt.Errorf("remove the pods' control groups: %w", err)
			}
		}
	}
	return nil
}
