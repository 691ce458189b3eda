package inside

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Client asks the process that holds a lab's namespaces.
type Client struct {
	Socket string
}

// ask sends one request and reads the first answer. The connection is the caller's.
func (c Client) ask(ctx context.Context, r request, files ...*os.File) (*net.UnixConn, reply, []*os.File, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, c.Socket)
	if err != nil {
		return nil, reply{}, nil, err
	}
	u := conn.(*net.UnixConn)
	stop := context.AfterFunc(ctx, func() { _ = u.Close() })
	answer, got, err := exchange(u, r, files)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		_ = u.Close()
		closeAll(got)
		return nil, reply{}, nil, err
	}
	return u, answer, got, nil
}

func exchange(u *net.UnixConn, r request, files []*os.File) (reply, []*os.File, error) {
	if err := send(u, r, files...); err != nil {
		return reply{}, nil, err
	}
	var answer reply
	got, err := receive(u, &answer)
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	return answer, got, err
}

// do is a request with nothing to follow.
func (c Client) do(ctx context.Context, r request) error {
	conn, _, files, err := c.ask(ctx, r)
	if err != nil {
		return err
	}
	closeAll(files)
	return conn.Close()
}

// socket is a request that is answered with a socket.
func (c Client) socket(ctx context.Context, r request) (*os.File, error) {
	conn, _, files, err := c.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	_ = conn.Close()
	if len(files) != 1 {
		closeAll(files)
		return nil, fmt.Errorf("%d sockets came, not 1", len(files))
	}
	return files[0], nil
}

// Dial connects inside the lab, in a network namespace of it; an empty name is the lab's own.
func (c Client) Dial(ctx context.Context, netns, network, address string) (net.Conn, error) {
	f, err := c.socket(ctx, request{Op: opDial, Netns: netns, Network: network, Address: address})
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return net.FileConn(f)
}

// Listen listens inside the lab; what connects there is accepted here.
func (c Client) Listen(ctx context.Context, netns, network, address string) (net.Listener, error) {
	f, err := c.socket(ctx, request{Op: opListen, Netns: netns, Network: network, Address: address})
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return net.FileListener(f)
}

// Netns makes a network namespace whose one link to the lab's own has the addresses, with routes by the gateways.
func (c Client) Netns(ctx context.Context, name string, addresses, gateways []string) error {
	return c.do(ctx, request{Op: opNetns, Netns: name, Addresses: addresses, Gateways: gateways})
}

// Reboot ends what containerd started and takes away what a node's restart would: mounts, links, addresses, /run.
func (c Client) Reboot(ctx context.Context) error { return c.do(ctx, request{Op: opReboot}) }

// Command is a program to start.
type Command struct {
	Netns string
	Argv  []string // a path, or a name to be found in the PATH of Env
	Env   []string
	Dir   string
	Files [3]*os.File // standard input, output and error; nil is /dev/null
}

// Process is a program at work. It is killed when the connection goes, and so when this process does.
type Process struct {
	PID  int // as seen inside
	conn *net.UnixConn
	done chan struct{}
	exit Exit
}

// Start starts a program.
func (c Client) Start(ctx context.Context, command Command) (*Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }()
	files := command.Files
	for i := range files {
		if files[i] == nil {
			files[i] = null
		}
	}
	conn, answer, _, err := c.ask(ctx, request{
		Op: opStart, Netns: command.Netns, Argv: command.Argv, Env: command.Env, Dir: command.Dir,
	}, files[:]...)
	if err != nil {
		return nil, err
	}
	p := &Process{PID: answer.PID, conn: conn, done: make(chan struct{})}
	go p.wait()
	return p, nil
}

func (p *Process) wait() {
	defer close(p.done)
	var last reply
	if _, err := receive(p.conn, &last); err != nil || last.Exit == nil {
		p.exit = Exit{Code: -1, Signal: int(syscall.SIGKILL)} // the lab is gone, and the process with it
	} else {
		p.exit = *last.Exit
	}
	_ = p.conn.Close()
}

// Signal sends a signal; SIGKILL goes to the program's whole process group.
func (p *Process) Signal(s syscall.Signal) error { return send(p.conn, request{Signal: int(s)}) }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the program ended, once it has.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}
