package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/podid/podid/internal/devcluster"
)

func runCommand(p *Process) *cobra.Command {
	var data, serviceAccount, pod, roleARN string
	c := &cobra.Command{
		Use:   "run --service-account NAMESPACE/NAME -- COMMAND [ARG...]",
		Short: "Run a program as a pod of the laptop mode's cluster",
		Long: "Run any program as a pod: with the variables and the token file that the webhook would give it. Its SDK asks the\n" +
			"agent for credentials, the agent asks EKS Auth, and what is refused in a cluster is refused here.\n\n" +
			"Whether there is an association is decided when the program asks for credentials, not when it starts.",
		Example: "  podid run --service-account shop/uploader -- aws s3 cp file s3://bucket/folder/file\n" +
			"  podid run --service-account shop/uploader --role-arn arn:aws:iam::111122223333:role/app -- ./program",
		Args: usage(func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("which program to run is not said")
			}
			return nil
		}),
		RunE: func(c *cobra.Command, args []string) error {
			namespace, name, ok := strings.Cut(serviceAccount, "/")
			if !ok || namespace == "" || name == "" {
				return fmt.Errorf("--service-account %q is not NAMESPACE/NAME, for example shop/uploader", serviceAccount)
			}
			return runPod(c.Context(), p, data, devcluster.PodSpec{Namespace: namespace, ServiceAccount: name, Name: pod, RoleARN: roleARN}, args)
		},
	}
	c.Flags().StringVar(&data, "data", p.dataDir(), "data folder of podid dev (PODID_DATA)")
	c.Flags().StringVar(&serviceAccount, "service-account", "", "NAMESPACE/NAME of the pod's service account")
	c.Flags().StringVar(&pod, "pod", "", "name of the pod (default: made from the service account)")
	c.Flags().StringVar(&roleARN, "role-arn", "", "the service account's eks.amazonaws.com/role-arn annotation: use IAM roles for service accounts")
	c.Flags().SetInterspersed(false) // what follows the program's name is the program's
	return c
}

func runPod(ctx context.Context, p *Process, data string, spec devcluster.PodSpec, args []string) (err error) {
	data, err = absolute(data)
	if err != nil {
		return err
	}
	kubelet, err := devcluster.Dial(ctx, clusterDir(data))
	if errors.Is(err, devcluster.ErrNotRunning) {
		return fmt.Errorf("no laptop mode serves %s: start it with \"podid dev --data %s\"", data, data)
	}
	if err != nil {
		return err
	}
	pod, err := kubelet.StartPod(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pod.Close()) }()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)
	if ctx.Err() != nil { // a signal that came before
		return ctx.Err()
	}
	// From here on the program ends by itself: how it takes a signal is its own affair.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go pod.Run(ctx)
	program := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the user's own program
	program.Env = append(withoutIdentity(p.Env), pod.Env...)
	program.Stdin, program.Stdout, program.Stderr = p.Stdin, p.Stdout, p.Stderr
	if err := program.Start(); err != nil {
		return fmt.Errorf("start the program: %w", err)
	}
	ended := make(chan struct{})
	go pass(signals, program.Process, ended)
	err = program.Wait()
	close(ended)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return codeOf(exit)
	}
	return err
}

// pass hands signals on until the program has ended. A terminal sends what its keys mean to the program as well as to podid:
// that is not sent twice.
func pass(signals <-chan os.Signal, to *os.Process, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case s := <-signals:
			if s == os.Interrupt && ofTerminal() {
				continue
			}
			_ = to.Signal(s) // it may have ended, which Wait tells
		}
	}
}

// ofTerminal reports whether this process is in the foreground of a terminal.
func ofTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer func() { _ = tty.Close() }() // nothing was written
	foreground, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}

// codeOf is the exit code of a program as a shell tells it: of one that a signal ended, 128 and the signal's number.
func codeOf(e *exec.ExitError) exitCode {
	if status, ok := e.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitCode(128 + int(status.Signal()))
	}
	return exitCode(e.ExitCode())
}

// withoutIdentity drops from an environment everything that would give an AWS SDK another identity or endpoint than the
// pod's. A pod has nothing of its node's environment.
func withoutIdentity(env []string) []string {
	var kept []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, "AWS_") {
			kept = append(kept, kv)
		}
	}
	return kept
}
