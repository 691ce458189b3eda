package bucket_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/bucket"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	alice = "111122223333"
	bob   = "444455556666"
)

// backend is an object store of buckets only. A true value is a bucket that holds something.
type backend struct {
	mu      sync.Mutex
	buckets map[string]bool
	broken  bool // does what is asked, but the answer is lost
}

var errLost = fault.New(fault.Unavailable, "object store", "no answer")

func (s *backend) MakeBucket(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.buckets[name]; ok {
		return fault.New(fault.Exists, "bucket", "there is one")
	}
	s.buckets[name] = false
	if s.broken {
		return errLost
	}
	return nil
}

func (s *backend) RemoveBucket(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.broken:
		return errLost
	case s.buckets[name]:
		return fault.New(fault.Conflict, "bucket", "not empty")
	}
	delete(s.buckets, name)
	return nil
}

func (s *backend) Buckets(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.buckets)), nil
}

func (s *backend) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

type rig struct {
	*bucket.Registry
	t     *testing.T
	back  *backend
	clock time.Time
	log   strings.Builder
}

// people are principals that exist, with their unique ids.
type people map[string]string

func (p people) ByID(d *policy.Document) (string, error) {
	for _, named := range d.Principals() {
		if _, ok := p[named.Value]; !ok && named.Type == "AWS" && named.Value != "*" {
			return "", fault.New(fault.Invalid, "policy document", "nobody is called %s", named.Value)
		}
	}
	return policy.ReplacePrincipals(d.Text(), func(name string) string {
		if id := p[name]; id != "" {
			return id
		}
		return name
	})
}

