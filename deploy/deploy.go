// Package deploy holds the Helm chart of what runs in a cluster, so that a binary that installs it, or part of it, needs no file beside
// itself. What podid installs and what Helm installs from the same folder are the same.
package deploy

import (
	"embed"
	"io/fs"
)

//go:embed all:chart
var files embed.FS

// Chart is the chart's folder: Chart.yaml is at its root.
func Chart() fs.FS {
	chart, err := fs.Sub(files, "chart")
	if err != nil {
		panic(err) // the path is a constant
	}
	return chart
}
