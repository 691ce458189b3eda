//go:build tools

// Package kwok pins what the lab builds of it.
package kwok

import (
	_ "sigs.k8s.io/kwok/cmd/kwok"
)
