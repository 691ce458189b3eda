// Package bucket knows who owns a bucket, and the bucket's policy and settings.
//
// It owns the register of buckets: a name belongs to one account, and names are unique over all accounts because the object store behind
// podid has one space of names and no notion of accounts. What is in a bucket is the store's business; a bucket is opened to callers only
// while its register entry is active.
//
// A bucket is registered first, then made in the store, then active; and it is closed first, then removed from the store, then forgotten. So
// a crash between two of these steps leaves an entry that says what was going on, and never an open bucket without an owner.
// [Registry.Reconcile] finishes such steps. A bucket in the store that nobody owns is never adopted: it may hold somebody's objects.
//
// Failures are faults with the subjects "bucket", "own bucket" (it exists and is the caller's), "policy" and "operation". Their texts are AWS's.
//
// spec: s3.md 8; iam-policy.md 11.4
package bucket

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// State says how far a bucket is.
type State string

// The states of a bucket. Callers see active ones only.
const (
	Creating State = "creating" // registered, perhaps not in the store yet
	Active   State = "active"
	Deleting State = "deleting" // closed, perhaps still in the store
)

// Bucket is one bucket. Values that the registry returns are shared and must not be changed.
type Bucket struct {
	Name              string            `json:"name"`
	Account           string            `json:"account"` // the owner, also of every object in it: ACLs are disabled (BucketOwnerEnforced)
	Region            string            `json:"region"`
	CreatedAt         time.Time         `json:"createdAt"`
	State             State             `json:"state"`
	Policy            *policy.Source    `json:"policy,omitempty"` // nil: none
	PublicAccessBlock PublicAccessBlock `json:"publicAccessBlock"`
}

// PublicAccessBlock is the bucket's Block Public Access setting.
type PublicAccessBlock struct {
	BlockPublicAcls       bool `json:"blockPublicAcls"`
	IgnorePublicAcls      bool `json:"ignorePublicAcls"`
	BlockPublicPolicy     bool `json:"blockPublicPolicy"`     // a public policy is refused when it is written
	RestrictPublicBuckets bool `json:"restrictPublicBuckets"` // a public policy opens the bucket to its own account only
}

// Public reports whether the bucket's policy is public. spec: iam-policy.md 11.4
func (b *Bucket) Public() bool { return b.Policy != nil && b.Policy.As(policy.Bucket).Public() }

// RestrictsPublic reports whether only the owner's account and services may use the bucket, whatever its policy says.
func (b *Bucket) RestrictsPublic() bool {
	return b.PublicAccessBlock.RestrictPublicBuckets && b.Public()
}

// Store makes and removes buckets in the object store.
type Store interface {
	// MakeBucket fails with fault.Exists when the store has a bucket of this name.
	MakeBucket(ctx context.Context, name string) error
	// RemoveBucket fails with fault.Conflict when the bucket is not empty, and not when there is none.
	RemoveBucket(ctx context.Context, name string) error
	// Buckets names all buckets of the store.
	Buckets(ctx context.Context) ([]string, error)
}

// Principals knows users and roles. A bucket policy is kept with their unique ids: one that is deleted and made again under its
// old name is somebody else and is not let in. spec: iam-policy.md 9
type Principals interface {
	// ByID is a document's text with unique ids in place of ARNs; fault.Invalid when it names somebody who does not exist.
	ByID(*policy.Document) (string, error)
	// Printed turns it back, as far as they still exist.
	Printed(*policy.Source) string
}

// Config is what a Registry needs.
type Config struct {
	DB         *store.DB
	Region     string // of new buckets
	Store      Store
	Principals Principals
	Quotas     quota.Set // the zero value: AWS's defaults
	Now        func() time.Time
	Logger     *slog.Logger // nil: silent
}

// Registry is the register of buckets. Its methods may be called by any number of goroutines.
type Registry struct {
	db         *store.DB
	region     string
	store      Store
	principals Principals
	quotas     quota.Set
	now        func() time.Time
	log        *slog.Logger
}

var buckets = store.NewTable[Bucket]("bucket") // name

// Schema lists the tables of this package for store.Config.
func Schema() []store.Definition { return []store.Definition{buckets} }

// New makes a Registry on a database that was opened with this package's [Schema].
func New(c Config) (*Registry, error) {
	switch {
	case c.DB == nil, c.Store == nil, c.Principals == nil, c.Now == nil, c.Region == "":
		return nil, errors.New("bucket: DB, Store, Principals, Now and Region are required")
	case c.Logger == nil:
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Registry{db: c.DB, region: c.Region, store: c.Store, principals: c.Principals, quotas: c.Quotas, now: c.Now, log: c.Logger}, nil
}

// Find looks an active bucket up in the newest picture.
func (r *Registry) Find(name string) (*Bucket, bool) {
	b, ok := buckets.Get(r.db.Snapshot(), store.Key{name})
	if !ok || b.State != Active {
		return nil, false
	}
	return b, true
}

// List yields an account's active buckets in the order of names.
func (r *Registry) List(account string) iter.Seq[*Bucket] {
	return func(yield func(*Bucket) bool) {
		for _, b := range buckets.All(r.db.Snapshot(), nil) {
			if b.Account == account && b.State == Active && !yield(b) {
				return
			}
		}
	}
}

// PutPublicAccessBlock changes the setting. A policy that is public already stays; RestrictPublicBuckets is for that.
func (r *Registry) PutPublicAccessBlock(ctx context.Context, name string, p PublicAccessBlock) error {
	return r.change(ctx, name, func(b *Bucket) error {
		b.PublicAccessBlock = p
		return nil
	})
}

// change updates an active bucket.
func (r *Registry) change(ctx context.Context, name string, f func(*Bucket) error) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		b, ok, err := buckets.Read(tx, store.Key{name})
		if err != nil {
			return err
		}
		if !ok || b.State != Active {
			return fault.New(fault.NotFound, "bucket", "The specified bucket does not exist").With("BucketName", name)
		}
		if err := f(b); err != nil {
			return err
		}
		buckets.Put(tx, store.Key{name}, b)
		return nil
	})
}
