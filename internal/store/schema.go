package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/podid/podid/internal/fault"
)

// schemaVersion is the version of the key space and of the records that this program writes. It is raised by a change that an
// older program would misread; adding a table or an optional member is no such change.
const schemaVersion = 1

// schemaPath is where the version is kept: a table without a name, which no schema can have.
const schemaPath = string(terminator)

type schemaRecord struct {
	Version int `json:"version"`
}

var errEnvelope = errors.New("not a value of this store")

// claimSchema writes our version where there is none, and refuses what a newer program wrote. It is the first question to etcd.
func (db *DB) claimSchema(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	data, err := json.Marshal(schemaRecord{Version: schemaVersion})
	if err != nil {
		return err
	}
	key := db.root + schemaPath
	resp, err := db.kv.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, string(data))).
		Else(clientv3.OpGet(key)).
		Commit()
	if err != nil {
		return db.unavailable(err)
	}
	if resp.Succeeded {
		return nil
	}
	return checkSchema(resp.Responses[0].GetResponseRange().Kvs[0].Value)
}

func checkSchema(data []byte) error {
	var r schemaRecord
	if err := json.Unmarshal(data, &r); err != nil || r.Version < 1 {
		return fault.New(fault.Internal, "store", "The schema version in etcd cannot be read: is the prefix podid's own?").Because(err)
	}
	if r.Version > schemaVersion {
		return fault.New(fault.Unsupported, "store",
			"The data was written by a newer podid: it has schema version %d, this program knows %d", r.Version, schemaVersion)
	}
	return nil
}
