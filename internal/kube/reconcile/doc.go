// Package reconcile holds the operator's controllers: what makes a cluster be as the control plane wants it, and the control plane be
// as the cluster's objects say.
//
// Of the first sort are the add-on, the sweep that flags pods without their identity, the startup taint, the certificate authority in
// every namespace, and the telling of ended pods. Of the second sort are the kinds of podid.dev, and ACK's PodIdentityAssociation:
// see [SetupResources].
//
// Promises about these kinds:
//
//   - The control plane is asked as any client would ask it, with the operator's rights and no others.
//   - No object reaches beyond its own namespace: docs/decisions/0012-custom-resources.md.
//   - What its author or an administrator has to deal with is a condition with a reason, and is not tried again before something
//     changes or the next look is due. What is ours is tried again with growing pauses.
//   - What somebody changes behind an object's back is told, in a condition and an Event, and changed back.
//   - An object goes only after what it has made, unless it says that this is to stay.
package reconcile
