package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// ACK's types of conditions.
const (
	ackSynced      = "ACK.ResourceSynced"
	ackTerminal    = "ACK.Terminal"    // the spec has to change first
	ackRecoverable = "ACK.Recoverable" // something else has to
	ackReferences  = "ACK.ReferencesResolved"
	ackAdvisory    = "ACK.Advisory"
)

// ackUnresolved is the reason of a reference that leads nowhere yet.
const ackUnresolved = "ReferenceNotResolved"

// terminal are the reasons that only another spec helps against.
var terminal = []string{
	v1alpha1.ReasonInvalid, v1alpha1.ReasonAlreadyExists, v1alpha1.ReasonShadowed, v1alpha1.ReasonForeignRole, v1alpha1.ReasonForeignResource,
}

// tellFailure writes a failure into the status.
func (a *acks) tellFailure(o *unstructured.Unstructured, err error) {
	reason, message := explained(err)
	setACK(o, a.Now(), ackSynced, "False", reason, message)
	kind, other := ackRecoverable, ackTerminal
	if slices.Contains(terminal, reason) {
		kind, other = ackTerminal, ackRecoverable
	}
	setACK(o, a.Now(), kind, "True", reason, message)
	dropACK(o, other)
	if reason == ackUnresolved {
		setACK(o, a.Now(), ackReferences, "False", reason, message)
	}
}

// ackStatus is a copy of the status.
func ackStatus(o *unstructured.Unstructured) map[string]any {
	if status, ok := o.Object["status"].(map[string]any); ok {
		return maps.Clone(status)
	}
	return map[string]any{}
}

// ackConditions are the conditions that are well formed.
func ackConditions(o *unstructured.Unstructured) []map[string]any {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	var all []map[string]any
	for _, item := range list {
		if c, ok := item.(map[string]any); ok {
			all = append(all, c)
		}
	}
	return all
}

func ackCondition(o *unstructured.Unstructured, kind string) map[string]any {
	for _, c := range ackConditions(o) {
		if c["type"] == kind {
			return c
		}
	}
	return nil
}

// setACK sets a condition. Its time is that of the last change of its status.
func setACK(o *unstructured.Unstructured, now time.Time, kind, status, reason, message string) {
	at := now.UTC().Format(time.RFC3339)
	if before := ackCondition(o, kind); before != nil && before["status"] == status {
		if was, ok := before["lastTransitionTime"].(string); ok {
			at = was
		}
	}
	c := map[string]any{"type": kind, "status": status, "lastTransitionTime": at}
	if reason != "" {
		c["reason"] = reason
	}
	if message != "" {
		c["message"] = message
	}
	replaceACK(o, append(withoutACK(o, kind), c))
}

// dropACK removes conditions that are no longer so.
func dropACK(o *unstructured.Unstructured, kinds ...string) {
	replaceACK(o, withoutACK(o, kinds...))
}

func withoutACK(o *unstructured.Unstructured, kinds ...string) []any {
	all := []any{}
	for _, c := range ackConditions(o) {
		if kind, _ := c["type"].(string); !slices.Contains(kinds, kind) {
			all = append(all, c)
		}
	}
	return all
}

// replaceACK writes conditions in a fixed order, so that the same ones are the same.
func replaceACK(o *unstructured.Unstructured, conditions []any) {
	name := func(c any) string { s, _ := c.(map[string]any)["type"].(string); return s }
	slices.SortStableFunc(conditions, func(a, b any) int { return cmp.Compare(name(a), name(b)) })
	status := ackStatus(o)
	status["conditions"] = conditions
	o.Object["status"] = status
}

// ackWord is what the conditions say in one word.
func ackWord(o *unstructured.Unstructured) (ready bool, why string) {
	c := ackCondition(o, ackSynced)
	why, _ = c["reason"].(string)
	return c["status"] == "True", why
}
