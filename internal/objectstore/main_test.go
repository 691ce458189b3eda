package objectstore_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/podid/podid/internal/objectstore"
)

// The embedded store exists once in a process, so all tests share one and each takes a bucket of its own.
func TestMain(m *testing.M) {
	code := m.Run()
	if dir != "" {
		store().Close()
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

var (
	dir     string
	buckets atomic.Int64
)

var store = sync.OnceValue(func() *objectstore.Store {
	var err error
	if dir, err = os.MkdirTemp("", "objectstore-"); err != nil {
		panic(err)
	}
	s, err := objectstore.OpenEmbedded(context.Background(), objectstore.EmbeddedConfig{Dir: dir, Now: time.Now})
	if err != nil {
		panic(err)
	}
	return s
})

// rig is a bucket in the embedded store.
type rig struct {
	t      testing.TB
	s      *objectstore.Store
	bucket string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t, store(), fmt.Sprintf("test-%d", buckets.Add(1))}
	if err := r.s.MakeBucket(t.Context(), r.bucket); err != nil {
		t.Fatal(err)
	}
	return r
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) do(req objectstore.Request) answer {
	r.t.Helper()
	req.Bucket = r.bucket
	resp, err := r.s.Do(r.t.Context(), req)
	if err != nil {
		r.t.Fatalf("%s %q: %v", req.Method, req.Key, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s %q: %v", req.Method, req.Key, err)
	}
	return answer{resp.Status, resp.Header, string(b)}
}

func (r *rig) put(key, body string) answer {
	r.t.Helper()
	return r.do(objectstore.Request{Method: "PUT", Key: key, Body: strings.NewReader(body), ContentLength: int64(len(body))})
}

func (r *rig) mustPut(key, body string) {
	r.t.Helper()
	if a := r.put(key, body); a.status != 200 {
		r.t.Fatalf("put %q: %d %s", key, a.status, a.body)
	}
}

func (r *rig) get(key string) answer {
	r.t.Helper()
	return r.do(objectstore.Request{Method: "GET", Key: key})
}

type listing struct {
	Contents       []struct{ Key string }
	CommonPrefixes []struct{ Prefix string }
}

func (l listing) keys() []string {
	var keys []string
	for _, c := range l.Contents {
		keys = append(keys, c.Key)
	}
	return keys
}

func (r *rig) list(query ...string) listing {
	r.t.Helper()
	q := url.Values{"list-type": {"2"}}
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	a := r.do(objectstore.Request{Method: "GET", Query: q})
	var l listing
	if err := xml.Unmarshal([]byte(a.body), &l); err != nil || a.status != 200 {
		r.t.Fatalf("list: %d %v %s", a.status, err, a.body)
	}
	return l
}
