// Package embedded runs one etcd member inside the process.
//
// The member opens no port: its client is wired to it in memory, and it has no peers. A unix socket may be added, for tests in
// which several clients share one member.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
)

// ErrInUse says that another process, or another Server of this one, has the folder.
var ErrInUse = errors.New("the folder is locked")

// Config says how to run the member.
type Config struct {
	Dir    string // made with mode 0700 where missing
	Logger *zap.Logger

	// Socket is the path of a unix socket to serve clients on; empty for none.
	Socket string

	// NoFsync gives durability up for speed. Only storetest sets it.
	NoFsync bool
}

const (
	memberName = "podid"
	lockFile   = "podid.lock"

	// One member elects itself: short ticks make that quick (five ticks and more) and cost nothing, as nobody hears a heartbeat.
	tickMs     = 10
	electionMs = 100

	// quotaBytes is the greatest size that etcd's documentation supports. When it is reached, writes are refused and reads go on.
	quotaBytes = 8 << 30

	// compactAfter bounds the history. A watch that is further behind loads the whole state again.
	compactAfter = "1h"
)

// Server is a running member.
type Server struct {
	etcd   *embed.Etcd
	client *clientv3.Client
	lock   *fileutil.LockedFile
}

// Start runs the member and returns when it serves. It fails with [ErrInUse] at once when the folder is taken, where etcd itself
// would wait for ever.
func Start(ctx context.Context, c Config) (*Server, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(c.Dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := fileutil.TryLockFile(filepath.Join(c.Dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		return nil, fmt.Errorf("%s: %w", c.Dir, ErrInUse)
	}
	if err != nil {
		return nil, err
	}
	e, err := embed.StartEtcd(c.etcd())
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Server{etcd: e, lock: lock}
	select {
	case <-e.Server.ReadyNotify():
		s.client = v3client.New(e.Server)
		return s, nil
	case err = <-e.Err():
	case <-e.Server.StopNotify():
		err = errors.New("etcd stopped while starting")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	e.Close()
	return nil, errors.Join(err, lock.Close())
}

func (c Config) etcd() *embed.Config {
	// Nobody listens here; a member must have a name and an address to be a member of a cluster of one.
	nowhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	e := embed.NewConfig()
	e.Name = memberName
	e.Dir = filepath.Join(c.Dir, "etcd")
	e.ListenPeerUrls = nil
	e.AdvertisePeerUrls = nowhere
	e.ListenClientUrls = nil
	e.AdvertiseClientUrls = nowhere
	if c.Socket != "" {
		e.ListenClientUrls = []url.URL{{Scheme: "unix", Path: c.Socket}}
	}
	e.InitialCluster = e.InitialClusterFromName(memberName)
	e.EnableGRPCGateway = false
	e.TickMs, e.ElectionMs = tickMs, electionMs
	e.AutoCompactionMode, e.AutoCompactionRetention = embed.CompactorModePeriodic, compactAfter
	e.QuotaBackendBytes = quotaBytes
	e.UnsafeNoFsync = c.NoFsync
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(c.Logger)
	return e
}

// Client is a client without a network. Close ends it.
func (s *Server) Client() *clientv3.Client { return s.client }

// Close stops the member and frees the folder.
func (s *Server) Close() error {
	err := s.client.Close()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	s.etcd.Close()
	return errors.Join(err, s.lock.Close())
}

// RemoveUnused deletes a folder that a Server had and that nobody has now. It leaves alone what is in use, what never was a
// Server's folder, and what was made a moment ago by somebody who is about to use it.
func RemoveUnused(dir string) error {
	path := filepath.Join(dir, lockFile)
	info, err := os.Stat(path)
	if err != nil || time.Since(info.ModTime()) < time.Minute { //nolint:forbidigo // the file system's clock is the real one
		return nil //nolint:nilerr // not a folder of ours
	}
	lock, err := fileutil.TryLockFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil //nolint:nilerr // somebody uses it
	}
	return errors.Join(os.RemoveAll(dir), lock.Close())
}
