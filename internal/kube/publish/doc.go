// Package publish tells the control plane what is true of a cluster: its issuer and key set, its nodes, and the add-ons as they run.
//
// What is told comes from the API server with the operator's own login, never from a person: the issuer and the key set from the
// discovery documents that the API server serves about itself, so a rotation of its keys is known within seconds and without anybody
// doing anything. A report is the whole truth each time. An empty key set is never told: a cluster without keys would refuse every pod.
//
// A key that the API server no longer serves stays in the set for [Retention], which is longer than any token lives that the webhook
// asks for: tokens that are out keep working. The keys are kept in a ConfigMap of the operator's namespace, so a restart forgets none.
// Whoever takes a key away because it was stolen deletes that ConfigMap too; the key is gone from the set seconds later.
package publish