func (p people) Printed(s *policy.Source) string {
	text, err := policy.ReplacePrincipals(s.String(), func(id string) string {
		for name, known := range p {
			if known == id {
				return name
			}
		}
		return id
	})
	if err != nil {
		return s.String()
	}
	return text
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, back: &backend{buckets: map[string]bool{}}, clock: time.Unix(1_800_000_000, 0)}
	var err error
	r.Registry, err = bucket.New(bucket.Config{
		DB: storetest.New(t, bucket.Schema()...), Region: "eu-test-1", Store: r.back,
		Principals: people{"arn:aws:iam::" + bob + ":role/reader": "AROAEXAMPLEREADERROLE", bob: ""},
		Now:        func() time.Time { return r.clock },
		Logger:     slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) create(name string) *bucket.Bucket {
	r.t.Helper()
	b, err := r.Create(r.t.Context(), name, alice)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func check(t *testing.T, what string, err error, kind fault.Kind, subject string) {
	t.Helper()
	if f := fault.Of(err); err == nil || f.Kind != kind || f.Subject != subject {
		t.Errorf("%s: %v", what, err)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made := r.create("one")
	found, ok := r.Find("one")
	if !ok {
		t.Fatal("not found")
	}
	want := &bucket.Bucket{
		Name: "one", Account: alice, Region: "eu-test-1", CreatedAt: r.clock.UTC(), State: bucket.Active,
		PublicAccessBlock: bucket.PublicAccessBlock{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true},
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
	_, err := r.Create(t.Context(), "one", alice)
	check(t, "again", err, fault.Exists, "own bucket")
	_, err = r.Create(t.Context(), "one", bob)
	check(t, "by another account", err, fault.Exists, "bucket")

	r.create("two")
	if _, err := r.Create(t.Context(), "three", bob); err != nil {
		t.Error(err)
	}
	var names []string
	for b := range r.List(alice) {
		names = append(names, b.Name)
	}
	if diff := cmp.Diff([]string{"one", "two"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestCreate_names(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "a..b", "192.168.0.1", "xn--abc", "abc-s3alias", strings.Repeat("a", 64), "a/b", "..."} {
		_, err := r.Create(t.Context(), name, alice)
		check(t, name, err, fault.Invalid, "bucket")
	}
	for _, name := range []string{"abc", "0.b-c", strings.Repeat("a", 63)} {
		r.create(name)
	}
}

func TestCreate_neverAdoptsAnUnownedBucket(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.back.buckets["orphan"] = true
	_, err := r.Create(t.Context(), "orphan", alice)
	check(t, "create", err, fault.Exists, "bucket")
	if _, ok := r.Find("orphan"); ok || !r.back.buckets["orphan"] {
		t.Error("adopted or removed")
	}
	if err := r.Reconcile(t.Context()); err != nil || !strings.Contains(r.log.String(), "bucket=orphan") {
		t.Errorf("reconcile: %v, %s", err, r.log.String())
	}
	if _, ok := r.Find("orphan"); ok {
		t.Error("adopted by reconcile")
	}
}

func TestCreate_storeDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.back.broken = true
	_, err := r.Create(t.Context(), "half", alice)
	check(t, "create", err, fault.Unavailable, "object store")
	r.back.set(func() { r.back.broken = false })
	if _, ok := r.Find("half"); ok {
		t.Error("open although it may not be there")
	}
	_, err = r.Create(t.Context(), "half", alice)
	check(t, "too soon", err, fault.Conflict, "operation")
	_, err = r.Create(t.Context(), "half", bob)
	check(t, "somebody else", err, fault.Exists, "bucket")
	if err := r.Reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	if _, ok := r.Find("half"); ok {
		t.Error("reconcile did not wait for the other replica")
	}
	r.clock = r.clock.Add(time.Hour)
	if err := r.Reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	if b, ok := r.Find("half"); !ok || b.Account != alice {
		t.Errorf("not finished: %+v", b)
	}
}

func TestCreate_abandonedThatHoldsSomething(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.back.broken = true
	_, err := r.Create(t.Context(), "half", alice)
	check(t, "create", err, fault.Unavailable, "object store")
	r.back.set(func() { r.back.broken, r.back.buckets["half"] = false, true })
	r.clock = r.clock.Add(time.Hour)
	if err := r.Reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	if _, ok := r.Find("half"); ok || !r.back.buckets["half"] {
		t.Error("adopted or removed")
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("one")
	r.back.buckets["one"] = true
	check(t, "full", r.Delete(t.Context(), "one"), fault.Conflict, "bucket")
	if _, ok := r.Find("one"); !ok {
		t.Error("closed although it was not deleted")
	}
	r.back.buckets["one"] = false
	if err := r.Delete(t.Context(), "one"); err != nil {
		t.Error(err)
	}
	check(t, "gone", r.Delete(t.Context(), "one"), fault.NotFound, "bucket")
	if _, err := r.Create(t.Context(), "one", bob); err != nil {
		t.Errorf("the name is not free again: %v", err)
	}
}

func TestDelete_finishedAfterACrash(t *testing.T) {
	t.Parallel()
	db := storetest.New(t, bucket.Schema()...)
	back := &backend{buckets: map[string]bool{"one": false}}
	crashed := store.NewTable[bucket.Bucket]("bucket")
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		return crashed.Create(tx, store.Key{"one"}, &bucket.Bucket{Name: "one", Account: alice, State: bucket.Deleting})
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := bucket.New(bucket.Config{DB: db, Region: "x", Store: back, Now: time.Now, Principals: people{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Create(t.Context(), "one", alice); !errors.Is(err, fault.Conflict) {
		t.Errorf("create: %v", err)
	}
	if err := r.Reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	if len(back.buckets) != 0 {
		t.Error("still in the store")
	}
	if _, err := r.Create(t.Context(), "one", alice); err != nil {
		t.Errorf("create: %v", err)
	}
}

func TestPutPolicy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("one")
	policy := func(principal, resource string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:GetObject","Resource":"` + resource + `"}}`
	}
	role := `{"AWS":"arn:aws:iam::` + bob + `:role/reader"}`
	tests := map[string]struct {
		text    string
		kind    fault.Kind
		subject string
		want    string
	}{
		"not JSON":                 {"hello", fault.Invalid, "policy", "Policies must be valid JSON and the first byte must be '{'"},
		"another bucket":           {policy(role, "arn:aws:s3:::two/*"), fault.Invalid, "policy", "Policy has invalid resource"},
		"a longer name":            {policy(role, "arn:aws:s3:::one-more/*"), fault.Invalid, "policy", "Policy has invalid resource"},
		"a role that is not there": {policy(`{"AWS":["`+bob+`","arn:aws:iam::`+bob+`:role/ghost"]}`, "arn:aws:s3:::one/*"), fault.Invalid, "policy", "Invalid principal in policy"},
		"too long":                 {policy(role, "arn:aws:s3:::one/"+strings.Repeat("x", 20480)), fault.Invalid, "policy", "Policy exceeds the maximum allowed document size."},
		"public":                   {policy(`"*"`, "arn:aws:s3:::one/*"), fault.Denied, "policy", ""},
		"public by type":           {policy(`{"AWS":"*"}`, "arn:aws:s3:::one/*"), fault.Denied, "policy", ""},
	}
	for name, tt := range tests {
		err := r.PutPolicy(t.Context(), "one", tt.text)
		check(t, name, err, tt.kind, tt.subject)
		if tt.want != "" && fault.Of(err).Public != tt.want {
			t.Errorf("%s: %q", name, fault.Of(err).Public)
		}
	}
	check(t, "no bucket", r.PutPolicy(t.Context(), "two", policy(role, "arn:aws:s3:::two/*")), fault.NotFound, "bucket")

	good := policy(role, "arn:aws:s3:::one/*")
	if err := r.PutPolicy(t.Context(), "one", good); err != nil {
		t.Fatal(err)
	}
	if b, _ := r.Find("one"); r.Policy(b) != good || b.Public() {
		t.Errorf("shown %q, public %t", r.Policy(b), b.Public())
	} else if kept := policy(`{"AWS":"AROAEXAMPLEREADERROLE"}`, "arn:aws:s3:::one/*"); b.Policy.String() != kept {
		t.Errorf("kept %q, want the unique id in place of the ARN: %q", b.Policy, kept)
	}
	if err := r.PutPublicAccessBlock(t.Context(), "one", bucket.PublicAccessBlock{RestrictPublicBuckets: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.PutPolicy(t.Context(), "one", policy(`"*"`, "arn:aws:s3:::one/*")); err != nil {
		t.Errorf("public, when that is permitted: %v", err)
	}
	if b, _ := r.Find("one"); !b.Public() || !b.RestrictsPublic() {
		t.Error("not public or not restricted")
	}
	for range 2 {
		if err := r.DeletePolicy(t.Context(), "one"); err != nil {
			t.Error(err)
		}
	}
	if b, _ := r.Find("one"); b.Policy != nil || b.Public() || b.RestrictsPublic() {
		t.Errorf("left: %q", b.Policy)
	}
}
