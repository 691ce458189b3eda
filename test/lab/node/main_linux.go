// Node holds a lab: what a test starts in the lab is a child of it, and ends with it. It ends when its standard input does,
// which is when the test has, however it ended; it leaves no process, no mount, no control group and no folder.
//
//	node hold -dir DIR [-isolate ...]       serves DIR/lab.sock, on the machine as it is or in namespaces of its own
//	node run -socket FILE [-netns NAME] NAME [ARGUMENT...]    runs a program in the lab
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/podid/podid/test/lab/inside"
)

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("usage: node hold|run"))
	}
	switch os.Args[1] {
	case "hold":
		fail(hold(os.Args[2:]))
	case "isolated":
		fail(isolated(os.Args[2:]))
	case "run":
		code, err := run(os.Args[2:])
		fail(err)
		os.Exit(code)
	default:
		fail(fmt.Errorf("no such verb: %s", os.Args[1]))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// options are those of a lab.
type options struct {
	node    inside.Node
	isolate bool
	keep    bool
}

func parse(args []string) (options, error) {
	var o options
	var visible, addresses, loopback string
	f := flag.NewFlagSet("node", flag.ContinueOnError)
	f.StringVar(&o.node.Dir, "dir", "", "the lab's folder; removed at the end")
	f.BoolVar(&o.isolate, "isolate", false, "in namespaces of its own")
	f.BoolVar(&o.keep, "keep", false, "leave the folder")
	f.StringVar(&o.node.Name, "name", "", "of the node")
	f.StringVar(&visible, "visible", "", "further folders to be seen, separated by colons")
	f.StringVar(&addresses, "addresses", "", "of the node, separated by commas")
	f.StringVar(&loopback, "loopback", "", "further addresses on lo, separated by commas")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.node.Visible = filepath.SplitList(visible)
	o.node.Addresses = strings.FieldsFunc(addresses, isComma)
	o.node.Loopback = strings.FieldsFunc(loopback, isComma)
	return o, nil
}

func isComma(r rune) bool { return r == ',' }

// hold holds the lab until standard input ends.
func hold(args []string) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP) // meant for the test; its end is ours
	o, err := parse(args)
	if err != nil {
		return err
	}
	if !o.keep {
		defer func() { _ = os.RemoveAll(o.node.Dir) }()
	}
	if o.isolate {
		return holdIsolated(args, filepath.Base(o.node.Dir))
	}
	l, err := listen(o.node.Dir)
	if err != nil {
		return err
	}
	s := inside.NewServer(nil)
	defer s.End()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = l.Close()
	}()
	return s.Serve(l)
}

func listen(dir string) (*net.UnixListener, error) {
	// Made under another name, so that it is there when it answers.
	file := filepath.Join(dir, "lab.sock")
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: file + ".new", Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, os.Rename(file+".new", file)
}

// holdIsolated starts the first process of the lab's namespaces and ends it when standard input ends. All that is in the
// namespaces ends with it; the control groups are removed from here.
func holdIsolated(args []string, name string) (err error) {
	runtime.LockOSThread() // the child's death signal comes when the thread that started it ends
	group, err := inside.NewGroup(name)
	if group != nil {
		defer func() { err = errors.Join(err, group.Remove()) }()
	}
	if err != nil {
		return fmt.Errorf("make control groups: %w", err)
	}
	if err := group.Enter(); err != nil { // so that the child's control group namespace begins there
		return err
	}
	first := exec.CommandContext(context.Background(), "/proc/self/exe", append([]string{"isolated"}, args...)...)
	first.Stderr = os.Stderr
	first.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWUTS | syscall.CLONE_NEWCGROUP,
	}
	err = first.Start()
	if err := errors.Join(err, group.Leave()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = first.Process.Kill()
	}()
	err = first.Wait()
	if status, ok := first.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return nil // by us
	}
	return err
}

// isolated is the first process of the namespaces.
func isolated(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if os.Getpid() != 1 {
		return errors.New("is started by hold")
	}
	if err := o.node.SetUp(); err != nil {
		return err
	}
	l, err := listen(o.node.Dir)
	if err != nil {
		return err
	}
	return inside.NewServer(&o.node).Serve(l)
}

// run runs a program in the lab as if it were here: same files, same environment, same folder, its status.
func run(args []string) (int, error) {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	socket := f.String("socket", "", "of the lab")
	netns := f.String("netns", "", "network namespace")
	if err := f.Parse(args); err != nil {
		return 0, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	p, err := inside.Client{Socket: *socket}.Start(context.Background(), inside.Command{
		Netns: *netns, Argv: f.Args(), Env: os.Environ(), Dir: dir, Files: [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	for {
		select {
		case s := <-signals:
			if err := p.Signal(s.(syscall.Signal)); err != nil {
				return 0, err
			}
		case <-p.Done():
			if exit := p.Exit(); exit.Signal != 0 {
				return 128 + exit.Signal, nil
			}
			return p.Exit().Code, nil
		}
	}
}
