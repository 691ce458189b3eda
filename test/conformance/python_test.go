package conformance

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// python makes calls with a client that is written in Python, in a process of its own: drivers/driver.py.
type python struct {
	cmd     *exec.Cmd
	calls   io.WriteCloser
	answers *bufio.Reader
}

func newPython(p *plane, client string) (*python, error) {
	interpreter, err := pythonClients()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(p.dir, client+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d := &python{cmd: exec.Command(interpreter, filepath.Join("drivers", "driver.py"), client)}
	d.cmd.Env, d.cmd.Stderr = p.environment(), log
	if d.calls, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.answers = bufio.NewReaderSize(out, 1<<20)
	return d, d.cmd.Start()
}

func (d *python) make(c call) (a answer, err error) {
	line, err := json.Marshal(c)
	if err != nil {
		return a, err
	}
	if _, err := d.calls.Write(append(line, '\n')); err != nil {
		return a, err
	}
	if line, err = d.answers.ReadBytes('\n'); err != nil {
		return a, fmt.Errorf("the driver ended: %w", err)
	}
	return a, json.Unmarshal(line, &a)
}

// errNoPython is why the drivers in Python are left out.
var errNoPython = errors.New("the clients in Python are not installed: run test/conformance/install")

// pythonClients finds a Python that has the pinned clients: what install or .ci/run made, which is a folder for each list of pins.
var pythonClients = sync.OnceValues(func() (string, error) {
	pins, err := os.ReadFile("../../.ci/requirements.txt")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(pins)
	dir := filepath.Join(cache(), "clients-"+hex.EncodeToString(sum[:])[:12])
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		return "", errNoPython
	}
	return filepath.Join(dir, "bin", "python3"), nil
})

// cache is the folder of what is installed.
func cache() string {
	if dir := os.Getenv("PODID_CACHE"); dir != "" {
		return dir
	}
	dir, err := filepath.Abs("../../.cache")
	if err != nil {
		return ".cache"
	}
	return dir
}
