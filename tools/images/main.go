// Command images makes the container images of podid's programs, without a container engine: static binaries from scratch, one image
// for each, for several platforms, as OCI layouts and as tar files that `ctr images import`, `podman load` and `skopeo copy` take.
//
// The same sources make the same digests, on any machine: nothing of the time, the user or the place goes into an image.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("images", flag.ContinueOnError)
	root := f.String("root", ".", "folder of the module with the programs below cmd/")
	out := f.String("out", "dist/images", "folder for what is made, below the root unless it is absolute")
	version := f.String("version", "unknown", "version of the programs, and the images' tag")
	platforms := f.String("platforms", "linux/amd64,linux/arm64", "platforms")
	prefix := f.String("prefix", "ghcr.io/podid", "where the images are to be found, for their names")
	revision := f.String("revision", "", "commit of the sources, for the label")
	programs := f.String("programs", "podid,podid-agent,podid-operator", "which programs")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	b := builder{root: *root, version: *version, revision: *revision, prefix: strings.TrimSuffix(*prefix, "/")}
	for p := range strings.SplitSeq(*platforms, ",") {
		platform, err := v1.ParsePlatform(p)
		if err != nil {
			return err
		}
		b.platforms = append(b.platforms, *platform)
	}
	if !filepath.IsAbs(*out) {
		*out = filepath.Join(*root, *out)
	}
	for name := range strings.SplitSeq(*programs, ",") {
		i := slices.IndexFunc(programsOfPodid, func(p program) bool { return p.name == name })
		if i < 0 {
			return fmt.Errorf("there is no program %q", name)
		}
		index, err := b.index(ctx, programsOfPodid[i])
		if err != nil {
			return fmt.Errorf("make the image of %s: %w", name, err)
		}
		file, err := b.write(*out, name, index)
		if err != nil {
			return fmt.Errorf("write the image of %s: %w", name, err)
		}
		digest, err := index.Digest()
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s@%s %s\n", b.reference(name), digest, file)
	}
	return nil
}
