package embedded_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/podid/podid/internal/store/internal/embedded"
)

func TestStart(t *testing.T) {
	t.Parallel()
	c := embedded.Config{Dir: filepath.Join(t.TempDir(), "state"), Logger: zap.NewNop()}
	s, err := embedded.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Listeners(); n != 0 {
		t.Errorf("the member listens in %d places", n)
	}
	if info, err := os.Stat(c.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	if err := filepath.WalkDir(c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() == fs.ModeSocket {
			t.Errorf("there is a socket: %s", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if _, err := embedded.Start(t.Context(), c); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("a second start: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := embedded.Start(t.Context(), c)
	if err != nil {
		t.Fatalf("a start after the end: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestForward(t *testing.T) {
	t.Parallel()
	type line struct {
		level slog.Level
		text  string
	}
	for level, want := range map[zapcore.Level]*line{ //nolint:exhaustive // the others end the program
		zapcore.DebugLevel: nil,
		zapcore.InfoLevel:  nil,
		zapcore.WarnLevel:  {slog.LevelDebug, "etcd: hello"},
		zapcore.ErrorLevel: {slog.LevelError, "etcd: hello"},
	} {
		h := &recorder{}
		logger := zap.New(embedded.Forward(slog.New(h))).With(zap.String("member", "m"))
		logger.Log(level, "hello", zap.Int("n", 1))
		switch {
		case want == nil && len(h.records) != 0:
			t.Errorf("%s: got %v, want nothing", level, h.records)
		case want != nil && (len(h.records) != 1 || h.records[0].Level != want.level || h.records[0].Message != want.text):
			t.Errorf("%s: got %v, want %v", level, h.records, want)
		case want != nil && h.records[0].NumAttrs() != 2:
			t.Errorf("%s: %d attributes", level, h.records[0].NumAttrs())
		}
	}
}
