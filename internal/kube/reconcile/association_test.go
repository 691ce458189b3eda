package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/kube/reconcile"
)

func TestAssociation_isMadeAndKept(t *testing.T) {
	t.Parallel()
	o := association("till", "till", reader)
	o.Spec.TargetRoleARN, o.Spec.Policy, o.Spec.DisableSessionTags = "arn:aws:iam::444455556666:role/x", `{"Version":"2012-10-17"}`, true
	o.Spec.Tags = map[string]string{"team": "shop"}
	w := newObjects(t, nil, o)
	if err := w.look(w.Associations, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	a := w.eks.of("shop", "till")
	if a == nil || *a.RoleArn != reader || *a.TargetRoleArn != o.Spec.TargetRoleARN || *a.Policy != o.Spec.Policy || !*a.DisableSessionTags || a.Tags["team"] != "shop" {
		t.Fatalf("got %+v", a)
	}
	got := w.association("till")
	want := v1alpha1.PodIdentityAssociationStatus{
		AssociationID: *a.AssociationId, AssociationARN: *a.AssociationArn, RoleARN: reader, ObservedGeneration: 1, NodesReady: 2, NodesTotal: 3,
		LastSynced: got.Status.LastSynced, Conditions: got.Status.Conditions,
	}
	if diff := cmp.Diff(want, got.Status); diff != "" || got.Status.LastSynced == nil {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if r := reason(got.Status.Conditions); r != v1alpha1.ReasonSynced || drift(got.Status.Conditions) != "False " {
		t.Errorf("got %s, %q", r, drift(got.Status.Conditions))
	}
	if !slices.Contains(got.Finalizers, "podid.dev/association") {
		t.Errorf("no finalizer: %v", got.Finalizers)
	}

	// Nothing to do, nothing written.
	w.eks.calls = nil
	if err := w.look(w.Associations, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	if again := w.association("till"); again.ResourceVersion != got.ResourceVersion || !slices.Equal(w.eks.calls, []string{"Describe"}) {
		t.Errorf("version %s then %s, calls %v", got.ResourceVersion, again.ResourceVersion, w.eks.calls)
	}

	w.delete(got)
	if err := w.look(w.Associations, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	if len(w.eks.associations) != 0 || !w.gone(got, "shop", "till") {
		t.Error("the association or its object is still there")
	}
}

func TestAssociation_driftIsToldAndRepaired(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*fakeEKS, *types.PodIdentityAssociation)
		drift  string
	}{
		{"role", func(_ *fakeEKS, a *types.PodIdentityAssociation) { a.RoleArn = aws.String(writer) }, "roleArn was " + writer},
		{
			"more", func(_ *fakeEKS, a *types.PodIdentityAssociation) {
				a.DisableSessionTags, a.Policy = aws.Bool(true), aws.String("{}")
				a.Tags["new"] = "x"
				delete(a.Tags, "team")
			},
			"disableSessionTags was true; policy was {}; the tag new was added; the tag team was none",
		},
		{"deleted", func(f *fakeEKS, a *types.PodIdentityAssociation) { delete(f.associations, *a.AssociationId) }, "the association a-00000001 was deleted"},
		{"aws's own tags are left", func(_ *fakeEKS, a *types.PodIdentityAssociation) { a.Tags["aws:x"] = "y" }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := association("till", "till", reader)
			o.Spec.Tags = map[string]string{"team": "shop"}
			w := newObjects(t, nil, o)
			if err := w.look(w.Associations, "shop", "till"); err != nil {
				t.Fatal(err)
			}
			test.change(w.eks, w.eks.of("shop", "till"))
			w.told()
			if test.drift != "" {
				w.eks.fail["Update"], w.eks.fail["Tag"], w.eks.fail["Create"] = errors.New("no route"), errors.New("no route"), errors.New("no route")
				if err := w.look(w.Associations, "shop", "till"); err == nil {
					t.Error("a failure of ours is not tried again")
				}
				got := w.association("till").Status
				if d := drift(got.Conditions); d != "True "+test.drift || reason(got.Conditions) != v1alpha1.ReasonUnavailable {
					t.Errorf("got %q, %s", d, reason(got.Conditions))
				}
			}
			clear(w.eks.fail)
			if err := w.look(w.Associations, "shop", "till"); err != nil {
				t.Fatal(err)
			}
			a := w.eks.of("shop", "till")
			delete(a.Tags, "aws:x")
			if *a.RoleArn != reader || *a.DisableSessionTags || aws.ToString(a.Policy) != "" || !cmp.Equal(a.Tags, o.Spec.Tags) {
				t.Errorf("not repaired: %+v", a)
			}
			got := w.association("till").Status
			want := "False "
			if test.drift != "" {
				want += "changed back: " + test.drift
			}
			if d := drift(got.Conditions); d != want || reason(got.Conditions) != v1alpha1.ReasonSynced || got.AssociationID != *a.AssociationId {
				t.Errorf("got %q, %s", d, reason(got.Conditions))
			}
			events := strings.Join(w.told(), "\n")
			if strings.Contains(events, v1alpha1.ReasonDriftFound) != (test.drift != "") || !strings.Contains(events, test.drift) {
				t.Errorf("got Events\n%s", events)
			}
		})
	}
}

func TestAssociation_aNewSpecIsNoDrift(t *testing.T) {
	t.Parallel()
	w := newObjects(t, nil, association("till", "till", reader))
	if err := w.look(w.Associations, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	o := w.association("till")
	o.Spec.RoleARN = writer
	w.update(o)
	if err := w.look(w.Associations, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	got := w.association("till").Status
	if *w.eks.of("shop", "till").RoleArn != writer || got.RoleARN != writer || drift(got.Conditions) != "False " {
		t.Errorf("got %+v", got)
	}
}

func TestAssociation_thatExists(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, role, annotation string
		want                   string
	}{
		{"same role", reader, "", v1alpha1.ReasonSynced},
		{"other role", writer, "", v1alpha1.ReasonAlreadyExists},
		{"other role, asked for", writer, "true", v1alpha1.ReasonSynced},
		{"other role, not asked for", writer, "false", v1alpha1.ReasonAlreadyExists},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := association("till", "till", reader)
			o.Annotations = map[string]string{v1alpha1.AnnotationAdopt: test.annotation}
			w := newObjects(t, nil, o)
			old := w.eks.add("shop", "till", test.role)
			if err := w.look(w.Associations, "shop", "till"); err != nil {
				t.Fatal(err)
			}
			got := w.association("till")
			if r := reason(got.Status.Conditions); r != test.want {
				t.Errorf("got %s", r)
			}
			mine := test.want == v1alpha1.ReasonSynced
			if (got.Status.AssociationID == *old.AssociationId) != mine || (*old.RoleArn == reader) != mine {
				t.Errorf("got %q, role %s", got.Status.AssociationID, *old.RoleArn)
			}
			if c := got.Status.Conditions[0]; !mine && !strings.Contains(c.Message, *old.AssociationId) {
				t.Errorf("the id is not told: %s", c.Message)
			}
			w.delete(got)
			if err := w.look(w.Associations, "shop", "till"); err != nil {
				t.Fatal(err)
			}
			if (len(w.eks.associations) == 0) != mine {
				t.Errorf("left: %v", w.eks.associations)
			}
		})
	}
}

