package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func traceCommand(p *Process) *cobra.Command {
	var data, file string
	c := &cobra.Command{
		Use:   "trace REQUEST-ID",
		Short: "Show what is recorded of a request",
		Long: "Show the record of a request: who asked, what was decided and why, with every policy layer's answer.\n" +
			"Every answer of podid carries its request id; errors of AWS clients print it.",
		Example: "  podid trace 0d7b3f6e-5f0e-4d0a-a7bb-62c4d9f5b9a1",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if file == "" {
				dir, err := absolute(data)
				if err != nil {
					return err
				}
				file = recordFile(dir)
			}
			return trace(p, file, args[0])
		},
	}
	c.Flags().StringVar(&data, "data", p.dataDir(), "data folder of the control plane (PODID_DATA)")
	c.Flags().StringVar(&file, "records", "", "file with request records (default DATA/records.jsonl)")
	return c
}

// maxRecord bounds a line: a record with a long trace has some tens of kilobytes.
const maxRecord = 4 << 20

// errNoRequest says that a file holds no such record.
var errNoRequest = errors.New("no such request")

// trace looks into the file and, where it was rotated, into the older ones, newest first.
func trace(p *Process, file, id string) error {
	err := traceIn(p, file, id)
	if !errors.Is(err, errNoRequest) {
		return err
	}
	extension := filepath.Ext(file)
	older, globErr := filepath.Glob(strings.TrimSuffix(file, extension) + "-*" + extension)
	if globErr != nil {
		return globErr
	}
	slices.Sort(older) // their names end in the time of the rotation
	for _, name := range slices.Backward(older) {
		if err := traceIn(p, name, id); !errors.Is(err, errNoRequest) {
			return err
		}
	}
	return fmt.Errorf("no request %s in %s; give another control plane's folder with --data", id, file)
}

func traceIn(p *Process, file, id string) error {
	in, err := os.Open(filepath.Clean(file))
	if err != nil {
		return fmt.Errorf("open the request records: %w; give the control plane's folder with --data or its file with --records", err)
	}
	defer func() { _ = in.Close() }() // it was only read
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxRecord)
	for lines.Scan() {
		var head struct {
			RequestID string `json:"requestID"`
		}
		if json.Unmarshal(lines.Bytes(), &head) != nil || head.RequestID != id {
			continue
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, lines.Bytes(), "", "  "); err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.Stdout, pretty.String())
		return err
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the request records: %w", err)
	}
	return errNoRequest
}
