package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// EKS is what is asked of the control plane about associations. An *eks.Client has it.
type EKS interface {
	CreatePodIdentityAssociation(context.Context, *eks.CreatePodIdentityAssociationInput, ...func(*eks.Options)) (*eks.CreatePodIdentityAssociationOutput, error)
	DescribePodIdentityAssociation(context.Context, *eks.DescribePodIdentityAssociationInput, ...func(*eks.Options)) (*eks.DescribePodIdentityAssociationOutput, error)
	UpdatePodIdentityAssociation(context.Context, *eks.UpdatePodIdentityAssociationInput, ...func(*eks.Options)) (*eks.UpdatePodIdentityAssociationOutput, error)
	DeletePodIdentityAssociation(context.Context, *eks.DeletePodIdentityAssociationInput, ...func(*eks.Options)) (*eks.DeletePodIdentityAssociationOutput, error)
	ListPodIdentityAssociations(context.Context, *eks.ListPodIdentityAssociationsInput, ...func(*eks.Options)) (*eks.ListPodIdentityAssociationsOutput, error)
	TagResource(context.Context, *eks.TagResourceInput, ...func(*eks.Options)) (*eks.TagResourceOutput, error)
	UntagResource(context.Context, *eks.UntagResourceInput, ...func(*eks.Options)) (*eks.UntagResourceOutput, error)
}

// serviceAccount is whom an association is for.
type serviceAccount struct{ namespace, name string }

// wish is what an object, of whichever kind, wants an association to be.
type wish struct {
	serviceAccount

	role, target, policy string
	noTags               bool
	tags                 map[string]string

	adopt   bool   // one that exists is taken over, whatever its role
	known   string // the id that the object has; empty: none
	applied bool   // this was in force before: what differs, somebody else has changed
	token   string // the client request token for making it
}

// reached is how far a wish came.
type reached struct {
	association *types.PodIdentityAssociation // nil: there is none of this object's
	drift       []string                      // what somebody else has changed
}

// ensure makes the association be what is wished. It is made first and found second: that there is none is decided by the control
// plane, in the moment of making one.
func (r *resources) ensure(ctx context.Context, w wish) (reached, error) {
	if r.foreign(w.role, "role", w.namespace) {
		return reached{}, refuse(v1alpha1.ReasonForeignRole, "the role "+w.role+" is made for the pods of another namespace")
	}
	a, err := r.known(ctx, w)
	if err != nil {
		return reached{}, err
	}
	if a != nil {
		return r.align(ctx, a, w)
	}
	var drift []string
	if w.applied {
		drift = []string{"the association " + w.known + " was deleted"}
	}
	a, made, err := r.make(ctx, w)
	switch {
	case err != nil:
		return reached{drift: drift}, err
	case made:
		return reached{a, drift}, nil
	}
	if aws.ToString(a.RoleArn) != w.role && !w.adopt {
		return reached{drift: drift}, refuse(v1alpha1.ReasonAlreadyExists, fmt.Sprintf(
			"the association %s with the role %s exists already; set the annotation %s: \"true\" on this object to take it over",
			aws.ToString(a.AssociationId), aws.ToString(a.RoleArn), v1alpha1.AnnotationAdopt))
	}
	w.applied = false // whatever it was before, it was not what this object said
	got, err := r.align(ctx, a, w)
	got.drift = append(drift, got.drift...)
	return got, err
}

// known is the association whose id the object has; nil: it has none, or it is gone. One that is for somebody else cannot be meant:
// nobody takes over another namespace's by writing its id into a status.
func (r *resources) known(ctx context.Context, w wish) (*types.PodIdentityAssociation, error) {
	if w.known == "" {
		return nil, nil
	}
	a, err := r.describe(ctx, w.known)
	if err != nil || a == nil {
		return nil, err
	}
	if got := (serviceAccount{aws.ToString(a.Namespace), aws.ToString(a.ServiceAccount)}); got != w.serviceAccount {
		return nil, refuse(v1alpha1.ReasonInvalid, fmt.Sprintf("the association %s is for the service account %s of the namespace %s: neither can be changed",
			w.known, got.name, got.namespace))
	}
	return a, nil
}

// describe looks an association up; nil: there is none of that id.
func (r *resources) describe(ctx context.Context, id string) (*types.PodIdentityAssociation, error) {
	out, err := r.EKS.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &r.Cluster, AssociationId: &id})
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
		return nil, nil
	}
	if err != nil {
		return nil, classified(err)
	}
	return out.Association, nil
}

// make makes an association, or finds the one that is in the way.
func (r *resources) make(ctx context.Context, w wish) (a *types.PodIdentityAssociation, made bool, err error) {
	out, err := r.EKS.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: &r.Cluster, Namespace: &w.namespace, ServiceAccount: &w.name, RoleArn: &w.role, TargetRoleArn: optional(w.target),
		Policy: optional(w.policy), DisableSessionTags: &w.noTags, Tags: w.tags, ClientRequestToken: &w.token,
	})
	if err == nil {
		return out.Association, true, nil
	}
	there, exists := errors.AsType[*types.ResourceInUseException](err)
	if !exists {
		return nil, false, classified(err)
	}
	id := associationID.FindString(there.ErrorMessage())
	if id == "" {
		if id, err = r.find(ctx, w.serviceAccount); err != nil {
			return nil, false, err
		}
	}
	a, err = r.describe(ctx, id)
	if err == nil && a == nil {
		err = fmt.Errorf("the association %s came and went", id)
	}
	return a, false, err
}

