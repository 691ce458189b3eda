package cluster

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

const subjectAssociation = "association"

// Association gives a role to a service account of a cluster, or to all that match a pattern. spec: pod-identity.md 1.3
type Association struct {
	Account            string            `json:"account"`
	Region             string            `json:"region"`
	Cluster            string            `json:"cluster"`
	ID                 string            `json:"id"`
	Namespace          string            `json:"namespace"`
	ServiceAccount     string            `json:"serviceAccount"`
	RoleARN            string            `json:"roleArn"`                 // of the cluster's account
	TargetRoleARN      string            `json:"targetRoleArn,omitempty"` // of any account, assumed from the role
	ExternalID         string            `json:"externalId,omitempty"`    // for the target role's trust policy
	Policy             string            `json:"policy,omitempty"`        // session policy
	DisableSessionTags bool              `json:"disableSessionTags,omitempty"`
	OwnerARN           string            `json:"ownerArn,omitempty"` // the add-on that it was made for
	Tags               map[string]string `json:"tags,omitempty"`
	CreatedAt          time.Time         `json:"createdAt"`
	ModifiedAt         time.Time         `json:"modifiedAt"`
}

// associationName is what an id points to.
type associationName struct {
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
}

// ARN names the association.
func (a *Association) ARN() string { return arn.Association(a.Region, a.Account, a.Cluster, a.ID) }

func (a *Association) key() store.Key {
	return store.Key{a.Account, a.Cluster, a.Namespace, a.ServiceAccount}
}

func (a *Association) idKey() store.Key { return store.Key{a.Account, a.Cluster, a.ID} }

func (a *Association) write(tx *store.Tx) {
	associations.Put(tx, a.key(), a)
	associationIDs.Put(tx, a.idKey(), &associationName{a.Namespace, a.ServiceAccount})
}

// remove deletes what [Association.write] and, for a pattern, [Registry.insertPattern] wrote.
func (a *Association) remove(tx *store.Tx) {
	associations.Delete(tx, a.key())
	associationIDs.Delete(tx, a.idKey())
	if a.Pattern() {
		associationPatterns.Delete(tx, a.idKey())
	}
}

// parseRole reads a role ARN of a length that a record can keep.
func parseRole(roleARN string) (arn.RoleName, error) {
	if len(roleARN) > maxRoleARN {
		return arn.RoleName{}, fmt.Errorf("it has more than %d characters", maxRoleARN)
	}
	return arn.ParseRole(roleARN)
}

// CheckRole holds that roleARN is a role of the cluster's account. spec: pod-identity.md 1.4, check 5
func CheckRole(account, roleARN string) error {
	name, err := parseRole(roleARN)
	if err != nil {
		return fault.New(fault.Invalid, "role", "The role ARN %s is not valid: %s", quoted(roleARN), err)
	}
	if name.Account != account {
		return fault.New(fault.Invalid, "role",
			"The role %s belongs to account %s: an association needs a role of the cluster's account %s. "+
				"To let pods act as a role of another account, give it as targetRoleArn", quoted(roleARN), name.Account, account)
	}
	return nil
}

// check holds what needs no look at anything else, in AWS's order. spec: pod-identity.md 1.4, checks 4, 5 and 9 to 11
func (a *Association) check() error {
	if err := a.checkNames(); err != nil {
		return err
	}
	if err := CheckRole(a.Account, a.RoleARN); err != nil {
		return err
	}
	if a.TargetRoleARN != "" {
		if _, err := parseRole(a.TargetRoleARN); err != nil {
			return fault.New(fault.Invalid, "target role", "The target role ARN %s is not valid: %s", quoted(a.TargetRoleARN), err)
		}
	}
	if a.Policy != "" {
		if n := utf8.RuneCountInString(a.Policy); n > policy.SessionQuota {
			return fault.New(fault.Invalid, "policy document", "The policy has %d characters: a session policy has at most %d",
				n, policy.SessionQuota)
		}
		if _, err := policy.Parse(policy.Session, a.Policy); err != nil {
			return fault.New(fault.Invalid, "policy document", "The policy is not valid: %s", err)
		}
		if !a.DisableSessionTags {
			return fault.New(fault.Invalid, "policy document", "PackedPolicyTooLarge: a session policy leaves no room for session tags. "+
				"Set disableSessionTags to true to use a policy")
		}
	}
	return a.checkTags()
}

// checkNames holds the rules for the names themselves; whether the cluster lets them be patterns is seen when they are written.
func (a *Association) checkNames() error {
	switch {
	case !a.Pattern():
		return CheckServiceAccount(a.Namespace, a.ServiceAccount)
	case a.OwnerARN != "":
		return invalidName("The service account %s of an add-on cannot be a pattern", quoted(a.ServiceAccount))
	}
	return checkPattern(a.pair())
}

