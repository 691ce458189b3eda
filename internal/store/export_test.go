package store

import clientv3 "go.etcd.io/etcd/client/v3"

// Client is the etcd client, to do behind the store's back what a test needs.
func (db *DB) Client() *clientv3.Client { return db.client }

// WrapKV puts a fault injector in front of etcd. It must be called before anything else uses db.
func (db *DB) WrapKV(wrap func(clientv3.KV) clientv3.KV) { db.kv = wrap(db.kv) }

// Path is the key of a record in etcd.
func (db *DB) Path(table string, key Key) string {
	return db.root + string(appendKey(appendElement(nil, table), key))
}

// SchemaKey is where the schema version is kept.
func (db *DB) SchemaKey() string { return db.root + schemaPath }

func Encode(k Key) []byte            { return appendKey(nil, k) }
func Decode(src []byte) (Key, error) { return decodeKey(src) }
