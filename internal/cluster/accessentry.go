package cluster

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

const (
	subjectEntry = "access entry"

	maxGroups   = 50
	maxGroup    = 253 // characters of a group's or a user's name
	maxUserName = 1024
)

// The authentication modes of a cluster, as EKS has them: whether it has access entries.
const (
	ModeAPI          = "API"
	ModeAPIAndConfig = "API_AND_CONFIG_MAP"
	ModeConfig       = "CONFIG_MAP"
)

// standardEntry is the type of an access entry of people; the others are of nodes.
const standardEntry = "STANDARD"

// entryTypes are the types of access entries, and of those of nodes the groups and the user name that EKS gives them.
var entryTypes = map[string]struct {
	groups   []string
	username string
	policies bool // may have access policies
}{
	standardEntry:    {policies: true},
	"EC2_LINUX":      {groups: []string{"system:nodes"}, username: "system:node:{{EC2PrivateDNSName}}"},
	"EC2_WINDOWS":    {groups: []string{"eks:kube-proxy-windows", "system:nodes"}, username: "system:node:{{EC2PrivateDNSName}}"},
	"FARGATE_LINUX":  {groups: []string{"system:bootstrappers", "system:nodes", "system:node-proxier"}, username: "system:node:{{SessionName}}"},
	"EC2":            {groups: []string{"system:nodes"}, username: "system:node:{{EC2PrivateDNSName}}", policies: true},
	"HYBRID_LINUX":   {groups: []string{"system:nodes"}, username: "system:node:{{SessionName}}"},
	"HYPERPOD_LINUX": {groups: []string{"system:nodes"}, username: "system:node:{{SessionName}}"},
}

// AccessEntry says who may use a cluster's Kubernetes API, in EKS's words. It is kept and told: nothing here or in a cluster grants
// anything by it.
type AccessEntry struct {
	Account      string             `json:"account"`
	Region       string             `json:"region"`
	Cluster      string             `json:"cluster"`
	PrincipalARN string             `json:"principalArn"`
	UUID         string             `json:"uuid"`
	Type         string             `json:"type"`
	Username     string             `json:"username"`
	Groups       []string           `json:"groups,omitempty"`
	Policies     []AssociatedPolicy `json:"policies,omitempty"` // in the order of ARNs
	Tags         map[string]string  `json:"tags,omitempty"`
	CreatedAt    time.Time          `json:"createdAt"`
	ModifiedAt   time.Time          `json:"modifiedAt"`
}

// ARN names the access entry.
func (e *AccessEntry) ARN() string {
	return arn.AccessEntry(e.Region, e.Account, e.Cluster, identity(e.PrincipalARN), e.UUID)
}

func (e *AccessEntry) key() store.Key { return store.Key{e.Account, e.Cluster, e.PrincipalARN} }

// identity is a principal as the ARN of an access entry has it: without a path.
func identity(principal string) string {
	a, err := arn.Parse(principal)
	if err != nil {
		return ""
	}
	kind, rest, ok := strings.Cut(a.Resource, "/")
	if !ok {
		return kind + "/" + a.Account // the root user
	}
	return kind + "/" + a.Account + "/" + rest[strings.LastIndexByte(rest, '/')+1:]
}

func badEntry(format string, args ...any) error {
	return fault.New(fault.Invalid, subjectEntry, format, args...)
}

func noEntry(cluster string) error {
	return fault.New(fault.NotFound, subjectEntry, "The specified principalArn could not be found. "+
		"You can view your available access entries with 'list-access-entries'.").With("clusterName", quotedName(cluster))
}

