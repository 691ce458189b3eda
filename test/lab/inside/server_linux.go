package inside

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Server answers on a lab's socket.
type Server struct {
	processes  *processes
	namespaces namespaces
	node       *Node // nil: it runs on the machine as it is
}

// NewServer makes a server. With a node it is the first process of namespaces that are the lab's alone: it can make further
// ones, and be rebooted.
func NewServer(node *Node) *Server {
	return &Server{processes: newProcesses(), namespaces: newNamespaces(), node: node}
}

// Serve answers until the listener is closed.
func (s *Server) Serve(l *net.UnixListener) error {
	for {
		c, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go s.answer(c)
	}
}

// End kills everything that was started, and what that has started.
func (s *Server) End() { s.processes.end() }

func (s *Server) answer(c *net.UnixConn) {
	defer func() { _ = c.Close() }()
	var r request
	files, err := receive(c, &r)
	defer closeAll(files)
	if err != nil {
		return // closed, or not one of us
	}
	switch r.Op {
	case opDial:
		s.open(c, func() (*os.File, error) { return dial(s.namespaces, r) })
	case opListen:
		s.open(c, func() (*os.File, error) { return listen(s.namespaces, r) })
	case opStart:
		s.start(c, r, files)
	case opNetns:
		s.finish(c, s.ifIsolated(func() error { return s.namespaces.add(r.Netns, r.Addresses, r.Gateways) }))
	case opReboot:
		s.finish(c, s.ifIsolated(func() error { return s.node.reboot() }))
	default:
		s.finish(c, fmt.Errorf("no such operation: %q", r.Op))
	}
}

func (s *Server) ifIsolated(do func() error) error {
	if s.node == nil {
		return errors.New("this lab has no namespaces of its own")
	}
	return do()
}

func (s *Server) finish(c *net.UnixConn, err error) {
	var answer reply
	if err != nil {
		answer.Error = err.Error()
	}
	_ = send(c, answer) // whoever asked may have gone
}

func (s *Server) open(c *net.UnixConn, open func() (*os.File, error)) {
	f, err := open()
	if err != nil {
		s.finish(c, err)
		return
	}
	defer func() { _ = f.Close() }()
	_ = send(c, reply{}, f)
}

type filer interface{ File() (*os.File, error) }

func dial(n namespaces, r request) (*os.File, error) {
	var f *os.File
	err := n.in(r.Netns, func() error {
		c, err := new(net.Dialer).DialContext(context.Background(), r.Network, r.Address)
		if err != nil {
			return err
		}
		defer c.Close()
		f, err = c.(filer).File()
		return err
	})
	return f, err
}

func listen(n namespaces, r request) (*os.File, error) {
	var f *os.File
	err := n.in(r.Netns, func() error {
		l, err := new(net.ListenConfig).Listen(context.Background(), r.Network, r.Address)
		if err != nil {
			return err
		}
		defer l.Close()
		f, err = l.(filer).File()
		return err
	})
	return f, err
}

// start runs a program as long as the connection lasts, and passes signals on.
func (s *Server) start(c *net.UnixConn, r request, files []*os.File) {
	if len(files) != 3 || len(r.Argv) == 0 {
		s.finish(c, errors.New("a program needs a name and three files"))
		return
	}
	p, err := s.processes.start(s.namespaces, r, files)
	closeAll(files)
	if err != nil {
		s.finish(c, err)
		return
	}
	if err := send(c, reply{PID: p.pid}); err != nil {
		s.processes.signal(p, syscall.SIGKILL)
		return
	}
	go func() {
		for {
			var more request
			if _, err := receive(c, &more); err != nil {
				s.processes.signal(p, syscall.SIGKILL) // nobody waits for it any more; nothing if it has ended
				return
			}
			s.processes.signal(p, syscall.Signal(more.Signal))
		}
	}()
	exit := <-p.ended
	_ = send(c, reply{Exit: &exit})
}
