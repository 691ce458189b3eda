package iam_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

// used is a directory, and a second replica of it, with a role.
type used struct {
	*iam.Directory
	twin *iam.Directory
	db   *store.DB
	far  *store.DB // the twin's
	role *iam.Role
	at   time.Time
}

const usedAccount = "111122223333"

func newUsed(t *testing.T) *used {
	t.Helper()
	config := storetest.Config(t, iam.Schema()...)
	u := &used{at: time.Date(2026, 11, 24, 8, 1, 0, 0, time.UTC), db: storetest.Open(t, config)}
	now := func() time.Time { return u.at }
	var err error
	if u.Directory, err = iam.New(iam.Config{DB: u.db, Now: now}); err != nil {
		t.Fatal(err)
	}
	u.far = storetest.Open(t, config)
	if u.twin, err = iam.New(iam.Config{DB: u.far, Now: now}); err != nil {
		t.Fatal(err)
	}
	if _, err := u.CreateAccount(t.Context(), usedAccount, "a"); err != nil {
		t.Fatal(err)
	}
	u.role, err = u.CreateRole(t.Context(), iam.Role{Account: usedAccount, Name: "app", Trust: policy.NewSource(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *used) use(d *iam.Directory, service, action string, at time.Time) {
	d.Used(iam.Use{Account: usedAccount, EntityID: u.role.ID, Service: service, Action: action, Region: "eu-central-1", At: at})
}

func (u *used) flush(t *testing.T, d *iam.Directory) {
	t.Helper()
	if err := d.FlushUses(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestUsed(t *testing.T) {
	t.Parallel()
	u := newUsed(t)
	if _, _, ok := u.RoleLastUsed(usedAccount, u.role.ID); ok {
		t.Error("a role that nobody used was used")
	}
	u.use(u.Directory, "s3", "PutObject", u.at)
	u.use(u.Directory, "iam", "GetRole", u.at.Add(-time.Second))
	u.use(u.Directory, "s3", "GetBucketPolicy", u.at.Add(-time.Minute))
	at, region, ok := u.RoleLastUsed(usedAccount, u.role.ID)
	if !ok || !at.Equal(u.at) || region != "eu-central-1" {
		t.Errorf("before it was written: %v %q %v", at, region, ok)
	}
	u.flush(t, u.Directory)

	// The other replica was told of later uses of one service and earlier ones of another. It knows the role, as it has let it in.
	if err := u.far.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	u.use(u.twin, "s3", "GetObject", u.at.Add(-time.Hour))
	u.use(u.twin, "iam", "GetRole", u.at.Add(time.Hour))
	u.flush(t, u.twin)
	if err := u.db.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	moment := func(d time.Duration) iam.Moment { return iam.Moment{At: u.at.Add(d), Region: "eu-central-1"} }
	want := map[string]iam.ServiceUse{
		"s3":  {Moment: moment(0), Actions: map[string]iam.Moment{"GetBucketPolicy": moment(-time.Minute)}},
		"iam": {Moment: moment(time.Hour), Actions: map[string]iam.Moment{"GetRole": moment(time.Hour)}},
	}
	for _, d := range []*iam.Directory{u.Directory, u.twin} {
		if diff := cmp.Diff(d.LastUses(usedAccount, u.role.ID), want); diff != "" {
			t.Error(diff)
		}
	}

	u.at = u.at.Add(iam.UsagePeriod + 30*time.Minute)
	if uses := u.LastUses(usedAccount, u.role.ID); len(uses) != 1 {
		t.Errorf("after the period: %v", uses)
	}
}

// TestUsedCostsFewWrites holds that constant use is written once in five minutes.
func TestUsedCostsFewWrites(t *testing.T) {
	t.Parallel()
	u := newUsed(t)
	writes := 0
	before := u.db.Snapshot()
	for i := range 40 { // twenty minutes
		u.use(u.Directory, "s3", "PutObject", u.at.Add(time.Duration(i)*30*time.Second))
		u.flush(t, u.Directory)
		if now := u.db.Snapshot(); now != before {
			before, writes = now, writes+1
		}
	}
	if writes == 0 || writes > 5 {
		t.Errorf("%d writes", writes)
	}
	if at, _, _ := u.RoleLastUsed(usedAccount, u.role.ID); u.at.Add(20*time.Minute).Sub(at) > 6*time.Minute {
		t.Errorf("last used at %v", at)
	}
}

func TestUsedOfWhatIsGone(t *testing.T) {
	t.Parallel()
	u, ctx := newUsed(t), t.Context()
	if _, err := u.CreateUser(ctx, iam.User{Account: usedAccount, Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	key, err := u.CreateAccessKey(ctx, usedAccount, "ann")
	if err != nil {
		t.Fatal(err)
	}
	sign := func(at time.Time) {
		u.Used(iam.Use{Account: usedAccount, AccessKeyID: key.ID, Service: "sts", Action: "GetCallerIdentity", Region: "us-east-1", At: at})
	}
	sign(u.at)
	u.use(u.Directory, "s3", "", u.at)
	u.flush(t, u.Directory)
	if service, m, ok := u.AccessKeyLastUsed(usedAccount, key.ID); !ok || service != "sts" || m.Region != "us-east-1" || !m.At.Equal(u.at) {
		t.Errorf("the key: %q %v %v", service, m, ok)
	}
	if err := u.DeleteAccessKey(ctx, usedAccount, "ann", key.ID); err != nil {
		t.Fatal(err)
	}
	if err := u.DeleteRole(ctx, usedAccount, "app"); err != nil {
		t.Fatal(err)
	}
	sign(u.at.Add(time.Hour)) // the answer to a last request may still be under way
	u.use(u.Directory, "s3", "", u.at.Add(time.Hour))
	u.flush(t, u.Directory)
	for _, id := range []string{key.ID, u.role.ID} {
		if uses := u.LastUses(usedAccount, id); len(uses) != 0 {
			t.Errorf("%s is gone and was used: %v", id, uses)
		}
	}
}

func TestAccessReport(t *testing.T) {
	t.Parallel()
	u, ctx := newUsed(t), t.Context()
	made, err := u.CreateAccessReport(ctx, usedAccount, iam.AccessReport{About: u.role.ARN(), AboutID: u.role.ID, RequestedBy: "AIDA1"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := u.twin.AccessReport(ctx, usedAccount, "AIDA1", made.JobID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, made); diff != "" {
		t.Error(diff)
	}
	for _, of := range [][3]string{{"444455556666", "AIDA1", made.JobID}, {usedAccount, "AIDA2", made.JobID}, {usedAccount, "AIDA1", "ghost"}} {
		if _, err := u.AccessReport(ctx, of[0], of[1], of[2]); err == nil {
			t.Errorf("%v may read the report", of)
		}
	}
}

// BenchmarkUsed is what a request pays.
func BenchmarkUsed(b *testing.B) {
	d, err := iam.New(iam.Config{DB: storetest.New(b, iam.Schema()...)})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			d.Used(iam.Use{Account: usedAccount, EntityID: "AROAEXAMPLEEXAMPLE001", Service: "s3", Action: "GetObject", Region: "eu-central-1", At: at})
		}
	})
}