// check holds what EKS asks of an access entry, and fills in what it gives one.
func (e *AccessEntry) check() error {
	a, err := arn.Parse(e.PrincipalARN)
	kind, _, _ := strings.Cut(a.Resource, "/")
	if err != nil || len(e.PrincipalARN) > maxRoleARN || a.Service != "iam" || a.Region != "" || arn.CheckAccount(a.Account) != nil ||
		kind != "user" && kind != "role" && a.Resource != "root" {
		return badEntry("The specified principalArn is invalid: %s is not the ARN of an IAM role or user", quoted(e.PrincipalARN))
	}
	if e.Type == "" {
		e.Type = standardEntry
	}
	given, ok := entryTypes[e.Type]
	switch {
	case !ok:
		return badEntry("The type %s is not valid: it is one of %s", quoted(e.Type), strings.Join(slices.Sorted(maps.Keys(entryTypes)), ", "))
	case e.Type == standardEntry:
		return e.checkNames(kind, a)
	case kind != "role":
		return badEntry("An access entry of type %s is for a role", e.Type)
	case len(e.Groups) > 0 || e.Username != "":
		return badEntry("An access entry of type %s has no kubernetesGroups and no username of its own", e.Type)
	}
	e.Groups, e.Username = given.groups, given.username
	return nil
}

// checkNames holds the names of a standard entry, which must not look like those that Kubernetes and EKS give.
func (e *AccessEntry) checkNames(kind string, a arn.ARN) error {
	if len(e.Groups) > maxGroups {
		return badEntry("An access entry has at most %d kubernetesGroups", maxGroups)
	}
	for _, g := range e.Groups {
		if g == "" || len(g) > maxGroup || reserved(g) {
			return badEntry("The kubernetes group name %s is invalid, it cannot start with %s", quoted(g), reservedNames)
		}
	}
	if len(e.Username) > maxUserName || reserved(e.Username) {
		return badEntry("The username %s is invalid, it cannot start with %s", quoted(e.Username), reservedNames)
	}
	if e.Username == "" {
		e.Username = e.PrincipalARN
		if _, name, ok := strings.Cut(identity(e.PrincipalARN), "/"+a.Account+"/"); ok && kind == "role" {
			e.Username = arn.AssumedRole(a.Account, name, "{{SessionName}}")
		}
	}
	return nil
}

const reservedNames = "system:, eks:, aws:, amazon: or iam:"