func TestAssociation_olderObjectWins(t *testing.T) {
	t.Parallel()
	first, second := association("z-first", "till", reader), association("a-second", "till", writer)
	w := newObjects(t, nil, first, second)
	for _, name := range []string{"a-second", "z-first", "a-second"} {
		if err := w.look(w.Associations, "shop", name); err != nil {
			t.Fatal(err)
		}
	}
	if r := reason(w.association("a-second").Status.Conditions); r != v1alpha1.ReasonShadowed || *w.eks.of("shop", "till").RoleArn != reader {
		t.Errorf("got %s", r)
	}
	loser := w.association("a-second")
	w.delete(loser)
	if err := w.look(w.Associations, "shop", "a-second"); err != nil || w.eks.of("shop", "till") == nil || !w.gone(loser, "shop", "a-second") {
		t.Errorf("the loser took the association with it: %v", err)
	}
}

func TestAssociation_refusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		role string
		fail error
		want string
		ours bool
	}{
		{name: "another namespace's role", role: "arn:aws:iam::111122223333:role/podid/lab/bank/vault", want: v1alpha1.ReasonForeignRole},
		{name: "its own namespace's role", role: "arn:aws:iam::111122223333:role/podid/lab/shop/vault", want: v1alpha1.ReasonSynced},
		{name: "a namespace that begins alike", role: "arn:aws:iam::111122223333:role/podid/lab/shop2/vault", want: v1alpha1.ReasonForeignRole},
		{name: "another cluster's path", role: "arn:aws:iam::111122223333:role/podid/other/bank/vault", want: v1alpha1.ReasonSynced},
		{name: "not permitted", fail: refused("AccessDeniedException", "iam:PassRole"), want: v1alpha1.ReasonDenied},
		{name: "quota", fail: refused("ResourceLimitExceededException", "5,000"), want: v1alpha1.ReasonLimit},
		{name: "no such role", fail: &types.InvalidParameterException{Message: aws.String("no role")}, want: v1alpha1.ReasonInvalid},
		{name: "no such cluster", fail: &types.ResourceNotFoundException{Message: aws.String("no cluster")}, want: v1alpha1.ReasonNoCluster},
		{name: "nobody there", fail: errors.New("dial tcp: refused"), want: v1alpha1.ReasonUnavailable, ours: true},
		{name: "busy", fail: refused("ThrottlingException", "slowly"), want: v1alpha1.ReasonUnavailable, ours: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.role == "" {
				test.role = reader
			}
			w := newObjects(t, nil, association("till", "till", test.role))
			w.eks.fail["Create"] = test.fail
			if err := w.look(w.Associations, "shop", "till"); (err != nil) != test.ours {
				t.Errorf("got %v", err)
			}
			if r := reason(w.association("till").Status.Conditions); r != test.want {
				t.Errorf("got %s, want %s", r, test.want)
			}
		})
	}
}

