package objectstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
	"golang.org/x/sys/unix"

	"github.com/podid/podid/internal/fault"
)

// EmbeddedConfig says where the embedded store keeps its objects.
type EmbeddedConfig struct {
	Dir    string // made if it is not there; nobody else may read it
	Now    func() time.Time
	Logger *slog.Logger // nil: silent
}

// The parts of the data folder.
const (
	objectsDir = "objects" // a folder per bucket, a file per object
	sidecarDir = "sidecar" // attributes, where the file system has none of its own
	runDir     = "run"     // the socket
	lockFile   = "lock"    // held while a process uses the folder

	// The socket is named from the objects folder, which is the working directory: a path of any length would not fit into an address.
	socket = "../" + runDir + "/s3.sock"
)

const (
	maxConnections = 4096
	maxRequests    = 4096
	maxParts       = 10000
	maxCopy        = 5 << 30 // bytes, S3's own limit
	stopTimeout    = 15 * time.Second
)

// embedded is a store inside this process: versitygw's posix backend. spec: s3.md 8
type embedded struct {
	dir  *os.File // the objects folder
	lock io.Closer
	stop context.CancelFunc
	done chan struct{} // closed when versitygw has ended
	err  error         // why; read after done

	closed    atomic.Bool
	closeOnce func() error
}

// running is true while the one embedded store of this process is open. versitygw has its settings in package variables and resolves every
// bucket against the working directory, and a process has one of each; this variable is as global as they are.
var running atomic.Bool

// OpenEmbedded starts the embedded store and returns when it answers. Only one can be open in a process.
//
// It changes the working directory of the process to the data folder, for as long as the store is open and after: versitygw's posix
// backend opens every file by a path relative to it. Whoever opens the embedded store makes all other paths absolute first.
//
// It writes nothing to standard output. Its root key is random, new at each start and known to this process only; its socket is in a folder
// that only this user can enter.
func OpenEmbedded(ctx context.Context, c EmbeddedConfig) (*Store, error) {
	if c.Dir == "" || c.Now == nil {
		return nil, fault.New(fault.Internal, "object store", "the embedded store needs a folder and a clock")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if !running.CompareAndSwap(false, true) {
		return nil, fault.New(fault.Conflict, "object store", "This process has an embedded object store already.")
	}
	s, err := openEmbedded(ctx, c)
	if err != nil {
		running.Store(false)
		return nil, err
	}
	return s, nil
}

func openEmbedded(ctx context.Context, c EmbeddedConfig) (_ *Store, err error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("object store folder: %w", err)
	}
	for _, d := range []string{dir, filepath.Join(dir, objectsDir), filepath.Join(dir, sidecarDir), filepath.Join(dir, runDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("object store folder: %w", err)
		}
		if err := os.Chmod(d, 0o700); err != nil {
			return nil, fmt.Errorf("object store folder: %w", err)
		}
	}
	e := &embedded{done: make(chan struct{})}
	if e.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			e.lock.Close()
		}
	}()
	objects := filepath.Join(dir, objectsDir)
	storer, reserved, err := attributes(objects, filepath.Join(dir, sidecarDir))
	if err != nil {
		return nil, err
	}
	if e.dir, err = os.Open(objects); err != nil {
		return nil, fmt.Errorf("object store folder: %w", err)
	}
	defer func() {
		if err != nil {
			e.dir.Close() //nolint:errcheck // a folder, opened to name its file system
		}
	}()

	options := posix.PosixOpts{CopyObjectThreshold: maxCopy}
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)
	backend, err := posix.New(objects, storer, options)
	if err != nil {
		return nil, fmt.Errorf("object store folder: %w", err)
	}

	root := auth.Account{Access: rand.Text(), Secret: rand.Text(), Role: auth.RoleAdmin}
	listening := make(chan struct{})
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	go func() {
		defer close(e.done)
		e.err = embedgw.RunVersityGW(life, backend, &embedgw.Config{
			RootUserAccess: root.Access,
			RootUserSecret: root.Secret,
			Region:         defaultRegion,
			Ports:          []string{socket},
			SocketPerm:     "0600",
			MaxConnections: maxConnections,
			MaxRequests:    maxRequests,
			// Part numbers are S3's.
			MultipartMaxParts: maxParts,
			Quiet:             true,
			KeepAlive:         true,
			DisableACLs:       true,
			IAMService:        auth.NewIAMServiceSingle(root), // its own choice would announce itself on standard output
			S3Options: []s3api.Option{
				s3api.WithOnListen(func() { close(listening) }),
				s3api.WithMiddleware("/", refuseCutBody),
			},
		})
	}()
	e.closeOnce = sync.OnceValue(e.shut)

	dialer := &net.Dialer{Timeout: dialTimeout}
	endpoint := &url.URL{Scheme: "http", Host: "embedded"}
	s := &Store{
		endpoint:    endpoint,
		region:      defaultRegion,
		credentials: aws.Credentials{AccessKeyID: root.Access, SecretAccessKey: root.Secret},
		signer:      newSigner(),
		pool: newPool(&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}}, endpoint.Scheme, hostPort(endpoint), c.Now),
		now:      c.Now,
		log:      c.Logger,
		caps:     Capabilities{reserved: reserved},
		durable:  &groupSync{sync: func() error { return syncFilesystem(e.dir) }},
		embedded: e,
	}
	select {
	case <-listening:
	case <-e.done:
		err = fmt.Errorf("object store: %w", e.err)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = s.Probe(ctx)
	}
	if err != nil {
		stop()
		<-e.done
		return nil, err
	}
	return s, nil
}

// attributes finds out where metadata can be kept: in extended attributes, or beside the objects in a folder of its own. It also returns the
// segments that no key may have: the backend's own folder, and in the sidecar the folder that each object's attributes are in.
func attributes(objects, sidecar string) (meta.MetadataStorer, []string, error) {
	f, err := os.CreateTemp(objects, ".attribute-")
	if err != nil {
		return nil, nil, fmt.Errorf("object store folder: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // an empty hidden file does no harm
	defer f.Close()           //nolint:errcheck // nothing was written
	err = unix.Fsetxattr(int(f.Fd()), "user.podid", []byte("x"), 0)
	switch {
	case err == nil:
		return meta.XattrMeta{}, []string{posix.MetaTmpDir}, nil
	case !errors.Is(err, unix.ENOTSUP):
		return nil, nil, fmt.Errorf("object store folder: extended attributes: %w", err)
	}
	// Not told to posix.New, which would only print it.
	beside, err := meta.NewSideCar(sidecar)
	if err != nil {
		return nil, nil, fmt.Errorf("object store folder: %w", err)
	}
	return beside, []string{posix.MetaTmpDir, "meta"}, nil
}

// lockFolder makes sure that one process uses dir. The lock goes with the process.
func lockFolder(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("object store folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close() //nolint:errcheck // nothing was written
		return nil, fault.New(fault.Conflict, "object store", "Another process uses the object store in %s.", dir).Because(err)
	}
	return f, nil
}

func (e *embedded) closing() bool { return e.closed.Load() }

func (e *embedded) close() error {
	e.closed.Store(true)
	return e.closeOnce()
}

// shut ends versitygw, and with it what was under way.
func (e *embedded) shut() error {
	e.stop()
	var err error
	select {
	case <-e.done:
		err = e.err
	case <-time.After(stopTimeout):
		return errors.New("object store: the embedded store does not end")
	}
	err = errors.Join(err, syncFilesystem(e.dir), e.dir.Close(), e.lock.Close())
	running.Store(false)
	return err
}
