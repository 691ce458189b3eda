package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/eksapi"
	"github.com/podid/podid/internal/api/eksauthapi"
	"github.com/podid/podid/internal/api/iamapi"
	"github.com/podid/podid/internal/api/organizationsapi"
	"github.com/podid/podid/internal/api/podidapi"
	"github.com/podid/podid/internal/api/s3api"
	"github.com/podid/podid/internal/api/stsapi"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/bucket"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/issuer"
	"github.com/podid/podid/internal/objectstore"
	"github.com/podid/podid/internal/organization"
	"github.com/podid/podid/internal/store"
)

// Run runs a control plane until ctx ends or a part of it fails, and returns when everything is closed.
func Run(ctx context.Context, c Config) error {
	if err := c.validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	tlsConfig, bundle, err := c.certificate()
	if err != nil {
		return err
	}
	// The port is bound before the state is opened: a second podid on the same address fails before it touches anything.
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; if podid runs already, stop it or choose another address with --listen", c.Listen, err)
	}
	defer l.Close()
	db, err := store.Open(ctx, c.store())
	if errors.Is(err, fault.Conflict) {
		return fmt.Errorf("open the state: %w; stop it, or choose another folder with --data", err)
	}
	if errors.Is(err, fault.Unavailable) && len(c.Etcd.Endpoints) > 0 {
		return fmt.Errorf("open the state: %w; does that etcd run, and are --etcd-endpoints and --etcd-ca its own?", err)
	}
	if err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	objects, err := c.objects(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("open the object store: %w", err), db.Close())
	}
	return errors.Join(c.run(ctx, l, tlsConfig, bundle, db, objects), objects.Close(), db.Close())
}

func (c *Config) store() store.Config {
	s := store.Config{Prefix: c.Etcd.Prefix, Logger: c.Logger}
	if len(c.Etcd.Endpoints) > 0 {
		s.Endpoints, s.TLS = c.Etcd.Endpoints, c.Etcd.TLS
	} else {
		s.Dir = filepath.Join(c.Data, "etcd")
	}
	for _, tables := range [][]store.Definition{iam.Schema(), organization.Schema(), cluster.Schema(), bucket.Schema(), credential.Schema()} {
		s.Schema = append(s.Schema, tables...)
	}
	return s
}