// setExternalID keeps what the target role's trust policy asks for. It is the same for an association that is deleted and made again. Of a
// pattern it is one too, for a StringLike: what is sent for a pod has the pod's own names. spec: pod-identity.md 1.3.3
func (a *Association) setExternalID() {
	a.ExternalID = ""
	if a.TargetRoleARN != "" {
		a.ExternalID = a.ExternalIDOf(a.Namespace, a.ServiceAccount)
	}
}

// ExternalIDOf is what is sent to the target role for a pod of a service account that the association is for.
func (a *Association) ExternalIDOf(namespace, serviceAccount string) string {
	return a.Region + "/" + a.Account + "/" + a.Cluster + "/" + namespace + "/" + serviceAccount
}

// CreateAssociation makes an association. ID, ARN, external id and times are made here; token is the client request token, or empty.
// Of several calls for one service account one succeeds, the others fail with fault.Exists and a text that names its id.
func (r *Registry) CreateAssociation(ctx context.Context, a Association, token string) (*Association, error) {
	made, err := r.newAssociation(a)
	if err != nil {
		return nil, err
	}
	if made.Pattern() {
		done, err := r.patternTurn(ctx, a.Account, a.Cluster)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	params := []any{a.Namespace, a.ServiceAccount, a.RoleARN, a.TargetRoleARN, a.Policy, a.DisableSessionTags, a.Tags}
	var out *Association
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		out = made
		c, err := readCluster(tx, a.Account, a.Cluster)
		if err != nil {
			return err
		}
		before, err := once(tx, onceKey{a.Account, c.ID, "CreatePodIdentityAssociation", token}, params, made.ID)
		if err != nil {
			return err
		}
		if before == "" {
			if err := c.checkIdentity(made.Namespace, made.ServiceAccount); err != nil {
				return err
			}
			return r.insertAssociation(tx, made)
		}
		out, err = again(tx, associations, made.key(), before, func(old *Association) string { return old.ID }, "the association "+before)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newAssociation checks an association and gives it what it gets from us.
func (r *Registry) newAssociation(a Association) (*Association, error) {
	id, err := r.newAssociationID()
	if err != nil {
		return nil, err
	}
	a.Region, a.ID, a.CreatedAt = r.region, id, r.clock()
	a.ModifiedAt, a.Tags = a.CreatedAt, maps.Clone(a.Tags)
	a.setExternalID()
	return &a, a.check()
}

// insertAssociation writes a new association of a cluster that was read in the same transaction.
func (r *Registry) insertAssociation(tx *store.Tx, a *Association) error {
	if full(associations, r.db.Snapshot(), store.Key{a.Account, a.Cluster}, r.quotas.Of(quota.AssociationsPerCluster)) {
		return fault.New(fault.Limit, subjectAssociation, "The cluster %s has reached its limit of %d pod identity associations",
			a.Cluster, r.quotas.Of(quota.AssociationsPerCluster)).With("clusterName", a.Cluster)
	}
	old, found, err := associations.Read(tx, a.key())
	if err != nil {
		return err
	}
	if found {
		return fault.New(fault.Exists, subjectAssociation, "%s", exists(old.ID)).With("clusterName", a.Cluster)
	}
	if a.Pattern() {
		if err := r.insertPattern(tx, a); err != nil {
			return err
		}
	}
	a.write(tx)
	return nil
}

// exists is AWS's sentence, from which clients take the id.
func exists(id string) string { return "Association already exists: " + id }

// UpdateAssociation changes an association: f gets a private copy and may be called again on a newer one. What it may change is the
// role, the target role, the policy and whether there are session tags; the rest stays. Token is the client request token, or empty, of
// what is asked in request: sent again, as by a client that did not get the answer, it changes nothing again, whatever was changed since,
// and is answered with what the association is now.
func (r *Registry) UpdateAssociation(
	ctx context.Context, account, cluster, id, token string, request any, f func(*Association) error,
) (*Association, error) {
	var out *Association
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		c, err := readCluster(tx, account, cluster)
		if err != nil {
			return err
		}
		old, err := readAssociation(tx, account, cluster, id)
		if err != nil {
			return err
		}
		before, err := once(tx, onceKey{account, c.ID, "UpdatePodIdentityAssociation", token}, []any{id, request}, id)
		if err != nil {
			return err
		}
		if before != "" {
			out = old
			return nil
		}
		changed := *old
		if err := f(&changed); err != nil {
			return err
		}
		a := *old
		a.RoleARN, a.TargetRoleARN = changed.RoleARN, changed.TargetRoleARN
		a.Policy, a.DisableSessionTags = changed.Policy, changed.DisableSessionTags
		if a.ModifiedAt = r.clock(); a.ModifiedAt.Before(old.ModifiedAt) {
			a.ModifiedAt = old.ModifiedAt // another replica's clock is ahead
		}
		a.setExternalID()
		if err := a.check(); err != nil {
			return err
		}
		associations.Put(tx, a.key(), &a)
		out = &a
		return nil
	})
	return out, err
}

