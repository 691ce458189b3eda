package bucket

import (
	"context"
	"errors"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

const (
	// stepTimeout bounds one step of a creation or deletion. Steps are not cut off when the caller goes away, as the other half of what was
	// begun would be missing.
	stepTimeout = 20 * time.Second

	// abandoned is the age at which a creation that is not done is taken for one that a crash left. It is well beyond all its steps.
	abandoned = 3 * time.Minute
)

// Create makes a bucket for account and returns when it is open. fault.Exists: subject "own bucket" when it is the account's already, "bucket" when it
// is somebody else's or the store has an unowned one; fault.Conflict while it is being created.
func (r *Registry) Create(ctx context.Context, name, account string) (*Bucket, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	b, err := r.register(ctx, name, account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := step(ctx)
	defer cancel()
	if err := r.store.MakeBucket(ctx, name); err != nil {
		return nil, r.undo(ctx, b, err)
	}
	if err := r.move(ctx, b, Creating, Active); err != nil {
		return nil, err
	}
	b.State = Active
	return b, nil
}

// register writes the entry of a bucket that is about to be made.
func (r *Registry) register(ctx context.Context, name, account string) (*Bucket, error) {
	n := 0
	for range r.List(account) {
		n++
	}
	if n >= r.quotas.Of(quota.BucketsPerAccount) {
		return nil, fault.New(fault.Limit, "bucket", "You have attempted to create more buckets than allowed.")
	}
	b := &Bucket{
		Name: name, Account: account, Region: r.region, CreatedAt: r.now().UTC(), State: Creating,
		PublicAccessBlock: PublicAccessBlock{true, true, true, true}, // AWS's default
	}
	left := false
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		old, ok, err := buckets.Read(tx, store.Key{name})
		if err != nil {
			return err
		}
		left = false
		if ok {
			if old.Account != account {
				return exists(name)
			}
			if old.State == Active {
				return fault.New(fault.Exists, "own bucket",
					"Your previous request to create the named bucket succeeded and you already own it.").With("BucketName", name)
			}
			if old.State == Deleting || r.now().Sub(old.CreatedAt) < abandoned {
				return busy()
			}
			left = true
		}
		buckets.Put(tx, store.Key{name}, b)
		return nil
	})
	if err == nil && left {
		err = r.clear(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// clear removes from the store what an abandoned creation may have made. A bucket that holds something was not made by it.
func (r *Registry) clear(ctx context.Context, b *Bucket) error {
	ctx, cancel := step(ctx)
	defer cancel()
	err := r.store.RemoveBucket(ctx, b.Name)
	if errors.Is(err, fault.Conflict) {
		return r.unowned(ctx, b)
	}
	return err
}

// undo takes a creation back that failed with cause, and returns what the caller is told. When that fails too, the entry stays as it is, and
// Reconcile or the owner's next attempt deals with it.
func (r *Registry) undo(ctx context.Context, b *Bucket, cause error) error {
	if errors.Is(cause, fault.Exists) {
		return r.unowned(ctx, b)
	}
	err := r.store.RemoveBucket(ctx, b.Name)
	if err == nil {
		err = r.forget(ctx, b, Creating)
	}
	if err != nil {
		r.log.WarnContext(ctx, "a bucket was left half made", "bucket", b.Name, "account", b.Account, "error", err)
	}
	return cause
}

// unowned gives up a creation because the store has a bucket of this name that it did not make.
func (r *Registry) unowned(ctx context.Context, b *Bucket) error {
	r.log.WarnContext(ctx, "the object store has a bucket that no account owns", "bucket", b.Name)
	if err := r.forget(ctx, b, Creating); err != nil {
		return err
	}
	return exists(b.Name)
}

// Delete closes and removes an empty bucket. fault.Conflict when it is not empty; it is open again then.
func (r *Registry) Delete(ctx context.Context, name string) error {
	var b Bucket
	err := r.change(ctx, name, func(found *Bucket) error {
		found.State = Deleting
		b = *found
		return nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := step(ctx)
	defer cancel()
	return r.finishDelete(ctx, &b)
}

func (r *Registry) finishDelete(ctx context.Context, b *Bucket) error {
	if err := r.store.RemoveBucket(ctx, b.Name); err != nil {
		if err := r.move(ctx, b, Deleting, Active); err != nil {
			r.log.WarnContext(ctx, "a bucket was left half deleted", "bucket", b.Name, "account", b.Account, "error", err)
		}
		if errors.Is(err, fault.Conflict) {
			return fault.New(fault.Conflict, "bucket", "The bucket you tried to delete is not empty").With("BucketName", b.Name).Because(err)
		}
		return err
	}
	return r.forget(ctx, b, Deleting)
}

// Reconcile finishes what a crash left between the register and the store, and reports what it must not repair. It may run on several
// replicas at once and beside requests.
func (r *Registry) Reconcile(ctx context.Context) error {
	names, err := r.store.Buckets(ctx)
	if err != nil {
		return err
	}
	owned := map[string]bool{}
	for _, b := range buckets.All(r.db.Snapshot(), nil) {
		owned[b.Name] = b.State == Active
		if err := r.reconcile(ctx, b); err != nil {
			return err
		}
	}
	for _, name := range names {
		if _, ok := owned[name]; !ok {
			r.log.WarnContext(ctx, "the object store has a bucket that no account owns", "bucket", name)
		}
		delete(owned, name)
	}
	for name, active := range owned {
		if active {
			r.log.ErrorContext(ctx, "the object store has lost a bucket", "bucket", name)
		}
	}
	return nil
}

// reconcile finishes the step that b is in. A step that somebody else may be at, or has finished meanwhile, is left alone.
func (r *Registry) reconcile(ctx context.Context, b *Bucket) error {
	var err error
	switch b.State {
	case Creating:
		if r.now().Sub(b.CreatedAt) >= abandoned {
			_, err = r.Create(ctx, b.Name, b.Account)
		}
	case Deleting:
		err = r.finishDelete(ctx, b)
	case Active:
	}
	if errors.Is(err, fault.Conflict) || errors.Is(err, fault.Exists) || errors.Is(err, fault.Limit) {
		r.log.WarnContext(ctx, "a bucket was not reconciled", "bucket", b.Name, "account", b.Account, "state", b.State, "error", err)
		return nil
	}
	return err
}

// move takes b from one state to the next, unless somebody has dealt with it meanwhile.
func (r *Registry) move(ctx context.Context, b *Bucket, from, to State) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		found, ok, err := same(tx, b, from)
		if err != nil {
			return err
		}
		if !ok {
			return busy()
		}
		found.State = to
		buckets.Put(tx, store.Key{b.Name}, found)
		return nil
	})
}

// forget deletes b's entry, if it is still in this state.
func (r *Registry) forget(ctx context.Context, b *Bucket, from State) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		_, ok, err := same(tx, b, from)
		if ok {
			buckets.Delete(tx, store.Key{b.Name})
		}
		return err
	})
}

// same reads b's entry and tells whether it is this creation of the bucket, in this state.
func same(tx *store.Tx, b *Bucket, in State) (*Bucket, bool, error) {
	found, ok, err := buckets.Read(tx, store.Key{b.Name})
	return found, ok && found.Account == b.Account && found.CreatedAt.Equal(b.CreatedAt) && found.State == in, err
}

func step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
}

func exists(name string) error {
	return fault.New(fault.Exists, "bucket", "The requested bucket name is not available. The bucket namespace is shared by all users of the "+
		"system. Please select a different name and try again.").With("BucketName", name)
}

func busy() error {
	return fault.New(fault.Conflict, "operation", "A conflicting conditional operation is currently in progress against this resource. Please try again.")
}
