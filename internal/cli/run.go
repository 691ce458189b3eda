package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

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
		Args: cobra.MinimumNArgs(1),
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
	_ = c.MarkFlagRequired("service-account") // fails only for a flag that is not there
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go pod.Run(ctx)

	program := exec.CommandContext(ctx, args[0], args[1:]...)
	program.Env = append(withoutIdentity(p.Env), pod.Env...)
	program.Stdin, program.Stdout, program.Stderr = p.Stdin, p.Stdout, p.Stderr
	program.Cancel = func() error { return program.Process.Signal(syscall.SIGTERM) }
	if err := program.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); ok {
			return err
		}
		return fmt.Errorf("start %s: %w", args[0], err)
	}
	return nil
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
