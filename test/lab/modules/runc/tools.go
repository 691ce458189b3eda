//go:build tools

// Package runc pins what the lab builds of it.
package runc

import (
	_ "github.com/opencontainers/runc"
)
