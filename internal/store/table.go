package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/podid/podid/internal/fault"
)

// Definition is a table as [Config.Schema] lists it. Only [Table] implements it.
type Definition interface {
	// Name is the table's name, which is also the first element of its keys in etcd.
	Name() string

	decode(data []byte) (any, error)
}

// Table is a set of records of one type under one name. A record is stored as the JSON of T.
//
// If *T has a method Loaded() error, it is called once after a record was decoded and before anybody sees it: the place to
// prepare derived data. A record that does not decode, or whose Loaded fails, is unreadable: it is logged once, Get and All
// pass over it, Fresh and Read fail with [fault.Internal].
type Table[T any] struct {
	name string
	root string // the encoded name
}

// NewTable declares a table. Names are unique within a schema and not empty; [Open] checks both.
func NewTable[T any](name string) Table[T] {
	return Table[T]{name: name, root: string(appendElement(nil, name))}
}

// Name is the table's name.
func (t Table[T]) Name() string { return t.name }

// stackKey is the length up to which Get encodes a key without allocating.
const stackKey = 192

// Get looks a record up in the picture. The value is shared with every other reader and must not be changed.
func (t Table[T]) Get(s *Snapshot, key Key) (*T, bool) {
	var buf [stackKey]byte
	e, ok := s.tree.Get(t.appendPath(buf[:0], key))
	if !ok {
		return nil, false
	}
	v, ok := e.value.(*T)
	return v, ok
}

// All yields the records whose key begins with prefix, in key order. The values are shared; the keys are the caller's.
func (t Table[T]) All(s *Snapshot, prefix Key) iter.Seq2[Key, *T] {
	return func(yield func(Key, *T) bool) {
		it := s.tree.Root().Iterator()
		it.SeekPrefix(t.appendPath(nil, prefix))
		for path, e, ok := it.Next(); ok; path, e, ok = it.Next() {
			v, readable := e.value.(*T)
			if !readable {
				continue
			}
			key, err := decodeKey(path[len(t.root):])
			if err != nil {
				continue // the mirror admits no such path
			}
			if !yield(key, v) {
				return
			}
		}
	}
}

// Fresh is Get on a picture that shows every write acknowledged before the call, on whatever replica: see [DB.Sync]. It is for
// the moment before a refusal. The value is shared.
func (t Table[T]) Fresh(ctx context.Context, db *DB, key Key) (*T, bool, error) {
	if err := db.Sync(ctx); err != nil {
		return nil, false, err
	}
	e, ok := db.Snapshot().tree.Get(t.appendPath(nil, key))
	if !ok {
		return nil, false, nil
	}
	switch v := e.value.(type) {
	case *T:
		return v, true, nil
	case unreadable:
		return nil, false, t.unreadable(key, v.cause)
	}
	return nil, false, t.undefined()
}

func (t Table[T]) appendPath(dst []byte, key Key) []byte {
	return appendKey(append(dst, t.root...), key)
}

func (t Table[T]) decode(data []byte) (any, error) { return t.decodeValue(data) }

func (t Table[T]) decodeValue(data []byte) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		return nil, err
	}
	if l, ok := any(v).(interface{ Loaded() error }); ok {
		if err := l.Loaded(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (t Table[T]) unreadable(key Key, err error) error {
	return fault.New(fault.Internal, t.name, "The stored record cannot be read").Because(fmt.Errorf("%s/%s: %w", t.name, key, err))
}

func (t Table[T]) undefined() error {
	return fault.New(fault.Internal, "store", "Table %s is not in the schema", t.name)
}

// A value in etcd is {"tx":"16 hex digits","value":JSON}, with nothing else and nothing in another order, so that it is cut
// open without a parser. The tx names the Update that wrote it: after a commit whose answer was lost, it tells whether the
// record is ours (see commit).
const (
	envelopeHead = `{"tx":"`
	envelopeMid  = `","value":`
	envelopeTail = `}`
	txIDLength   = 16
	envelopeBody = len(envelopeHead) + txIDLength + len(envelopeMid)
)

func sealEnvelope(txID string, body []byte) string {
	return envelopeHead + txID + envelopeMid + string(body) + envelopeTail
}

func openEnvelope(data []byte) (txID string, body []byte, err error) {
	if len(data) < envelopeBody+len(envelopeTail) ||
		!bytes.HasPrefix(data, []byte(envelopeHead)) ||
		!bytes.HasPrefix(data[len(envelopeHead)+txIDLength:], []byte(envelopeMid)) ||
		!bytes.HasSuffix(data, []byte(envelopeTail)) {
		return "", nil, errEnvelope
	}
	return string(data[len(envelopeHead):][:txIDLength]), data[envelopeBody : len(data)-len(envelopeTail)], nil
}
