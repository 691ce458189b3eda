package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// module writes a small module that has podid's programs.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("go.mod", "module example.com/small\n\ngo 1.26\n")
	for _, p := range programsOfPodid {
		put("cmd/"+p.name+"/main.go", "package main\n\nvar version string\n\nfunc main() { println(version) }\n")
	}
	return dir
}

func build(t *testing.T, args ...string) (dir, said string) {
	t.Helper()
	dir = module(t)
	var out bytes.Buffer
	if err := run(t.Context(), append([]string{"-root", dir, "-version", "v1.2.3", "-prefix", "registry.example.com/podid/"}, args...), &out); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "dist/images"), out.String()
}

func TestSameSourcesMakeTheSameImages(t *testing.T) {
	t.Parallel()
	sums := func() (list []string) {
		dir, said := build(t)
		for _, p := range programsOfPodid {
			text, err := os.ReadFile(filepath.Join(dir, p.name+".tar"))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(text)
			list = append(list, string(sum[:]))
			if want := "registry.example.com/podid/" + p.name + ":v1.2.3@sha256:"; !strings.Contains(said, want) {
				t.Errorf("%q is not in %q", want, said)
			}
		}
		return list
	}
	if first, second := sums(), sums(); !slices.Equal(first, second) {
		t.Error("built twice, in two places, and different")
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	dir, _ := build(t, "-programs", "podid,podid-agent", "-revision", "abc")
	for _, name := range []string{"podid", "podid-agent"} {
		top, err := layout.ImageIndexFromPath(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(top); err != nil {
			t.Error(err)
		}
		m, err := top.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Manifests[0].Annotations["io.containerd.image.name"]; len(m.Manifests) != 1 || got != "registry.example.com/podid/"+name+":v1.2.3" {
			t.Errorf("got %q", got)
		}
		index, err := top.ImageIndex(m.Manifests[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		list, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		var platforms []string
		for _, d := range list.Manifests {
			platforms = append(platforms, d.Platform.String())
			image, err := index.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			check(t, name, image)
		}
		if !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
			t.Errorf("%s is for %v", name, platforms)
		}
	}
}

func check(t *testing.T, name string, image v1.Image) {
	t.Helper()
	c, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c.Config.User != "65532:65532" || !slices.Equal(c.Config.Entrypoint, []string{"/" + name}) || !c.Created.Equal(epoch) ||
		c.Config.Labels["org.opencontainers.image.version"] != "v1.2.3" || c.Config.Labels["org.opencontainers.image.revision"] != "abc" {
		t.Errorf("%s: got %+v", name, c.Config)
	}
	files := map[string][]byte{}
	r := mutate.Extract(image)
	defer r.Close()
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(epoch) || h.Mode&0o022 != 0 && h.Mode&0o1000 == 0 {
			t.Errorf("%s: %s has mode %o and time %s", name, h.Name, h.Mode, h.ModTime)
		}
		if files[h.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.HasPrefix(files[name], []byte("\x7fELF")) || !bytes.Contains(files[name], []byte("v1.2.3")) {
		t.Errorf("%s is no program with its version: %d bytes", name, len(files[name]))
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(files["etc/ssl/certs/ca-certificates.crt"]) {
		t.Errorf("%s trusts nobody", name)
	}
	if _, ok := files["var/lib/podid"]; ok != (name == "podid") {
		t.Errorf("%s has a data folder: %v", name, ok)
	}
}

func TestRun_refusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-programs", "other"}, {"-platforms", "linux"}, {"more"}, {"-platforms", "plan10/amd64", "-root", module(t)}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
