package reconcile

import (
	"errors"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// refusal is a failure that the object's author or an administrator has to deal with. It becomes a condition, and is not tried
// again before something changes or the next look is due.
type refusal struct{ reason, message string }

func (e *refusal) Error() string { return e.reason + ": " + e.message }

func refuse(reason, message string) error { return &refusal{reason, message} }

func refusedAs(err error) (*refusal, bool) { return errors.AsType[*refusal](err) }

// lost reports whether a failure means that what the object is about belongs to another.
func lost(err error) bool {
	e, ok := refusedAs(err)
	return ok && (e.reason == v1alpha1.ReasonAlreadyExists || e.reason == v1alpha1.ReasonShadowed)
}

// classified turns an answer of the control plane that is about what was asked into a refusal. What is left is ours: nobody
// answered, or not now.
func classified(err error) error {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err
	}
	var reason string
	switch e.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		reason = v1alpha1.ReasonDenied
	case "ResourceLimitExceededException", "LimitExceeded":
		reason = v1alpha1.ReasonLimit
	case "ResourceNotFoundException":
		reason = v1alpha1.ReasonNoCluster
	case "DeleteConflict":
		reason = v1alpha1.ReasonDeleteBlocked
	case "EntityAlreadyExists":
		reason = v1alpha1.ReasonAlreadyExists
	case "InvalidParameterException", "InvalidRequestException", "BadRequestException", "ValidationException",
		"MalformedPolicyDocument", "InvalidInput", "ValidationError", "NoSuchEntity":
		reason = v1alpha1.ReasonInvalid
	default:
		return err
	}
	// The encoded message at the end is another one each time: a condition with it would change for ever.
	message, _, _ := strings.Cut(e.ErrorMessage(), " Encoded authorization failure message: ")
	return refuse(reason, message)
}

// code is the error code of an answer; empty if there was none.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// explained is what a condition says of a failure.
func explained(err error) (reason, message string) {
	if e, ok := refusedAs(err); ok {
		return e.reason, cut(e.message, maxMessage)
	}
	return v1alpha1.ReasonUnavailable, cut(err.Error(), maxMessage)
}

// verdict writes the conditions of an object: what came of it, and what had been changed behind its back.
type verdict struct {
	conditions *[]metav1.Condition
	generation int64
	now        time.Time
}

func (v verdict) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(v.conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: v.generation, LastTransitionTime: metav1.NewTime(v.now),
	})
}

// write says how it went; err nil: all is as the object says. What drifted stays told after it was repaired.
func (v verdict) write(err error, drift []string) {
	switch {
	case err != nil:
		reason, message := explained(err)
		v.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
	default:
		v.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced, "as the object says")
	}
	was := meta.FindStatusCondition(*v.conditions, v1alpha1.ConditionDrifted)
	switch {
	case len(drift) > 0 && err != nil:
		v.set(v1alpha1.ConditionDrifted, metav1.ConditionTrue, v1alpha1.ReasonDriftFound, cut(differences(drift), maxMessage))
	case len(drift) > 0:
		v.set(v1alpha1.ConditionDrifted, metav1.ConditionFalse, v1alpha1.ReasonDriftRepaired, cut("changed back: "+differences(drift), maxMessage))
	case err == nil && was == nil:
		v.set(v1alpha1.ConditionDrifted, metav1.ConditionFalse, v1alpha1.ReasonNoDrift, "")
	case err == nil && was.Status == metav1.ConditionTrue:
		v.set(v1alpha1.ConditionDrifted, metav1.ConditionFalse, v1alpha1.ReasonDriftRepaired, was.Message)
	}
}

// removed says what kept an object from going; nothing if nothing did.
func (v verdict) removed(err error) []told {
	if err == nil {
		return nil
	}
	v.write(err, nil)
	return news(err, nil)
}

// applied reports whether a spec of this generation has been in force: what differs from it now, somebody else has changed.
func applied(conditions []metav1.Condition, generation int64) bool {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return c != nil && c.ObservedGeneration == generation && (c.Status == metav1.ConditionTrue ||
		c.Reason == v1alpha1.ReasonUnavailable || meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionDrifted))
}

// word is what conditions say in one word.
func word(conditions []metav1.Condition) (ready bool, why string) {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if c == nil {
		return false, ""
	}
	return c.Status == metav1.ConditionTrue, c.Reason
}

// syncPrecision is how exactly an object says when it was last compared: often enough to trust, too seldom to burden etcd.
const syncPrecision = 5 * time.Minute

// synced is the new time of the last comparison.
func synced(before *metav1.Time, now time.Time) *metav1.Time {
	if before != nil && now.Sub(before.Time) < syncPrecision {
		return before
	}
	return &metav1.Time{Time: now.Truncate(time.Second)}
}
