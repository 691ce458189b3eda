package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// program is one image's.
type program struct {
	name, title string
	command     []string
	home        string // a folder that nobody's own program may write to; "": none
}

const data = "/var/lib/podid"

var programsOfPodid = []program{
	{"podid", "podid's control plane and command line", nil, data},
	{"podid-agent", "podid's node agent", []string{"server"}, ""},
	{"podid-operator", "podid's operator", nil, ""},
}

// nobody is the user of the images, and of the operator's pods. The agent's pods say that they run as root: a port below 1024.
const nobody = 65532

// epoch is the time of everything: what was made when says nothing of what it is.
var epoch = time.Unix(0, 0).UTC()

// builder makes images of one version.
type builder struct {
	root, version, revision, prefix string
	platforms                       []v1.Platform
}

func (b builder) reference(name string) string { return b.prefix + "/" + name + ":" + b.version }

// index is the image for all platforms.
func (b builder) index(ctx context.Context, p program) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range b.platforms {
		image, err := b.image(ctx, p, platform)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	return mutate.Annotations(index, b.labels(p)).(v1.ImageIndex), nil
}

// labels are the standard's annotations; who looks at an image of a registry finds the sources.
func (b builder) labels(p program) map[string]string {
	m := map[string]string{
		"org.opencontainers.image.title": p.name, "org.opencontainers.image.description": p.title,
		"org.opencontainers.image.source": "https://github.com/podid/podid", "org.opencontainers.image.url": "https://github.com/podid/podid",
		"org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.version": b.version,
	}
	if b.revision != "" {
		m["org.opencontainers.image.revision"] = b.revision
	}
	return m
}

func (b builder) image(ctx context.Context, p program, platform v1.Platform) (v1.Image, error) {
	binary, err := b.compile(ctx, p.name, platform)
	if err != nil {
		return nil, err
	}
	content, err := files(p, binary)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: epoch}, CreatedBy: "podid " + b.version, Comment: p.name + ", certificate authorities",
	}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Variant, config.Created = platform.Architecture, platform.OS, platform.Variant, v1.Time{Time: epoch}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + p.name}, Cmd: p.command, User: fmt.Sprintf("%d:%[1]d", nobody), Labels: b.labels(p),
		Env: []string{"PATH=/", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
	}
	if p.home != "" {
		config.Config.Env = append(config.Config.Env, "HOME="+p.home, "PODID_DATA="+p.home+"/data")
		config.Config.WorkingDir = p.home
		config.Config.Volumes = map[string]struct{}{p.home: {}}
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, b.labels(p)).(v1.Image), nil
}

// compile builds a program: static, and without a trace of the place where it was built.
func (b builder) compile(ctx context.Context, name string, platform v1.Platform) ([]byte, error) {
	dir, err := os.MkdirTemp("", "podid-images-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, name)
	flags := "-s -w -buildid= -X main.version=" + b.version + " -X github.com/podid/podid/internal/cli.version=" + b.version
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", file, "./cmd/"+name)
	c.Dir = b.root
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOFLAGS=", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0")
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return os.ReadFile(file)
}

// files is the image's one layer.
func files(p program, binary []byte) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	folder := func(name string, owner int, mode int64) error {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Uid: owner, Gid: owner, ModTime: epoch, Format: tar.FormatPAX})
	}
	file := func(name string, mode int64, content []byte) error {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: epoch, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	users := fmt.Sprintf("root:x:0:0:root:/:/\nnobody:x:%d:%[1]d:nobody:%s:/\n", nobody, p.home)
	steps := []func() error{
		func() error { return folder("etc/", 0, 0o755) },
		func() error { return file("etc/passwd", 0o644, []byte(users)) },
		func() error { return file("etc/group", 0o644, fmt.Appendf(nil, "root:x:0:\nnobody:x:%d:\n", nobody)) },
		func() error { return folder("etc/ssl/", 0, 0o755) },
		func() error { return folder("etc/ssl/certs/", 0, 0o755) },
		func() error { return file("etc/ssl/certs/ca-certificates.crt", 0o644, roots()) },
		func() error { return folder("tmp/", 0, 0o1777) },
	}
	if p.home != "" {
		steps = append(steps,
			func() error { return folder("var/", 0, 0o755) },
			func() error { return folder("var/lib/", 0, 0o755) },
			func() error { return folder(p.home[1:]+"/", nobody, 0o700) })
	}
	steps = append(steps, func() error { return file(p.name, 0o755, binary) })
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

// roots are Mozilla's certificate authorities, as Go keeps them: a module with a version, not this machine's. Those that Mozilla trusts
// for some names only are left out, because the file cannot say so.
func roots() []byte {
	var b bytes.Buffer
	for r := range bundle.Roots() {
		if r.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}) // a buffer takes all
		}
	}
	return b.Bytes()
}
