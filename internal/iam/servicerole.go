package iam

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
)

const (
	subjectServiceRole = "service role"
	subjectProtected   = "protected role"

	// servicePath is where the roles are that services make for themselves.
	servicePath = "/aws-service-role/"

	// deletionKept is how long the outcome of a deletion can be asked for.
	deletionKept = 7 * 24 * time.Hour
)

// linkedService is a service that has a role of its own in an account.
type linkedService struct {
	role        string
	description string
	suffix      bool // it may have more roles than one, told apart by a suffix
}

// linkedServices are the services that tools make service-linked roles for. Nothing of podid's acts under these roles: they are there
// because tools make them first and look for them later.
var linkedServices = map[string]linkedService{
	"autoscaling.amazonaws.com": {
		role: "AWSServiceRoleForAutoScaling", suffix: true,
		description: "Default Service-Linked Role enables access to AWS Services and Resources used or managed by Auto Scaling",
	},
	"eks.amazonaws.com":                  {role: "AWSServiceRoleForAmazonEKS", description: "Allows Amazon EKS to call AWS services on your behalf."},
	"eks-connector.amazonaws.com":        {role: "AWSServiceRoleForAmazonEKSConnector", description: "Allows Amazon EKS to connect clusters."},
	"eks-fargate.amazonaws.com":          {role: "AWSServiceRoleForAmazonEKSForFargate", description: "Allows Amazon EKS to run pods on Fargate."},
	"eks-nodegroup.amazonaws.com":        {role: "AWSServiceRoleForAmazonEKSNodegroup", description: "Allows Amazon EKS to manage node groups."},
	"elasticloadbalancing.amazonaws.com": {role: "AWSServiceRoleForElasticLoadBalancing", description: "Allows ELB to call AWS services on your behalf."},
	"organizations.amazonaws.com":        {role: "AWSServiceRoleForOrganizations", description: "Allows AWS Organizations to call AWS services on your behalf."},
	"spot.amazonaws.com":                 {role: "AWSServiceRoleForEC2Spot", description: "Default EC2 Spot Service Linked Role"},
}

// roleDeletion is a service-linked role's deletion that was asked for and done.
type roleDeletion struct {
	Role string    `json:"role"`
	At   time.Time `json:"at"`
}

func protected(role string) error {
	return fault.New(fault.Conflict, subjectProtected,
		"Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", role)
}

// touched tells whether more than description, tags and revocation differ from what was before.
func (r *Role) touched(before *Role, held grants) bool {
	return r.Trust != before.Trust || r.MaxSession != before.MaxSession || r.Boundary != held.boundary ||
		!slices.Equal(r.Attached, held.attached) || !maps.Equal(r.Inline, held.inline)
}

// ServiceRoleName is the name and path of the role that a service has, or would have. Fault.Invalid for a service without one.
func ServiceRoleName(service, suffix string) (path, name string, err error) {
	linked, ok := linkedServices[service]
	switch {
	case !ok:
		return "", "", fault.New(fault.Invalid, subjectServiceRole, "The service %s has no service-linked role.", service)
	case suffix != "" && !linked.suffix:
		return "", "", fault.New(fault.Invalid, subjectServiceRole, "Custom suffix is not allowed for %s", service)
	}
	name = linked.role
	if suffix != "" {
		name += "_" + suffix
	}
	return servicePath + service + "/", name, nil
}

// CreateServiceRole makes the role that a service acts under: the service alone may assume it, and only description and tags change.
// An empty description is the service's own.
func (d *Directory) CreateServiceRole(ctx context.Context, account, service, suffix, description string) (*Role, error) {
	path, name, err := ServiceRoleName(service, suffix)
	if err != nil {
		return nil, err
	}
	if err := checkName(subjectRole, "customSuffix", name, maxRoleName); err != nil {
		return nil, err
	}
	if description == "" {
		description = linkedServices[service].description
	}
	r, err := d.insertRole(ctx, Role{
		Account: account, Path: path, Name: name, Description: description, MaxSession: MinMaxSession, Service: service,
		Trust: policy.NewSource(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service +
			`"},"Action":"sts:AssumeRole"}]}`),
	})
	if errors.Is(err, fault.Exists) {
		return nil, fault.New(fault.Invalid, subjectServiceRole,
			"Service role name %s has been taken in this account, please try a different suffix.", name)
	}
	return r, err
}

// DeleteServiceRole removes a service-linked role and returns the name of the task, which [Directory.ServiceRoleDeleted] knows.
func (d *Directory) DeleteServiceRole(ctx context.Context, account, name string) (task string, err error) {
	id, err := d.newID("", taskIDLength)
	if err != nil {
		return "", err
	}
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		r, err := readRole(tx, account, name)
		if err != nil {
			return err
		}
		if r.Service == "" {
			return fault.New(fault.NotFound, subjectRole, "The role with name %s is not a service-linked role.", name)
		}
		task = "task" + r.Path + r.Name + "/" + id
		deletions.PutTTL(tx, store.Key{account, task}, &roleDeletion{Role: r.ARN(), At: d.clock()}, deletionKept)
		return r.remove(tx)
	})
	return task, err
}

// ServiceRoleDeleted tells whether a task is one of an account's, of the last week; it is done then. Fault.NotFound otherwise.
func (d *Directory) ServiceRoleDeleted(account, task string) error {
	if _, ok := deletions.Get(d.db.Snapshot(), store.Key{account, task}); !ok {
		return fault.New(fault.NotFound, subjectServiceRole, "The deletion task %s cannot be found.", task)
	}
	return nil
}
