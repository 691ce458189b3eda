// Package inside is both ends of a lab's socket: the process that holds the lab's namespaces answers, tests ask it. What it
// starts lives no longer than the connection that asked for it, and sockets it opens are handed over as they are: a test reads
// and writes a connection inside the lab with nothing in between.
package inside

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// network has message borders: one write is one read, with its files.
const network = "unixpacket"

// maxMessage is less than what a socket takes at once, and more than an environment.
const maxMessage = 128 << 10

// The operations.
const (
	opDial   = "dial"
	opListen = "listen"
	opStart  = "start"
	opNetns  = "netns"
	opReboot = "reboot"
)

type request struct {
	Op      string
	Netns   string `json:",omitempty"` // empty: the lab's own
	Network string `json:",omitempty"`
	Address string `json:",omitempty"`

	Argv []string `json:",omitempty"`
	Env  []string `json:",omitempty"`
	Dir  string   `json:",omitempty"`

	Addresses []string `json:",omitempty"` // of a new network namespace
	Gateways  []string `json:",omitempty"`

	Signal int `json:",omitempty"` // to a process already started
}

type reply struct {
	Error string `json:",omitempty"`
	PID   int    `json:",omitempty"`
	Exit  *Exit  `json:",omitempty"`
}

// Exit is how a process ended.
type Exit struct {
	Code   int
	Signal int
}

func send(c *net.UnixConn, message any, files ...*os.File) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(text) > maxMessage {
		return errors.New("the message is too long: arguments and environment must fit 128 KiB")
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = syscall.UnixRights(fds...)
	}
	_, _, err = c.WriteMsgUnix(text, rights, nil)
	return err
}

// receive reads one message and the files that came with it; io.EOF when the other side has closed.
func receive(c *net.UnixConn, message any) ([]*os.File, error) {
	text, rights := make([]byte, maxMessage), make([]byte, syscall.CmsgSpace(4*4))
	n, m, _, _, err := c.ReadMsgUnix(text, rights)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	files, err := received(rights[:m])
	if err != nil {
		return nil, err
	}
	return files, json.Unmarshal(text[:n], message)
}

func received(rights []byte) ([]*os.File, error) {
	controls, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range controls {
		fds, err := syscall.ParseUnixRights(&controls[i])
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
