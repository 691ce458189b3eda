// Command podid is the control plane, the laptop mode and the command line of podid.
package main

import (
	"os"

	"github.com/podid/podid/internal/cli"
)

func main() {
	os.Exit(cli.Run(cli.UntilAsked(), cli.Process{
		Args: os.Args[1:], Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