// associationID is in the text of the refusal. spec: pod-identity.md 1.4
var associationID = regexp.MustCompile(`\ba-[a-z0-9]{8,}\b`)

// find is the id of a service account's association; empty: there is none.
func (r *resources) find(ctx context.Context, s serviceAccount) (string, error) {
	out, err := r.EKS.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{
		ClusterName: &r.Cluster, Namespace: &s.namespace, ServiceAccount: &s.name,
	})
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
		return "", nil
	}
	if err != nil {
		return "", classified(err)
	}
	for _, a := range out.Associations {
		if aws.ToString(a.Namespace) == s.namespace && aws.ToString(a.ServiceAccount) == s.name {
			return aws.ToString(a.AssociationId), nil
		}
	}
	return "", nil
}

// align changes an association into what is wished. All members are given, so that no state in between is ever in force.
func (r *resources) align(ctx context.Context, a *types.PodIdentityAssociation, w wish) (reached, error) {
	differs, set, unset := compare(a, w)
	got := reached{association: a}
	if w.applied {
		got.drift = append(got.drift, differs...)
		got.drift = append(got.drift, tagDrift(a.Tags, set, unset)...)
	}
	if len(differs) > 0 {
		out, err := r.EKS.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{
			ClusterName: &r.Cluster, AssociationId: a.AssociationId, RoleArn: &w.role, TargetRoleArn: &w.target, Policy: &w.policy, DisableSessionTags: &w.noTags,
		})
		if err != nil {
			return got, classified(err)
		}
		got.association = out.Association
	}
	if len(set) > 0 {
		if _, err := r.EKS.TagResource(ctx, &eks.TagResourceInput{ResourceArn: a.AssociationArn, Tags: set}); err != nil {
			return got, classified(err)
		}
	}
	if len(unset) > 0 {
		if _, err := r.EKS.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: a.AssociationArn, TagKeys: unset}); err != nil {
			return got, classified(err)
		}
	}
	return got, nil
}

// compare tells what of an association is not as wished, and which tags to set and to remove.
func compare(a *types.PodIdentityAssociation, w wish) (differs []string, set map[string]string, unset []string) {
	if got := aws.ToString(a.RoleArn); got != w.role {
		differs = append(differs, "roleArn was "+got)
	}
	if got := aws.ToString(a.TargetRoleArn); got != w.target {
		differs = append(differs, "targetRoleArn was "+orNone(got))
	}
	if got := aws.ToString(a.Policy); !sameDocument(got, w.policy) {
		differs = append(differs, "policy was "+orNone(got))
	}
	if got := aws.ToBool(a.DisableSessionTags); got != w.noTags {
		differs = append(differs, fmt.Sprintf("disableSessionTags was %t", got))
	}
	set, unset = tagChanges(a.Tags, w.tags)
	return differs, set, unset
}

// unmake deletes the association of an object; that it is gone already is as good. If the object does not know its id, because it
// was deleted in the moment of making it, it is the one that the object would take over.
func (r *resources) unmake(ctx context.Context, w wish) error {
	id := w.known
	if id == "" {
		var err error
		if id, err = r.find(ctx, w.serviceAccount); err != nil || id == "" {
			return err
		}
	}
	a, err := r.describe(ctx, id)
	if err != nil || a == nil {
		return err
	}
	mine := aws.ToString(a.Namespace) == w.namespace && aws.ToString(a.ServiceAccount) == w.name
	if !mine || w.known == "" && aws.ToString(a.RoleArn) != w.role {
		return nil
	}
	_, err = r.EKS.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: &r.Cluster, AssociationId: &id})
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
		return nil
	}
	if err != nil {
		return classified(err)
	}
	return nil
}

// barred reports whether an object was refused for what it asks for: then an association that is there with the same role is not its own.
func barred(reason string) bool {
	return reason == v1alpha1.ReasonDenied || reason == v1alpha1.ReasonForeignRole || reason == v1alpha1.ReasonForeignResource
}

// requestToken names one attempt of making an association: the same while neither the object nor what is known of it changes, so
// that an answer that was lost is not asked for twice.
func requestToken(uid string, generation int64, known string, last *metav1.Condition) string {
	text := fmt.Sprint(uid, "/", generation, "/", known)
	if last != nil {
		text += "/" + last.Reason + "/" + last.LastTransitionTime.UTC().String()
	}
	sum := sha256.Sum256([]byte(text))
	return "podid-" + hex.EncodeToString(sum[:16])
}

// tagChanges is what turns tags into others. AWS's own are left alone.
func tagChanges(have, want map[string]string) (set map[string]string, unset []string) {
	set = maps.Clone(want)
	maps.DeleteFunc(set, func(k, v string) bool { old, ok := have[k]; return ok && old == v })
	for k := range have {
		if _, ok := want[k]; !ok && !strings.HasPrefix(strings.ToLower(k), "aws:") {
			unset = append(unset, k)
		}
	}
	return set, unset
}

// tagDrift words changes of tags.
func tagDrift(have, set map[string]string, unset []string) (drift []string) {
	for k := range set {
		drift = append(drift, "the tag "+k+" was "+orNone(have[k]))
	}
	for _, k := range unset {
		drift = append(drift, "the tag "+k+" was added")
	}
	return drift
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
