package publish

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
)

// Config is what a Publisher needs; every field but Endpoint and CertificateAuthority is required.
type Config struct {
	Identity func(context.Context) (*Identity, error)
	Keys     Store
	Wanted   func() *client.Wanted  // nil before the first answer
	Changed  func() <-chan struct{} // closed when something newer is wanted
	See      func(context.Context, *client.Wanted) ([]client.ReportNode, []client.ReportAddon, error)
	Put      func(context.Context, client.Report) error

	Endpoint             string // of the API server, as outsiders reach it; empty: not told
	CertificateAuthority string // base64 of PEM
	Now                  func() time.Time
	Logger               *slog.Logger
}

// Store keeps the keys between two runs.
type Store interface {
	Load(context.Context) (Keys, error) // nothing kept: the zero value
	Save(context.Context, Keys) error
}

// Times of the loop.
const (
	lookEvery = time.Second            // the API server's documents cannot be watched, and a new key is of no use until it is told
	debounce  = 250 * time.Millisecond // pods and nodes change in swarms
	tellEvery = time.Minute            // the same again: the control plane may have lost it, and it costs no write
	retryMost = 5 * time.Second        // where the control plane does not take a report
	lookAgain = 500 * time.Millisecond // where the API server does not answer: one that is restarted may come back with another key
	patience  = 20 * time.Second       // for one round
)

// Publisher publishes. One of a cluster's operators runs it at a time.
type Publisher struct {
	c    Config
	poke chan struct{}

	told     client.Report // the last report that was taken
	revision int64         // of what was wanted then
	toldAt   time.Time

	reports *prometheus.CounterVec
	keys    *prometheus.GaugeVec
	last    prometheus.Gauge
}

// New makes a Publisher.
func New(c Config) *Publisher {
	return &Publisher{
		c: c, poke: make(chan struct{}, 1),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podid_publish_reports_total", Help: "Reports that were put to the control plane, by result.",
		}, []string{"result"}),
		keys: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "podid_publish_keys", Help: "Keys of the published set: served by the API server, or kept for tokens that are out.",
		}, []string{"state"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "podid_publish_last_success_timestamp_seconds", Help: "When the control plane last took a report.",
		}),
	}
}

// Metrics are the publisher's collectors.
func (p *Publisher) Metrics() []prometheus.Collector {
	return []prometheus.Collector{p.reports, p.keys, p.last}
}

// Poke says that something has changed. It never blocks.
func (p *Publisher) Poke() {
	select {
	case p.poke <- struct{}{}:
	default: // it is said already
	}
}

// Run publishes until ctx ends, and then returns nil.
func (p *Publisher) Run(ctx context.Context) error {
	wait := debounce
	for {
		changed := p.c.Changed() // before the look: what comes in between is seen now or again
		err := p.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to end, it has
		case err != nil:
			p.reports.WithLabelValues(fault.Of(err).Kind.Error()).Inc()
			most := retryMost
			if errors.Is(err, errLook) {
				most = lookAgain
			}
			wait = min(wait, most)
			p.c.Logger.WarnContext(ctx, "nothing is published", "error", err, "again_in", wait)
			if !sleep(ctx, wait) {
				return nil
			}
			wait *= 2
			continue
		}
		wait = debounce
		tick := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
		case <-tick.C:
			continue
		case <-p.poke:
		case <-changed:
		}
		tick.Stop()
		if !sleep(ctx, debounce) {
			return nil
		}
		select {
		case <-p.poke: // it is looked at now
		default:
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// round looks, and tells what is new.
func (p *Publisher) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	report, keys, err := p.look(ctx)
	if err != nil {
		return err
	}
	var revision int64
	if w := p.c.Wanted(); w != nil {
		revision = w.Revision
	}
	now := p.c.Now()
	if revision == p.revision && now.Sub(p.toldAt) < tellEvery && reflect.DeepEqual(*report, p.told) {
		return nil
	}
	if err := p.c.Put(ctx, *report); err != nil {
		return err
	}
	p.reports.WithLabelValues("ok").Inc()
	p.keys.WithLabelValues("served").Set(float64(len(keys.Keys) - keys.kept()))
	p.keys.WithLabelValues("kept").Set(float64(keys.kept()))
	p.last.Set(float64(now.Unix()))
	if !reflect.DeepEqual(*report, p.told) {
		p.c.Logger.InfoContext(ctx, "the cluster is published", "issuer", report.Issuer, "keys", len(keys.Keys), "kept_keys", keys.kept(),
			"version", report.Version, "nodes", len(report.Nodes), "addons", len(report.Addons))
	}
	p.told, p.revision, p.toldAt = *report, revision, now
	return nil
}

// look makes the report. The kept keys are written before anything is told, so that no restart forgets a key that was published.
func (p *Publisher) look(ctx context.Context) (*client.Report, *Keys, error) {
	id, err := p.c.Identity(ctx)
	if err != nil {
		return nil, nil, unavailable("the API server's documents", err)
	}
	before, err := p.c.Keys.Load(ctx)
	if err != nil {
		return nil, nil, unavailable("the kept keys", err)
	}
	keys, err := before.Retain(id.Issuer, id.JWKS, p.c.Now())
	if err != nil {
		return nil, nil, err
	}
	if !keys.same(before) {
		if err := p.c.Keys.Save(ctx, keys); err != nil {
			return nil, nil, unavailable("the kept keys", err)
		}
	}
	nodes, addons, err := p.c.See(ctx, p.c.Wanted())
	if err != nil {
		return nil, nil, unavailable("nodes and add-ons", err)
	}
	return &client.Report{
		Issuer: id.Issuer, JWKS: keys.JWKS(), Endpoint: p.c.Endpoint, CertificateAuthority: p.c.CertificateAuthority, Version: id.Version,
		Nodes: nodes, Addons: addons,
	}, &keys, nil
}

// errLook is the cause of failures that are the cluster's: the control plane was not asked.
var errLook = errors.New("the cluster was not looked at")

// unavailable says what of the cluster could not be read or written. A failure that has a kind keeps it.
func unavailable(what string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.New(fault.Unavailable, "cluster", "%s cannot be reached", what).Because(errors.Join(errLook, err))
}
