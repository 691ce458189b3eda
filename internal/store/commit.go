package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/podid/podid/internal/fault"
)

const (
	// maxOps is etcd's own default for the compares and for the writes of one transaction.
	maxOps = 128

	// commitTimeout is above the time after which etcd itself gives a proposal up.
	commitTimeout = 8 * time.Second

	// maxSends bounds how often one commit is sent when its answer is lost.
	maxSends = 5

	revokeTimeout = 2 * time.Second
)

// committer carries what the attempts of one Update share.
type committer struct {
	db     *DB
	id     string // in the envelope of every record that this Update writes
	leases map[time.Duration]clientv3.LeaseID
	used   bool // the leases are, or may be, those of records
}

func newCommitter(db *DB) *committer {
	var id [txIDLength / 2]byte
	rand.Read(id[:]) // never fails
	return &committer{db: db, id: hex.EncodeToString(id[:]), leases: map[time.Duration]clientv3.LeaseID{}}
}

// commit sends the transaction. It returns the revision at which it took effect, or, when something it read has changed, a
// revision at which the change is visible and false.
//
// When the answer is lost, the transaction may have taken effect or may yet do so. It is sent again as it is: it compares every
// key that it writes, so it cannot take effect twice. If the repetition finds a key changed, the id in the records tells whether
// that was ours.
func (c *committer) commit(ctx context.Context, tx *Tx) (Revision, bool, error) {
	compares, writes, reads, err := c.operations(ctx, tx)
	if err != nil {
		return 0, false, err
	}
	if len(compares) > maxOps || len(writes) > maxOps {
		return 0, false, fault.New(fault.Limit, "store", "The request touches more than %d records at once", maxOps)
	}
	var lost error
	for range maxSends {
		resp, err := c.send(ctx, compares, writes, reads)
		switch {
		case err == nil && resp.Succeeded:
			c.used = true
			return Revision(resp.Header.Revision), true, nil
		case err == nil && lost == nil:
			return Revision(resp.Header.Revision), false, nil
		case err == nil:
			return c.settle(tx, resp, lost)
		}
		if refusal := c.refusal(err); refusal != nil && lost == nil {
			return 0, false, refusal
		}
		lost, c.used = err, true
		if ctx.Err() != nil {
			break
		}
		pause(ctx, minBackoff)
	}
	return 0, false, unknown(lost)
}

func (c *committer) send(ctx context.Context, compares []clientv3.Cmp, writes, reads []clientv3.Op) (*clientv3.TxnResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return c.db.kv.Txn(ctx).If(compares...).Then(writes...).Else(reads...).Commit()
}

// operations are the compares and writes of tx, and the reads of the same keys in the same order for the case of a conflict.
func (c *committer) operations(ctx context.Context, tx *Tx) (compares []clientv3.Cmp, writes, reads []clientv3.Op, err error) {
	root := c.db.root
	for path, mod := range tx.reads {
		compares = append(compares, clientv3.Compare(clientv3.ModRevision(root+path), "=", int64(mod)))
	}
	for path := range tx.ranges {
		newest := int64(tx.base.Revision())
		compares = append(compares, clientv3.Compare(clientv3.ModRevision(root+path), "<", newest+1).WithPrefix())
	}
	for _, path := range tx.written() {
		w := tx.writes[path]
		reads = append(reads, clientv3.OpGet(root+path))
		if w.body == nil {
			writes = append(writes, clientv3.OpDelete(root+path))
			continue
		}
		lease, err := c.lease(ctx, w.ttl)
		if err != nil {
			return nil, nil, nil, err
		}
		writes = append(writes, clientv3.OpPut(root+path, sealEnvelope(c.id, w.body), clientv3.WithLease(lease)))
	}
	return compares, writes, reads, nil
}

func (tx *Tx) written() []string { return slices.Sorted(maps.Keys(tx.writes)) }

// settle decides what became of a commit whose answer was lost, from the state in which its repetition failed.
func (c *committer) settle(tx *Tx, resp *clientv3.TxnResponse, lost error) (Revision, bool, error) {
	head := Revision(resp.Header.Revision)
	untouched, gone := true, true
	for i, path := range tx.written() {
		var mod Revision
		if kvs := resp.Responses[i].GetResponseRange().Kvs; len(kvs) > 0 {
			if id, _, err := openEnvelope(kvs[0].Value); err == nil && id == c.id {
				return head, true, nil
			}
			mod = Revision(kvs[0].ModRevision)
		}
		untouched = untouched && mod == tx.reads[path]
		gone = gone && mod == 0 && tx.writes[path].body == nil
	}
	switch {
	case untouched:
		return head, false, nil // something that was only read has changed: an ordinary conflict
	case gone:
		return head, true, nil // there were only deletions, and what was to be deleted is
	}
	return 0, false, unknown(lost) // somebody wrote after us, or before us
}

// refusal classifies an error with which etcd says that nothing happened, or is nil.
func (c *committer) refusal(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		return fault.New(fault.Unavailable, "store", "etcd has reached its space quota (%s)", c.db.where).Because(err)
	case errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, rpctypes.ErrTooManyOps):
		return fault.New(fault.Limit, "store", "The request is larger than etcd accepts").Because(err)
	case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrLeaseNotFound),
		errors.Is(err, rpctypes.ErrTooManyRequests):
		return c.db.unavailable(err)
	}
	return nil
}

func unknown(cause error) error {
	return fault.New(fault.Unavailable, "store",
		"etcd did not confirm the change, which may or may not have been made; look before trying again").Because(cause)
}

// lease returns the lease for ttl, one for all records of the Update that share it.
func (c *committer) lease(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error) {
	if ttl <= 0 {
		return clientv3.NoLease, nil
	}
	if id, ok := c.leases[ttl]; ok {
		return id, nil
	}
	resp, err := c.db.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return clientv3.NoLease, c.db.unavailable(err)
	}
	c.leases[ttl] = resp.ID
	return resp.ID, nil
}

// close gives leases back that no record uses. A lease that cannot be given back ends by itself.
func (c *committer) close(ctx context.Context) {
	if c.used || len(c.leases) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	for _, id := range c.leases {
		if _, err := c.db.client.Revoke(ctx, id); err != nil {
			return
		}
	}
}