func (c *Config) objects(ctx context.Context) (*objectstore.Store, error) {
	if c.ObjectStore.Endpoint == nil {
		return objectstore.OpenEmbedded(ctx, objectstore.EmbeddedConfig{Dir: filepath.Join(c.Data, "objects"), Now: c.Now, Logger: c.Logger})
	}
	s, err := objectstore.NewExternal(objectstore.ExternalConfig{
		Endpoint: c.ObjectStore.Endpoint, Region: c.ObjectStore.Region, AccessKeyID: c.ObjectStore.AccessKeyID,
		SecretAccessKey: c.ObjectStore.SecretAccessKey, Now: c.Now, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	return s, s.Probe(ctx)
}

// run wires the parts and keeps them running. It reads like the picture in docs/ARCHITECTURE.md.
func (c *Config) run(ctx context.Context, l net.Listener, tlsConfig *tls.Config, bundle string, db *store.DB, objects *objectstore.Store) error {
	directory, err := iam.New(iam.Config{DB: db, Quotas: c.Quotas, Now: c.Now})
	if err != nil {
		return err
	}
	ring, err := credential.NewRing(credential.RingConfig{DB: db, Now: c.Now, Logger: c.Logger})
	if err != nil {
		return err
	}
	clusters, err := cluster.New(cluster.Config{DB: db, Region: c.Region, Quotas: c.Quotas, Now: c.Now})
	if err != nil {
		return err
	}
	buckets, err := bucket.New(bucket.Config{DB: db, Region: c.Region, Now: c.Now, Store: objects, Principals: directory, Quotas: c.Quotas, Logger: c.Logger})
	if err != nil {
		return err
	}
	orgs, err := organization.New(organization.Config{DB: db, Quotas: c.Quotas, Now: c.Now})
	if err != nil {
		return err
	}
	authorizer, err := authz.New(authz.Config{IAM: directory, Organizations: orgs, Ring: ring, Now: c.Now})
	if err != nil {
		return err
	}

	issuers := issuer.New(issuer.Config{Allow: c.Issuers.Allow, RootCAs: c.Issuers.RootCAs, Now: c.Now})

	front := api.NewFront(api.FrontConfig{
		Region: c.Region, Authorizer: authorizer, Emit: c.Emit, Used: authorizer.Used, Now: c.Now, Logger: c.Logger, Strict: c.Strict,
		Services: []api.Service{
			eksapi.New(eksapi.Config{Clusters: clusters, IAM: directory}),
			eksauthapi.New(eksauthapi.Config{Clusters: clusters, Authorizer: authorizer, Ring: ring}),
			iamapi.New(iamapi.Config{IAM: directory, Connected: func(account, issuer string) bool {
				return len(clusters.ByIssuer(account, issuer)) > 0
			}}),
			organizationsapi.New(organizationsapi.Config{Organizations: orgs, IAM: directory}),
			stsapi.New(stsapi.Config{IAM: directory, Authorizer: authorizer, Ring: ring, Keys: newProviderKeys(clusters, issuers).find}),
			s3api.New(s3api.Config{Region: c.Region, Buckets: buckets, Store: objects, Hosts: c.TLS.Hosts}),
			podidapi.New(podidapi.Config{Clusters: clusters, IAM: directory, Stopping: ctx.Done()}),
		},
		Plain: map[string]http.Handler{
			"/healthz": health(db),
			"/id/":     podidapi.Discovery(clusters),
		},
	})

	// What requests are made of lives until the last of them is answered: a write that is under way when ctx ends still has its
	// state and its object store. When one of these parts fails, the listener is closed, too.
	g, ctx := errgroup.WithContext(ctx)
	below, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return db.Run(below) })
	g.Go(func() error { return objects.Run(below) })
	g.Go(func() error { return ring.Run(below) })
	g.Go(func() error { return directory.RunUsage(below, c.Logger) })
	g.Go(func() error {
		defer stop()
		defer directory.StopUsage(ctx, c.Logger)
		return c.serve(ctx, l, tlsConfig, front)
	})
	g.Go(func() error {
		first, keys, err := c.administrators(ctx, directory)
		if err != nil {
			return err
		}
		if err := buckets.Reconcile(ctx); err != nil {
			return fmt.Errorf("reconcile the buckets with the object store: %w", err)
		}
		if err := clusters.Reconcile(ctx); err != nil {
			return fmt.Errorf("finish the deletions of clusters: %w", err)
		}
		if c.Ready != nil {
			c.Ready(Started{Endpoint: c.endpoint(l, tlsConfig), CABundle: bundle, FirstAccount: first, Administrators: keys})
		}
		return nil
	})
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Timeouts of the listener; those of bodies are in pace.go.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	drainTimeout   = 10 * time.Second
)

// serve answers until ctx ends, then lets requests that are under way finish for a while.
func (c *Config) serve(ctx context.Context, l net.Listener, tlsConfig *tls.Config, h http.Handler) error {
	s := &http.Server{
		Handler: paced(h, c.Now), TLSConfig: tlsConfig, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
	drained := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(drained)
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if s.Shutdown(limit) != nil {
			_ = s.Close() // what is still open after the drain is cut
		}
	})
	var err error
	if tlsConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if stop() {
		return fmt.Errorf("serve: %w", err)
	}
	<-drained
	return nil
}

// endpoint is the URL that clients are given: the configured one, or that of this listener on this machine.
func (c *Config) endpoint(l net.Listener, tlsConfig *tls.Config) string {
	if c.Endpoint != "" {
		return c.Endpoint
	}
	scheme := "http"
	if tlsConfig != nil {
		scheme = "https"
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// healthTimeout bounds the question to etcd behind a health check.
const healthTimeout = 2 * time.Second

// health answers whether this replica can serve: its picture follows etcd, and etcd answers.
func health(db *store.DB) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		if err := db.Sync(ctx); err != nil {
			http.Error(w, "the state does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n")) // the prober is gone: nothing is left to tell
	})
}
