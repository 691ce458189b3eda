// Package store keeps the state of podid in etcd and a picture of all of it in memory. It is the only package that knows etcd.
//
// Reads never leave the process: a [Snapshot] is an immutable picture of every table at one revision, found with one atomic
// load; [Table.Get] takes no lock and does no I/O. [DB.Run] follows etcd's watch and replaces the picture; all changes of one
// revision appear together. Writes go through [DB.Update], an optimistic transaction over any tables, which returns when the
// local picture shows it: a caller reads its own writes. [Table.Fresh] asks etcd itself, for the moment before a refusal.
//
// etcd is one member in this process ([Config.Dir]) or a cluster of the operator's ([Config.Endpoints]); there is one code path
// above the client. The keys and values are described at appendKey and sealEnvelope. Everything lies under one prefix, at whose
// root the schema version is kept; data of a newer version is refused.
package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store/internal/embedded"
)

// Revision is a position in the history of etcd. Later states have greater revisions.
type Revision int64

// Config says where the state is and what it holds. Exactly one of Dir and Endpoints is set.
type Config struct {
	// Dir is the folder of the embedded etcd. It is made with mode 0700 where it is missing, and belongs to one process at a time.
	Dir string

	// Endpoints are the client URLs of an external etcd: https://host:2379, or unix:///path/to/socket.
	Endpoints []string

	// TLS secures the connections to Endpoints; nil for endpoints without TLS.
	TLS *tls.Config

	// Prefix separates this podid from others in the same etcd. Default: podid.
	Prefix string

	// Schema lists every table. Records of tables that are not listed are left alone.
	Schema []Definition

	// Logger receives what the operator must know: unreadable records, a lost watch, etcd's own errors. Default: none.
	Logger *slog.Logger

	// StartTimeout bounds the wait for etcd's first answer in Open; loading the state may take longer. Default: 15 seconds.
	StartTimeout time.Duration
}

const (
	defaultPrefix       = "podid"
	defaultStartTimeout = 15 * time.Second
	dialTimeout         = 5 * time.Second
	keepAlive           = 10 * time.Second
)

// DB is the state. Its methods may be called by any number of goroutines.
type DB struct {
	client    *clientv3.Client
	kv        clientv3.KV // client.KV, or a fault injector around it in tests
	server    *embedded.Server
	where     string // for texts: the endpoints or the folder
	root      string // the encoded prefix
	tables    map[string]Definition
	log       *slog.Logger
	snapshot  atomic.Pointer[Snapshot]
	following atomic.Bool // Run is on its way

	replacing sync.Mutex // held while snapshot is replaced; taken before mu
	mu        sync.Mutex // guards what follows
	waiting   map[Revision]chan struct{}
	next      *round // the round of Sync that has not begun; nil when nobody waits for one
	asking    bool   // ask is on its way
}

// Open starts or reaches etcd and loads the first snapshot. The caller runs [DB.Run] next and calls [DB.Close] last.
//
// It fails with [fault.Conflict] when another process uses Dir, with [fault.Unavailable] when etcd does not answer in time, and
// with [fault.Unsupported] when the data was written by a newer podid.
func Open(ctx context.Context, c Config) (*DB, error) {
	db, err := c.prepare()
	if err != nil {
		return nil, err
	}
	if err := db.connect(ctx, c); err != nil {
		return nil, err
	}
	err = db.claimSchema(ctx, c.StartTimeout)
	if err == nil {
		err = db.reload(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// prepare checks the configuration, fills the defaults in, and makes a DB without an etcd.
func (c *Config) prepare() (*DB, error) {
	if (c.Dir == "") == (len(c.Endpoints) == 0) {
		return nil, fault.New(fault.Invalid, "store", "Exactly one of an etcd folder and etcd endpoints must be configured")
	}
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = defaultStartTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	db := &DB{
		where:   "folder " + c.Dir,
		root:    string(appendElement(nil, c.Prefix)),
		tables:  map[string]Definition{},
		log:     c.Logger,
		waiting: map[Revision]chan struct{}{},
	}
	if c.Dir == "" {
		db.where = strings.Join(c.Endpoints, ", ")
	}
	for _, d := range c.Schema {
		if d.Name() == "" || db.tables[d.Name()] != nil {
			return nil, fault.New(fault.Internal, "store", "The schema has a table without a name or two of one name: %q", d.Name())
		}
		db.tables[d.Name()] = d
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context, c Config) error {
	logger := zap.New(embedded.Forward(c.Logger))
	if c.Dir != "" {
		ctx, cancel := context.WithTimeout(ctx, c.StartTimeout)
		defer cancel()
		server, err := embedded.Start(ctx, embedded.Config{Dir: c.Dir, Logger: logger})
		switch {
		case errors.Is(err, embedded.ErrInUse):
			return fault.New(fault.Conflict, "store", "The data folder %s is in use by another process", c.Dir).Because(err)
		case err != nil:
			return fault.New(fault.Unavailable, "store", "The embedded etcd in %s did not start", c.Dir).Because(err)
		}
		db.server, db.client = server, server.Client()
		db.kv = db.client.KV
		return nil
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            c.Endpoints,
		TLS:                  c.TLS,
		Logger:               logger,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    keepAlive,
		DialKeepAliveTimeout: keepAlive,
		MaxCallRecvMsgSize:   math.MaxInt32,
	})
	if err != nil {
		return fault.New(fault.Invalid, "store", "The etcd endpoints %s cannot be used", db.where).Because(err)
	}
	db.client, db.kv = client, client.KV
	return nil
}

// Close ends the connection and, where it is embedded, etcd itself. Run must have returned.
func (db *DB) Close() error {
	err := db.client.Close()
	if errors.Is(err, context.Canceled) {
		err = nil // clientv3 reports the end of its own context
	}
	if db.server != nil {
		err = errors.Join(err, db.server.Close())
	}
	return err
}

// Snapshot is the newest picture of the state that this process has.
func (db *DB) Snapshot() *Snapshot { return db.snapshot.Load() }

// Changed returns a channel that is closed once a snapshot newer than after is in place.
//
//	for {
//		s := db.Snapshot()
//		...
//		<-db.Changed(s.Revision())
//	}
func (db *DB) Changed(after Revision) <-chan struct{} {
	db.mu.Lock()
	defer db.mu.Unlock()
	if ch, ok := db.waiting[after]; ok {
		return ch
	}
	ch := make(chan struct{})
	if db.Snapshot().Revision() > after {
		close(ch)
		return ch
	}
	db.waiting[after] = ch
	return ch
}

// Backup writes a copy of the whole etcd to w, in the format that `etcdutl snapshot restore` reads.
func (db *DB) Backup(ctx context.Context, w io.Writer) error {
	r, err := db.client.Snapshot(ctx)
	if err != nil {
		return db.unavailable(err)
	}
	defer r.Close()
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("copy the etcd snapshot: %w", err)
	}
	return nil
}

// unavailable words a failure to reach etcd.
func (db *DB) unavailable(cause error) error {
	return fault.New(fault.Unavailable, "store", "etcd does not answer (%s)", db.where).Because(cause)
}
