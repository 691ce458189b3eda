package embedded_test

import (
	"context"
	"log/slog"
)

// recorder is a slog handler that keeps everything.
type recorder struct{ records []slog.Record }

func (*recorder) Enabled(context.Context, slog.Level) bool { return true }
func (h *recorder) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h *recorder) WithGroup(string) slog.Handler          { return h }

func (h *recorder) Handle(_ context.Context, r slog.Record) error {
	h.records = append(h.records, r)
	return nil
}
