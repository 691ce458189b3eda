package reconcile_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/kube/reconcile"
)

func roleObject(f func(*v1alpha1.RoleSpec)) *v1alpha1.Role {
	o := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "till"}}
	if f != nil {
		f(&o.Spec)
	}
	return o
}

const (
	allowGet = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"*"}]}`
	allowPut = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}`
	shared   = "arn:aws:iam::111122223333:policy/shared"
	ceiling  = "arn:aws:iam::111122223333:policy/ceiling"
)

// wantTrust lets in the pods of the namespace shop of the cluster lab.
const wantTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
	`"Action":["sts:TagSession","sts:AssumeRole"],"Condition":{"StringEquals":{` +
	`"aws:RequestTag/eks-cluster-arn":"arn:aws:eks:eu-west-1:111122223333:cluster/lab","aws:RequestTag/kubernetes-namespace":"shop"}}}]}`

// holds compares a role in the control plane with what the object below asks for.
func (r *fakeRole) holds(t *testing.T) {
	t.Helper()
	trust, err := url.QueryUnescape(*r.AssumeRolePolicyDocument)
	if err != nil || !reconcile.SameDocument(trust, wantTrust) {
		t.Errorf("got trust policy %s", trust)
	}
	boundary := aws.ToString(r.PermissionsBoundary.PermissionsBoundaryArn)
	got := []any{*r.Path, *r.Description, *r.MaxSessionDuration, boundary, r.attached, r.inline, len(r.Tags)}
	want := []any{"/podid/lab/shop/team/", "reads", int32(7200), ceiling, []string{shared}, map[string]string{"get": allowGet}, 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func full(s *v1alpha1.RoleSpec) {
	s.Name, s.Path, s.Description, s.MaxSessionDuration, s.PermissionsBoundary = "till", "/team/", "reads", 7200, ceiling
	s.InlinePolicies, s.PolicyARNs, s.Tags = map[string]string{"get": allowGet}, []string{shared}, map[string]string{"team": "shop"}
}

func TestRole_isMadeKeptAndDeleted(t *testing.T) {
	t.Parallel()
	w := newObjects(t, nil, roleObject(full))
	if err := w.look(w.Roles, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	r := w.iam.roles["till"]
	r.holds(t)
	got := get(w, &v1alpha1.Role{}, "shop", "till")
	if got.Status.ARN != *r.Arn || got.Status.RoleID != *r.RoleId || reason(got.Status.Conditions) != v1alpha1.ReasonSynced || drift(got.Status.Conditions) != "False " {
		t.Errorf("got %+v", got.Status)
	}

	w.iam.calls = nil
	if err := w.look(w.Roles, "shop", "till"); err != nil || len(w.iam.calls) != 0 {
		t.Errorf("nothing to do: got %v, %v", err, w.iam.calls)
	}

	// Everything is changed behind its back, and changed back.
	r.AssumeRolePolicyDocument, r.Description, r.MaxSessionDuration, r.PermissionsBoundary = encoded("{}"), nil, aws.Int32(3600), nil
	r.attached, r.Tags = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}, []iamtypes.Tag{{Key: aws.String("x"), Value: aws.String("y")}}
	r.inline["get"], r.inline["more"] = allowPut, allowPut
	if err := w.look(w.Roles, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	r.holds(t)
	told := drift(get(w, &v1alpha1.Role{}, "shop", "till").Status.Conditions)
	for _, what := range []string{"trust policy", "description", "boundary was none", "AdministratorAccess was attached", shared + " was not attached", "tag x", "inline policy more", "inline policy get"} {
		if !strings.Contains(told, what) {
			t.Errorf("%q is not told in %q", what, told)
		}
	}

	delete(w.iam.roles, "till")
	if err := w.look(w.Roles, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	w.iam.roles["till"].holds(t)

	w.delete(got)
	if err := w.look(w.Roles, "shop", "till"); err != nil || len(w.iam.roles) != 0 || !w.gone(got, "shop", "till") {
		t.Errorf("got %v, roles %v", err, w.iam.roles)
	}
}

func TestRole_goneBeforeItsObject(t *testing.T) {
	t.Parallel()
	w := newObjects(t, nil, roleObject(nil))
	if err := w.look(w.Roles, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	clear(w.iam.roles)
	o := get(w, &v1alpha1.Role{}, "shop", "till")
	w.delete(o)
	if err := w.look(w.Roles, "shop", "till"); err != nil || !w.gone(o, "shop", "till") {
		t.Errorf("got %v", err)
	}
}

func TestRole_refusals(t *testing.T) {
	t.Parallel()
	elsewhere := func(path string) func(*objects) {
		return func(w *objects) {
			w.iam.roles["till"] = &fakeRole{Role: iamtypes.Role{RoleName: aws.String("till"), Path: aws.String(path)}}
		}
	}
	named := func(s *v1alpha1.RoleSpec) { s.Name = "till" }
	tests := []struct {
		name    string
		spec    func(*v1alpha1.RoleSpec)
		config  func(*reconcile.ResourcesConfig)
		prepare func(*objects)
		want    string
	}{
		{name: "not enabled", config: func(c *reconcile.ResourcesConfig) { c.IAM = nil }, want: v1alpha1.ReasonNotEnabled},
		{name: "the name is taken elsewhere", spec: named, prepare: elsewhere("/"), want: v1alpha1.ReasonAlreadyExists},
		{name: "the name is taken by another namespace", spec: named, prepare: elsewhere("/podid/lab/bank/"), want: v1alpha1.ReasonAlreadyExists},
		{name: "podid's own name", spec: func(s *v1alpha1.RoleSpec) { s.Name = "Podid-operator-next" }, want: v1alpha1.ReasonInvalid},
		{
			name: "another boundary than the imposed one", config: func(c *reconcile.ResourcesConfig) { c.Boundary = ceiling },
			spec: func(s *v1alpha1.RoleSpec) { s.PermissionsBoundary = shared }, want: v1alpha1.ReasonInvalid,
		},
		{
			name: "another namespace's policy", spec: func(s *v1alpha1.RoleSpec) {
				s.PolicyARNs = []string{"arn:aws:iam::111122223333:policy/podid/lab/bank/x"}
			},
			want: v1alpha1.ReasonForeignPolicy,
		},
		{
			name: "another namespace's policy as boundary", spec: func(s *v1alpha1.RoleSpec) {
				s.PermissionsBoundary = "arn:aws:iam::111122223333:policy/podid/lab/bank/x"
			},
			want: v1alpha1.ReasonForeignPolicy,
		},
		{name: "no such policy", spec: func(s *v1alpha1.RoleSpec) { s.PolicyRefs = []v1alpha1.LocalReference{{Name: "x"}} }, want: v1alpha1.ReasonPolicyNotReady},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newObjects(t, test.config, roleObject(test.spec))
			if test.prepare != nil {
				test.prepare(w)
			}
			before := len(w.iam.roles)
			if err := w.look(w.Roles, "shop", "till"); err != nil {
				t.Fatal(err)
			}
			o := get(w, &v1alpha1.Role{}, "shop", "till")
			if r := reason(o.Status.Conditions); r != test.want || o.Status.ARN != "" {
				t.Errorf("got %s, ARN %q", r, o.Status.ARN)
			}
			w.delete(o)
			if err := w.look(w.Roles, "shop", "till"); err != nil || !w.gone(o, "shop", "till") {
				t.Errorf("got %v", err)
			}
			if len(w.iam.roles) != before {
				t.Errorf("roles: %d, then %d", before, len(w.iam.roles))
			}
		})
	}
}

func TestRole_imposedBoundary(t *testing.T) {
	t.Parallel()
	w := newObjects(t, func(c *reconcile.ResourcesConfig) { c.Boundary = ceiling }, roleObject(func(s *v1alpha1.RoleSpec) { s.Name = "till" }))
	if err := w.look(w.Roles, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	if b := w.iam.roles["till"].PermissionsBoundary; b == nil || *b.PermissionsBoundaryArn != ceiling {
		t.Errorf("got %v", b)
	}
}

func policyObject(name, document string) *v1alpha1.Policy {
	return &v1alpha1.Policy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.PolicySpec{Name: name, Document: document}}
}

const readARN = "arn:aws:iam::111122223333:policy/podid/lab/shop/read"

func TestPolicy_versions(t *testing.T) {
	t.Parallel()
	w := newObjects(t, nil, policyObject("read", allowGet))
	document := func(n int) string { return strings.Replace(allowGet, `"*"`, fmt.Sprintf(`"arn:aws:s3:::b/%d"`, n), 1) }
	for n := range 8 {
		o := get(w, &v1alpha1.Policy{}, "shop", "read")
		o.Spec.Document = document(n)
		w.update(o)
		if err := w.look(w.Policies, "shop", "read"); err != nil {
			t.Fatal(err)
		}
		got := get(w, &v1alpha1.Policy{}, "shop", "read").Status
		if got.ARN != readARN || got.DefaultVersionID != fmt.Sprint("v", n+1) || reason(got.Conditions) != v1alpha1.ReasonSynced || drift(got.Conditions) != "False " {
			t.Errorf("got %+v", got)
		}
	}
	p := w.iam.policies[readARN]
	var left []string
	for _, v := range p.versions {
		left = append(left, *v.VersionId)
	}
	if want := []string{"v4", "v5", "v6", "v7", "v8"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}

	// Somebody puts another version in force; the first version is the default one when room is needed.
	p.versions[4].IsDefaultVersion, p.versions[0].IsDefaultVersion = false, true
	if err := w.look(w.Policies, "shop", "read"); err != nil {
		t.Fatal(err)
	}
	got := get(w, &v1alpha1.Policy{}, "shop", "read")
	if got.Status.DefaultVersionID != "v9" || drift(got.Status.Conditions) != "False changed back: the version in force was v4" || *p.versions[0].VersionId != "v4" {
		t.Errorf("got %s, %q", got.Status.DefaultVersionID, drift(got.Status.Conditions))
	}

	// Held by a role it stays, with all its versions; let go, it goes.
	w.iam.roles["r"] = &fakeRole{attached: []string{readARN}}
	w.delete(got)
	if err := w.look(w.Policies, "shop", "read"); err != nil {
		t.Fatal(err)
	}
	if r := reason(get(w, &v1alpha1.Policy{}, "shop", "read").Status.Conditions); r != v1alpha1.ReasonDeleteBlocked || len(p.versions) != 5 {
		t.Errorf("got %s, %d versions", r, len(p.versions))
	}
	clear(w.iam.roles)
	if err := w.look(w.Policies, "shop", "read"); err != nil || len(w.iam.policies) != 0 || !w.gone(got, "shop", "read") {
		t.Errorf("got %v, %v", err, w.iam.policies)
	}
}

func TestPolicy_ofARole(t *testing.T) {
	t.Parallel()
	w := newObjects(t, nil, policyObject("read", allowGet), roleObject(func(s *v1alpha1.RoleSpec) {
		s.Name, s.PolicyRefs, s.PolicyARNs = "till", []v1alpha1.LocalReference{{Name: "read"}}, []string{shared, readARN}
	}))
	if err := w.look(w.Policies, "shop", "read"); err != nil {
		t.Fatal(err)
	}
	if err := w.look(w.Roles, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	if got, want := w.iam.roles["till"].attached, []string{readARN, shared}; !slices.Equal(got, want) {
		t.Errorf("attached %v", got)
	}
}

func TestPolicy_notEnabled(t *testing.T) {
	t.Parallel()
	w := newObjects(t, func(c *reconcile.ResourcesConfig) { c.IAM = nil }, policyObject("read", allowGet))
	if err := w.look(w.Policies, "shop", "read"); err != nil {
		t.Fatal(err)
	}
	o := get(w, &v1alpha1.Policy{}, "shop", "read")
	if reason(o.Status.Conditions) != v1alpha1.ReasonNotEnabled || len(o.Finalizers) != 0 {
		t.Errorf("got %s, finalizers %v", reason(o.Status.Conditions), o.Finalizers)
	}
}

func TestSameDocument(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{`{"Action":"s3:Get*"}`, `{ "Action": ["s3:Get*"] }`, true},
		{`{"Action":["a","b"]}`, `{"Action":["b","a"]}`, true},
		{`{"Statement":[{"Sid":"a"},{"Sid":"b"}]}`, `{"Statement":[{"Sid":"b"},{"Sid":"a"}]}`, false},
		{`{"Action":["a","a"]}`, `{"Action":["a"]}`, false},
		{`{"Condition":{"x":{"n":1}}}`, `{"Condition":{"x":{"n":1.0}}}`, false},
		{``, `{}`, false},
		{`{}`, `{} {}`, false},
		{`not json`, `not json`, true},
		{`not json`, `other`, false},
	}
	for _, test := range tests {
		if got := reconcile.SameDocument(test.a, test.b); got != test.want {
			t.Errorf("%s and %s: got %t", test.a, test.b, got)
		}
	}
}
