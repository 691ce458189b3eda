package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/kube/serviceaccount"
	"github.com/podid/podid/internal/migration"
)

// accountSource is where service accounts are read from: a cluster, or manifests.
type accountSource struct {
	kubeconfig, context string
	files               []string
}

func (a *accountSource) flags(c *cobra.Command) {
	c.Flags().StringVar(&a.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster (KUBECONFIG, ~/.kube/config)")
	c.Flags().StringVar(&a.context, "context", "", "context of the kubeconfig (default: its current one)")
	c.Flags().StringArrayVarP(&a.files, "filename", "f", nil, "manifest, or folder of manifests, instead of the cluster; - is the standard input; repeatable")
}

// asked reports whether a flag names a source.
func (a *accountSource) asked() bool {
	return a.kubeconfig != "" || a.context != "" || len(a.files) > 0
}

// read reads the service accounts.
func (a *accountSource) read(ctx context.Context, p *Process) ([]migration.ServiceAccount, error) {
	if len(a.files) == 0 {
		return serviceaccount.FromCluster(ctx, (&clusterFlags{kubeconfig: a.kubeconfig}).kubeconfigs(p), a.context)
	}
	if a.kubeconfig != "" || a.context != "" {
		return nil, errors.New("--filename is instead of a cluster: leave out --kubeconfig and --context")
	}
	var manifests []serviceaccount.Manifests
	for _, name := range a.files {
		if name == "-" {
			manifests = append(manifests, serviceaccount.Manifests{Name: "the standard input", Text: p.Stdin})
			continue
		}
		paths, err := manifestFiles(name)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("read the manifest: %w", err)
			}
			manifests = append(manifests, serviceaccount.Manifests{Name: path, Text: bytes.NewReader(text)})
		}
	}
	return serviceaccount.FromManifests(manifests...)
}

// manifestFiles are a file, or the files of a folder that kubectl would take.
func manifestFiles(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var list []string
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		found, err := filepath.Glob(filepath.Join(name, pattern))
		if err != nil {
			return nil, fmt.Errorf("read the manifests: %w", err)
		}
		list = append(list, found...)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the folder %s has no .yaml, .yml or .json", name)
	}
	slices.Sort(list)
	return list, nil
}