func TestAssociation_statusIsNoProof(t *testing.T) {
	t.Parallel()
	o := association("till", "till", reader)
	w := newObjects(t, nil, o)
	foreign := w.eks.add("bank", "vault", reader)
	o = w.association("till")
	o.Finalizers = []string{"podid.dev/association"}
	w.update(o)
	o.Status.AssociationID = *foreign.AssociationId
	if err := w.kube.Status().Update(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := w.look(w.Associations, "shop", "till"); err != nil || reason(w.association("till").Status.Conditions) != v1alpha1.ReasonInvalid {
		t.Errorf("got %v, %s", err, reason(w.association("till").Status.Conditions))
	}
	w.delete(w.association("till"))
	if err := w.look(w.Associations, "shop", "till"); err != nil || w.eks.of("bank", "vault") == nil || !w.gone(o, "shop", "till") {
		t.Errorf("another namespace's association is gone: %v", err)
	}
}

// An object that was not allowed to have its way has made nothing, and takes nothing with it when it goes.
func TestAssociation_deletionOfOneThatWasRefused(t *testing.T) {
	t.Parallel()
	const foreign = "arn:aws:iam::111122223333:role/podid/lab/bank/clerk"
	for name, test := range map[string]struct {
		role string
		fail error
	}{
		"not permitted": {reader, refused("AccessDeniedException", "no iam:PassRole")},
		"another's":     {foreign, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := association("till", "till", test.role)
			ack := ackObject("shop", ackSpec(map[string]any{"serviceAccount": "desk", "roleARN": test.role}))
			w := newObjects(t, nil, own, ack)
			w.eks.add("shop", "till", test.role)
			w.eks.add("shop", "desk", test.role)
			if test.fail != nil {
				w.eks.fail["Create"] = test.fail
			}
			for _, r := range []ctrlreconcile.Reconciler{w.Associations, w.ACK} {
				if err := w.look(r, "shop", "till"); err != nil {
					t.Fatal(err)
				}
			}
			w.delete(w.association("till"))
			w.delete(w.ackObject("shop"))
			for _, r := range []ctrlreconcile.Reconciler{w.Associations, w.ACK} {
				if err := w.look(r, "shop", "till"); err != nil {
					t.Fatal(err)
				}
			}
			if len(w.eks.associations) != 2 || !w.gone(own, "shop", "till") {
				t.Errorf("left %v", w.eks.associations)
			}
		})
	}
}

