package embedded

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"go.uber.org/zap/zapcore"
)

// Forward makes a zap core that hands etcd's errors to log as errors, and its warnings as debug lines: etcd warns of every
// choice that is not its default. One of its errors is none: see noise. The rest is dropped.
func Forward(log *slog.Logger) zapcore.Core { return core{log: log} }

// noise is what etcd says as an error at the first start of every member: the data have no term yet, so that their version cannot
// be told. It tells it a moment later.
const noise = "failed to update storage version"

func noTerm(f zapcore.Field) bool {
	err, ok := f.Interface.(error)
	return ok && strings.Contains(err.Error(), "missing term information")
}

type core struct {
	log    *slog.Logger
	fields []zapcore.Field
}

func (c core) Enabled(l zapcore.Level) bool { return l >= zapcore.WarnLevel }

func (c core) With(fields []zapcore.Field) zapcore.Core {
	return core{log: c.log, fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := slog.LevelError
	if e.Level == zapcore.WarnLevel || e.Message == noise && slices.ContainsFunc(fields, noTerm) {
		level = slog.LevelDebug
	}
	if !c.log.Enabled(context.Background(), level) {
		return nil
	}
	m := zapcore.NewMapObjectEncoder()
	for _, f := range c.fields {
		f.AddTo(m)
	}
	for _, f := range fields {
		f.AddTo(m)
	}
	attrs := make([]slog.Attr, 0, len(m.Fields))
	for k, v := range m.Fields {
		attrs = append(attrs, slog.Any(k, v))
	}
	c.log.LogAttrs(context.Background(), level, "etcd: "+e.Message, attrs...) //nolint:sloglint // etcd's own words
	return nil
}

func (core) Sync() error { return nil }
