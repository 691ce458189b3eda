package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/policy"
)

func policyFmtCommand(p *Process) *cobra.Command {
	var f formatter
	c := &cobra.Command{
		Use:   "fmt FILE...",
		Short: "Lay policies out in one way",
		Long: "Lay policies out in one way: elements in the order of the reference, two spaces a level, a list of one as a string, longer\n" +
			"lists one value a line. The meaning stays: nothing is added, dropped, sorted or respelled. The result goes to standard\n" +
			"output, with -w back into the file; --check only looks.\n\n" +
			"Exit codes: 0 done, 1 with --check a file is laid out differently, 2 an error.",
		Example: "  podid policy fmt app.json\n  podid policy fmt -w policies/*.json\n  podid policy fmt --check policies/*.json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f.p = p
			if f.write && f.check {
				return errors.New("-w and --check exclude each other")
			}
			for _, name := range args {
				if err := f.file(name); err != nil {
					return err
				}
			}
			if f.differs {
				return errNo
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&f.write, "write", "w", false, "write the result back into the file")
	c.Flags().BoolVar(&f.check, "check", false, "change nothing, name the files that are laid out differently, and exit with 1 if there are any")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON line a file: file, changed, text")
	return c
}

type formatter struct {
	p                  *Process
	write, check, json bool
	differs            bool // --check has found something
}

func (f *formatter) file(name string) error {
	text, err := f.p.readPolicy(name)
	if err != nil {
		return err
	}
	o, err := policy.ReadOutline(text)
	if err != nil {
		return placed(name, err)
	}
	formatted := o.String()
	changed := formatted != text
	f.differs = f.differs || f.check && changed
	if f.write && changed && name != "-" {
		if err := replaceFile(filepath.Clean(name), formatted); err != nil {
			return err
		}
	}
	switch {
	case f.json:
		return f.p.printJSON(struct {
			File    string `json:"file"`
			Changed bool   `json:"changed"`
			Text    string `json:"text"`
		}{name, changed, formatted})
	case f.check && changed:
		_, err = fmt.Fprintln(f.p.Stdout, name)
	case !f.check && (!f.write || name == "-"):
		_, err = io.WriteString(f.p.Stdout, formatted)
	}
	return err
}

// replaceFile writes beside the file and renames, so that a crash leaves the old policy or the new one.
func replaceFile(name, text string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".podid-fmt-*")
	if err != nil {
		return err
	}
	_, err = io.WriteString(tmp, text)
	err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
