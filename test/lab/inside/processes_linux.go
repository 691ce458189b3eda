package inside

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processes starts programs and buries all children, its own and those left to it: it is the first process of its PID
// namespace, or at least the one to whom orphans fall.
type processes struct {
	starts chan func()
	born   chan struct{} // wakes the burying after there was nothing to bury

	mu      sync.Mutex
	waiting map[int]*process
	ending  bool
}

type process struct {
	pid   int
	over  bool // under processes.mu
	ended chan Exit
}

func newProcesses() *processes {
	p := &processes{starts: make(chan func()), born: make(chan struct{}, 1), waiting: map[int]*process{}}
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) // means nothing to a first process, and there is no other way to fail
	go func() {
		// A child's death signal comes when the thread that started it ends: this one does not.
		runtime.LockOSThread()
		for start := range p.starts {
			start()
		}
	}()
	go p.bury()
	return p
}

// start starts a program in a network namespace.
func (p *processes) start(n namespaces, r request, files []*os.File) (*process, error) {
	path, err := find(r.Argv[0], r.Env)
	if err != nil {
		return nil, err
	}
	attr := &os.ProcAttr{Dir: r.Dir, Env: r.Env, Files: files, Sys: &syscall.SysProcAttr{Setpgid: true}}
	var started *process
	if r.Netns != "" { // of a thread that ends at once: only the connection's end, or the lab's, ends such a process
		err = n.in(r.Netns, func() (err error) {
			started, err = p.spawn(path, r.Argv, attr)
			return err
		})
		return started, err
	}
	attr.Sys.Pdeathsig = syscall.SIGKILL
	done := make(chan struct{})
	p.starts <- func() {
		defer close(done)
		started, err = p.spawn(path, r.Argv, attr)
	}
	<-done
	return started, err
}

func (p *processes) spawn(path string, argv []string, attr *os.ProcAttr) (*process, error) {
	p.mu.Lock() // so that it is not buried before it is known
	defer p.mu.Unlock()
	if p.ending {
		return nil, errors.New("the lab is ending")
	}
	child, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return nil, err
	}
	started := &process{pid: child.Pid, ended: make(chan Exit, 1)}
	p.waiting[child.Pid] = started
	_ = child.Release()
	select {
	case p.born <- struct{}{}:
	default:
	}
	return started, nil
}

// bury waits for every child that ends.
func (p *processes) bury() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.ECHILD):
			<-p.born
		case err != nil:
		default:
			p.mu.Lock()
			if ended, ours := p.waiting[pid]; ours {
				delete(p.waiting, pid)
				ended.over = true
				exit := Exit{Code: status.ExitStatus()}
				if status.Signaled() {
					exit.Signal = int(status.Signal())
				}
				ended.ended <- exit
			}
			p.mu.Unlock()
		}
	}
}

// signal sends a signal to a program, and SIGKILL to all of its process group.
func (p *processes) signal(to *process, s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if to.over { // its number may be another's by now
		return
	}
	if s == syscall.SIGKILL {
		_ = syscall.Kill(-to.pid, s)
	}
	_ = syscall.Kill(to.pid, s)
}

// end kills all descendants: each generation falls to us when its parents die.
func (p *processes) end() {
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	for range 500 {
		children := children(os.Getpid())
		if len(children) == 0 {
			return
		}
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// children lists the children of a process.
func children(of int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	if err != nil {
		return nil
	}
	var pids []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for field := range bytes.FieldsSeq(text) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// find looks a program up in the PATH that it is given, not in ours.
func find(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for i := len(env) - 1; i >= 0; i-- {
		list, isPath := strings.CutPrefix(env[i], "PATH=")
		if !isPath {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			file := filepath.Join(dir, name)
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return file, nil
			}
		}
		break
	}
	return "", fmt.Errorf("no program %q in PATH", name)
}