func reserved(name string) bool {
	for _, prefix := range []string{"system:", "eks:", "aws:", "amazon:", "iam:"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// withEntries refuses where a cluster's authentication mode knows no access entries.
func (c *Cluster) withEntries() error {
	if c.Mode() == ModeConfig {
		return fault.New(fault.Conflict, subjectEntry, "The cluster's authentication mode must be set to one of [%s, %s] to perform this operation.",
			ModeAPI, ModeAPIAndConfig).With("clusterName", c.Name)
	}
	return nil
}

// CreateAccessEntry makes an access entry: Account, Cluster, PrincipalARN, Type, Username, Groups and Tags are taken from e.
func (r *Registry) CreateAccessEntry(ctx context.Context, e AccessEntry, token string) (*AccessEntry, error) {
	params := []any{e.PrincipalARN, e.Type, e.Username, e.Groups, e.Tags}
	made, err := r.newEntry(e)
	if err != nil {
		return nil, err
	}
	var out *AccessEntry
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		out = made
		c, err := readCluster(tx, e.Account, e.Cluster)
		if err != nil {
			return err
		}
		if err := c.withEntries(); err != nil {
			return err
		}
		before, err := once(tx, onceKey{e.Account, c.ID, "CreateAccessEntry", token}, params, made.UUID)
		if err != nil {
			return err
		}
		if before != "" {
			out, err = again(tx, accessEntries, made.key(), before, func(old *AccessEntry) string { return old.UUID }, "the access entry")
			return err
		}
		limit := r.quotas.Of(quota.AccessEntriesPerCluster)
		_, exists, err := accessEntries.Read(tx, made.key())
		switch {
		case err != nil:
			return err
		case exists:
			return fault.New(fault.Exists, subjectEntry, "The specified access entry resource is already in use on this cluster.").
				With("clusterName", e.Cluster)
		case full(accessEntries, r.db.Snapshot(), c.key(), limit):
			return fault.New(fault.Limit, subjectEntry, "The cluster %s has reached its limit of %d access entries", c.Name, limit).
				With("clusterName", c.Name)
		}
		accessEntries.Put(tx, made.key(), made)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newEntry checks an access entry and gives it what it gets from us.
func (r *Registry) newEntry(e AccessEntry) (*AccessEntry, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	if err := checkTags(e.Tags); err != nil {
		return nil, err
	}
	uuid, err := r.newUUID()
	if err != nil {
		return nil, err
	}
	e.Region, e.UUID, e.CreatedAt = r.region, uuid, r.clock()
	e.ModifiedAt = e.CreatedAt
	return &e, nil
}

// creatorEntry is the access entry of whoever creates a cluster that has access entries.
func (r *Registry) creatorEntry(c *Cluster) (*AccessEntry, error) {
	if c.Creator == "" || c.Mode() == ModeConfig {
		return nil, nil
	}
	e, err := r.newEntry(AccessEntry{Account: c.Account, Cluster: c.Name, PrincipalARN: c.Creator})
	if err != nil {
		return nil, err
	}
	e.Policies = []AssociatedPolicy{{ARN: clusterAdminPolicy, Scope: ClusterScope, AssociatedAt: e.CreatedAt, ModifiedAt: e.CreatedAt}}
	return e, nil
}

// AccessEntry looks an access entry up; before it fails with fault.NotFound it makes sure.
func (r *Registry) AccessEntry(ctx context.Context, account, cluster, principal string) (*AccessEntry, error) {
	if e, ok := accessEntries.Get(r.db.Snapshot(), store.Key{account, cluster, principal}); ok {
		return e, nil
	}
	e, ok, err := accessEntries.Fresh(ctx, r.db, store.Key{account, cluster, principal})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noEntry(cluster)
	}
	return e, nil
}

// FindAccessEntry is AccessEntry of what this replica knows.
func (r *Registry) FindAccessEntry(account, cluster, principal string) (*AccessEntry, bool) {
	return accessEntries.Get(r.db.Snapshot(), store.Key{account, cluster, principal})
}

// AccessEntries yields the access entries of a cluster in the order of principals.
func (r *Registry) AccessEntries(account, cluster string) iter.Seq[*AccessEntry] {
	return values(accessEntries, r.db.Snapshot(), store.Key{account, cluster})
}

// UpdateAccessEntry changes groups and user name of an access entry; what is nil stays.
func (r *Registry) UpdateAccessEntry(ctx context.Context, account, cluster, principal string, groups *[]string, username *string) (*AccessEntry, error) {
	return r.changeEntry(ctx, account, cluster, principal, func(e *AccessEntry) error {
		if e.Type != standardEntry {
			return badEntry("An access entry of type %s has no kubernetesGroups and no username of its own", e.Type)
		}
		if groups != nil {
			e.Groups = *groups
		}
		if username != nil {
			e.Username = *username
		}
		return e.check()
	})
}

func readEntry(tx *store.Tx, account, cluster, principal string) (*AccessEntry, error) {
	c, err := readCluster(tx, account, cluster)
	if err != nil {
		return nil, err
	}
	if err := c.withEntries(); err != nil {
		return nil, err
	}
	e, ok, err := accessEntries.Read(tx, store.Key{account, cluster, principal})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noEntry(cluster)
	}
	return e, nil
}

// changeEntry changes an access entry and returns what it is then.
func (r *Registry) changeEntry(ctx context.Context, account, cluster, principal string, f func(*AccessEntry) error) (*AccessEntry, error) {
	var out *AccessEntry
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		e, err := readEntry(tx, account, cluster, principal)
		if err != nil {
			return err
		}
		e.ModifiedAt = r.clock()
		if err := f(e); err != nil {
			return err
		}
		accessEntries.Put(tx, e.key(), e)
		out = e
		return nil
	})
	return out, err
}

// DeleteAccessEntry removes an access entry with its access policies.
func (r *Registry) DeleteAccessEntry(ctx context.Context, account, cluster, principal string) (*AccessEntry, error) {
	var out *AccessEntry
	err := r.db.Update(ctx, func(tx *store.Tx) error {
		e, err := readEntry(tx, account, cluster, principal)
		if err != nil {
			return err
		}
		accessEntries.Delete(tx, e.key())
		out = e
		return nil
	})
	return out, err
}