func TestAssociation_deletion(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(*objects, *v1alpha1.PodIdentityAssociation)
		left    int
		stays   bool
	}{
		{name: "delete"},
		{name: "retain", left: 1, prepare: func(w *objects, o *v1alpha1.PodIdentityAssociation) {
			o.Spec.DeletionPolicy = v1alpha1.DeletionRetain
			w.update(o)
		}},
		{name: "gone already", prepare: func(w *objects, _ *v1alpha1.PodIdentityAssociation) { clear(w.eks.associations) }},
		{name: "not permitted", left: 1, stays: true, prepare: func(w *objects, _ *v1alpha1.PodIdentityAssociation) {
			w.eks.fail["Delete"] = refused("AccessDeniedException", "no")
		}},
		{name: "the status was lost", prepare: func(w *objects, o *v1alpha1.PodIdentityAssociation) {
			o.Status = v1alpha1.PodIdentityAssociationStatus{}
			if err := w.kube.Status().Update(w.t.Context(), o); err != nil {
				w.t.Fatal(err)
			}
		}},
		{name: "replaced by somebody", left: 1, prepare: func(w *objects, _ *v1alpha1.PodIdentityAssociation) {
			clear(w.eks.associations)
			w.eks.add("shop", "till", writer)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newObjects(t, nil, association("till", "till", reader))
			if err := w.look(w.Associations, "shop", "till"); err != nil {
				t.Fatal(err)
			}
			o := w.association("till")
			if test.prepare != nil {
				test.prepare(w, o)
			}
			w.delete(w.association("till"))
			if err := w.look(w.Associations, "shop", "till"); err != nil {
				t.Fatal(err)
			}
			if len(w.eks.associations) != test.left || w.gone(o, "shop", "till") == test.stays {
				t.Errorf("left %v", w.eks.associations)
			}
			if test.stays && reason(w.association("till").Status.Conditions) != v1alpha1.ReasonDenied {
				t.Error("the reason is not told")
			}
		})
	}
}

func TestAssociation_lostAnswerIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	w := newObjects(t, nil, association("till", "till", reader))
	if err := w.look(w.Associations, "shop", "till"); err != nil {
		t.Fatal(err)
	}
	o := w.association("till")
	o.Status = v1alpha1.PodIdentityAssociationStatus{}
	if err := w.kube.Status().Update(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := w.look(w.Associations, "shop", "till"); err != nil || len(w.eks.associations) != 1 || len(w.eks.tokens) != 1 {
		t.Errorf("got %v, %d tokens", err, len(w.eks.tokens))
	}
	// Made by the same object again after somebody replaced it and went away.
	clear(w.eks.associations)
	w.eks.add("shop", "till", writer)
	_ = w.look(w.Associations, "shop", "till")
	clear(w.eks.associations)
	if err := w.look(w.Associations, "shop", "till"); err != nil || reason(w.association("till").Status.Conditions) != v1alpha1.ReasonSynced {
		t.Errorf("got %v, %s", err, reason(w.association("till").Status.Conditions))
	}
}

func TestAssociation_ofARole(t *testing.T) {
	t.Parallel()
	o := association("till", "till", "")
	o.Spec.RoleRef = &v1alpha1.LocalReference{Name: "till"}
	w := newObjects(t, func(c *reconcile.ResourcesConfig) { c.Boundary = "" }, o)
	if err := w.look(w.Associations, "shop", "till"); err != nil || reason(w.association("till").Status.Conditions) != v1alpha1.ReasonRoleNotReady {
		t.Errorf("no role: %v, %s", err, reason(w.association("till").Status.Conditions))
	}
	role := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "till", UID: "r", Generation: 1}}
	if err := w.kube.Create(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	if err := w.look(w.Associations, "shop", "till"); err != nil || len(w.eks.associations) != 0 {
		t.Errorf("a role without an ARN: %v", err)
	}
	if err := errors.Join(w.look(w.Roles, "shop", "till"), w.look(w.Associations, "shop", "till")); err != nil {
		t.Fatal(err)
	}
	arn := get(w, &v1alpha1.Role{}, "shop", "till").Status.ARN
	if a := w.eks.of("shop", "till"); a == nil || *a.RoleArn != arn || !strings.HasPrefix(arn, "arn:aws:iam::111122223333:role/podid/lab/shop/shop-till-") {
		t.Errorf("got %v, role %s", a, arn)
	}
}