// DeleteAssociation removes an association and returns what it was. Sessions that were made through it live on until they expire.
func (r *Registry) DeleteAssociation(ctx context.Context, account, cluster, id string) (*Association, error) {
	var out *Association
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := readCluster(tx, account, cluster); err != nil {
			return err
		}
		a, err := readAssociation(tx, account, cluster, id)
		if err != nil {
			return err
		}
		a.remove(tx)
		out = a
		return nil
	})
	return out, err
}

func readAssociation(tx *store.Tx, account, cluster, id string) (*Association, error) {
	name, ok, err := associationIDs.Read(tx, store.Key{account, cluster, id})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noAssociation(cluster, id)
	}
	a, ok, err := associations.Read(tx, store.Key{account, cluster, name.Namespace, name.ServiceAccount})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noAssociation(cluster, id)
	}
	return a, nil
}

func noAssociation(cluster, id string) error {
	return fault.New(fault.NotFound, subjectAssociation, "No pod identity association %s found in cluster: %s", quoted(id), quotedName(cluster)).
		With("clusterName", quotedName(cluster))
}

// Association looks an association up by its id; before it fails with fault.NotFound it makes sure.
func (r *Registry) Association(ctx context.Context, account, cluster, id string) (*Association, error) {
	if a, ok := r.associationByID(account, cluster, id); ok {
		return a, nil
	}
	if err := r.db.Sync(ctx); err != nil {
		return nil, err
	}
	if a, ok := r.associationByID(account, cluster, id); ok {
		return a, nil
	}
	return nil, noAssociation(cluster, id)
}

func (r *Registry) associationByID(account, cluster, id string) (*Association, bool) {
	s := r.db.Snapshot()
	name, ok := associationIDs.Get(s, store.Key{account, cluster, id})
	if !ok {
		return nil, false
	}
	return associations.Get(s, store.Key{account, cluster, name.Namespace, name.ServiceAccount})
}

// Lookup is the question of every token exchange: which association counts for a service account? Its own, or else the most specific
// pattern that matches it. What this replica does not know, it asks etcd for once more before it fails with fault.NotFound. A more specific
// association that was made through another replica counts here when that is known here, as a change of a role does.
func (r *Registry) Lookup(ctx context.Context, account, cluster, namespace, serviceAccount string) (*Association, error) {
	if a, ok := r.find(r.db.Snapshot(), account, cluster, namespace, serviceAccount); ok {
		return a, nil
	}
	a, err := r.Exact(ctx, account, cluster, namespace, serviceAccount)
	if fault.Of(err).Kind != fault.NotFound {
		return a, err
	}
	if a, ok := r.find(r.db.Snapshot(), account, cluster, namespace, serviceAccount); ok {
		return a, nil
	}
	return nil, err
}

// Exact is the association that was made for just these two names, which for a pattern are the pattern. Before it fails with fault.NotFound it
// makes sure, and then this replica knows whatever was acknowledged before the call.
func (r *Registry) Exact(ctx context.Context, account, cluster, namespace, serviceAccount string) (*Association, error) {
	key := store.Key{account, cluster, namespace, serviceAccount}
	if a, ok := associations.Get(r.db.Snapshot(), key); ok {
		return a, nil
	}
	a, ok, err := associations.Fresh(ctx, r.db, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.NotFound, subjectAssociation,
			"No pod identity association for service account %s of namespace %s found in cluster: %s",
			quoted(serviceAccount), quoted(namespace), cluster).With("clusterName", cluster)
	}
	return a, nil
}

// Associations yields the associations of a cluster in the order of ids, those after one id. Namespace and service account, where not
// empty, must match.
func (r *Registry) Associations(account, cluster, namespace, serviceAccount, after string) iter.Seq[*Association] {
	s := r.db.Snapshot()
	return func(yield func(*Association) bool) {
		for key, name := range associationIDs.All(s, store.Key{account, cluster}) {
			if key[2] <= after || namespace != "" && name.Namespace != namespace ||
				serviceAccount != "" && name.ServiceAccount != serviceAccount {
				continue
			}
			a, ok := associations.Get(s, store.Key{account, cluster, name.Namespace, name.ServiceAccount})
			if ok && !yield(a) {
				return
			}
		}
	}
}
