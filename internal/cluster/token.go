package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const (
	subjectToken   = "client request token"
	tokenLifetime  = 24 * time.Hour
	maxTokenLength = 256
)

// request is what is remembered of a create for its client request token: enough to recognise the same request when a client
// sends it again because the answer was lost. spec: pod-identity.md 1.6
type request struct {
	Hash string `json:"hash"` // SHA-256 of the parameters
	Made string `json:"made"` // what it created
}

// onceKey names a request: the cluster's id and not its name, so that a cluster of the same name made later knows nothing of it.
type onceKey struct {
	account, clusterID, operation, token string
}

func (k onceKey) path() store.Key { return store.Key{k.account, k.clusterID, k.operation, k.token} }

// once tells whether this request was carried out before, and if so what it made. Otherwise the transaction remembers that it made
// made. A request without a token is always new.
func once(tx *store.Tx, key onceKey, params any, made string) (before string, err error) {
	if key.token == "" {
		return "", nil
	}
	if len(key.token) > maxTokenLength {
		return "", fault.New(fault.Invalid, subjectToken, "A client request token has at most %d characters", maxTokenLength)
	}
	text, err := json.Marshal(params)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	hash := hex.EncodeToString(sum[:])
	r, seen, err := requests.Read(tx, key.path())
	switch {
	case err != nil:
		return "", err
	case !seen:
		requests.PutTTL(tx, key.path(), &request{Hash: hash, Made: made}, tokenLifetime)
		return "", nil
	case r.Hash != hash:
		return "", fault.New(fault.Invalid, subjectToken,
			"The client request token was used before with other parameters: use another one for another request")
	}
	return r.Made, nil
}

// again answers a repeated request with what it made before, the id that once told. If that was deleted since, carrying the request
// out once more would undo the deletion.
func again[T any](tx *store.Tx, table store.Table[T], key store.Key, before string, id func(*T) string, what string) (*T, error) {
	v, ok, err := table.Read(tx, key)
	if err != nil {
		return nil, err
	}
	if !ok || id(v) != before {
		return nil, fault.New(fault.Conflict, subjectToken, "This request was carried out before, and %s, which it made, "+
			"was deleted since: use another client request token to make it again", what)
	}
	return v, nil
}
