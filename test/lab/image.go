package lab

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Image builds a program of this module into an image with nothing else in it, as a tar file in the OCI layout: for Lab.Import.
func Image(tb testing.TB, ref, pkg string, args ...string) string {
	tb.Helper()
	program, err := Build(tb.Context(), pkg)
	if err != nil {
		tb.Fatal(err)
	}
	file, err := NewImage(filepath.Join(tb.TempDir(), filepath.Base(pkg)+".tar"), ref, program, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

// NewImage writes an image that holds one static program, which is its entrypoint, followed by arguments. It returns the file.
func NewImage(file, ref, program string, args ...string) (string, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	name := filepath.Base(program)
	layer, err := archive([]entry{{name, 0o755, text}})
	if err != nil {
		return "", err
	}
	var blobs []entry
	blob := func(kind string, content []byte) descriptor {
		sum := sha256.Sum256(content)
		digest := hex.EncodeToString(sum[:])
		blobs = append(blobs, entry{"blobs/sha256/" + digest, 0o644, content})
		return descriptor{MediaType: "application/vnd.oci.image." + kind, Digest: "sha256:" + digest, Size: len(content)}
	}
	packed := blob("layer.v1.tar", layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": append([]string{"/" + name}, args...)},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{packed.Digest}},
	})
	if err != nil {
		return "", err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": blob("config.v1+json", config), "layers": []descriptor{packed},
	})
	if err != nil {
		return "", err
	}
	named := blob("manifest.v1+json", manifest)
	named.Annotations = map[string]string{
		"io.containerd.image.name": ref, "org.opencontainers.image.ref.name": ref[strings.LastIndex(ref, ":")+1:],
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{named}})
	if err != nil {
		return "", err
	}
	all, err := archive(append([]entry{{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", 0o644, index}}, blobs...))
	if err != nil {
		return "", err
	}
	return file, os.WriteFile(file, all, 0o600)
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type entry struct {
	name string
	mode fs.FileMode
	text []byte
}

// archive packs files, always into the same bytes.
func archive(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: path.Clean(e.name), Mode: int64(e.mode), Size: int64(len(e.text)), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.text); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}
