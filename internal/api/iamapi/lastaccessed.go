package iamapi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

func (s *service) addLastAccessed(t *api.Typed) {
	generate := call(s.generateServiceLastAccessedDetails, s.about("Arn"), "Arn")
	generate.Differs = []string{
		"The report is ready at once and is made of what is known when it is read, for a day.",
		"An account may have 1,000 reports at a time; more are throttled.",
	}
	details := call(s.getServiceLastAccessedDetails, account, "JobId")
	details.Differs = []string{
		"Of services that podid does not serve and a policy names, at most 500 are listed.",
		"Of the services that podid does not serve, only those that a policy names are listed, under their namespaces.",
		"TrackedActionsLastAccessed lists the operations that were used, of every service that podid serves, and none that were not.",
		"Times lag behind the last use by up to five minutes.",
	}
	entities := call(s.getServiceLastAccessedDetailsWithEntities, account, "JobId", "ServiceNamespace")
	entities.Differs = []string{"The report of a user or a role lists that user or role."}
	key := call(s.getAccessKeyLastUsed, s.accessKeyOwner, "AccessKeyId")
	key.Differs = []string{"The last use lags behind by up to five minutes."}
	t.Operations = append(t.Operations,
		api.Op(generate),
		api.Op(details),
		api.Op(entities),
		api.Op(call(s.listPoliciesGrantingServiceAccess, s.about("Arn"), "Arn")),
		api.Op(key),
	)
}

// reported is what a report is about: the policies whose services it lists, and those who use them.
type reported struct {
	arn, id  string
	policies []*policy.Document
	users    []*entity // users and roles, each once
}

// reported finds the user, group, role or managed policy that an ARN names.
func (s *service) reported(account, name string) (*reported, error) {
	if a, err := arn.Parse(name); err == nil && a.Service == "iam" && strings.HasPrefix(a.Resource, "policy/") {
		p, err := s.iam.GetPolicy(name)
		if err != nil {
			return nil, err
		}
		return &reported{arn: name, id: p.ID, policies: []*policy.Document{p.Document().As(policy.Identity)}, users: s.attachedTo(account, name)}, nil
	}
	e, err := s.entity(account, name)
	if err != nil {
		return nil, err
	}
	r := &reported{arn: e.arn, id: e.id, policies: e.documents(), users: []*entity{e}}
	if e.kind == types.PolicyOwnerEntityTypeGroup {
		r.users = s.members(account, e.name)
	}
	return r, nil
}

func (s *service) members(account, group string) []*entity {
	var out []*entity
	if g, ok := s.iam.FindGroup(account, group); ok {
		for u := range s.iam.Members(g) {
			out = append(out, s.userEntity(u))
		}
	}
	return out
}

// attachedTo are the users and roles of an account that have a managed policy, users also by their groups.
func (s *service) attachedTo(account, policyARN string) []*entity {
	groups := map[string]bool{}
	for g := range s.iam.AllGroups(account) {
		groups[g.ID] = slices.Contains(g.Attached, policyARN)
	}
	var out []*entity
	for u := range s.iam.AllUsers(account) {
		if slices.Contains(u.Attached, policyARN) || slices.ContainsFunc(u.Groups, func(id string) bool { return groups[id] }) {
			out = append(out, s.userEntity(u))
		}
	}
	for r := range s.iam.AllRoles(account) {
		if slices.Contains(r.Attached, policyARN) {
			out = append(out, s.roleEntity(r))
		}
	}
	return out
}

// requester is who may read a report: the user or the role that asked for it, whichever session that was.
func requester(c *api.Call) string {
	if p := c.Caller.Principal; p.RoleID != "" {
		return p.RoleID
	}
	return c.Caller.Principal.ID
}

func (s *service) generateServiceLastAccessedDetails(
	ctx context.Context, c *api.Call, in *sdk.GenerateServiceLastAccessedDetailsInput,
) (*sdk.GenerateServiceLastAccessedDetailsOutput, error) {
	switch in.Granularity {
	case "", types.AccessAdvisorUsageGranularityTypeServiceLevel, types.AccessAdvisorUsageGranularityTypeActionLevel:
	default:
		return nil, fault.New(fault.Invalid, "parameter", "1 validation error detected: Value '%s' at 'granularity' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [SERVICE_LEVEL, ACTION_LEVEL]", bounded(string(in.Granularity)))
	}
	about, err := s.reported(c.Account(), aws.ToString(in.Arn))
	if err != nil {
		return nil, err
	}
	r, err := s.iam.CreateAccessReport(ctx, c.Account(), iam.AccessReport{
		About: about.arn, AboutID: about.id, RequestedBy: requester(c), Actions: in.Granularity == types.AccessAdvisorUsageGranularityTypeActionLevel,
	})
	if err != nil {
		return nil, err
	}
	return &sdk.GenerateServiceLastAccessedDetailsOutput{JobId: aws.String(r.JobID)}, nil
}

// report finds a report and what it is about. What was deleted since makes the report fail, and not the call.
func (s *service) report(ctx context.Context, c *api.Call, jobID *string) (*iam.AccessReport, *reported, *types.ErrorDetails, error) {
	r, err := s.iam.AccessReport(ctx, c.Account(), requester(c), aws.ToString(jobID))
	if err != nil {
		return nil, nil, nil, err
	}
	about, err := s.reported(c.Account(), r.About)
	if errors.Is(err, fault.NotFound) || err == nil && about.id != r.AboutID {
		gone := r.About + " was deleted"
		return r, &reported{}, &types.ErrorDetails{Code: aws.String("NoSuchEntity"), Message: &gone}, nil
	}
	return r, about, nil, err
}

func (s *service) getServiceLastAccessedDetails(
	ctx context.Context, c *api.Call, in *sdk.GetServiceLastAccessedDetailsInput,
) (*sdk.GetServiceLastAccessedDetailsOutput, error) {
	r, about, failed, err := s.report(ctx, c, in.JobId)
	if err != nil {
		return nil, err
	}
	uses := s.usesOf(c.Account(), about.users)
	p, err := paged(slices.Values(services(about.policies)), self, func(service string) types.ServiceLastAccessed {
		return uses.service(service, r.Actions)
	}, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &sdk.GetServiceLastAccessedDetailsOutput{
		JobStatus: status(failed), JobType: types.AccessAdvisorUsageGranularityTypeServiceLevel, Error: failed,
		JobCreationDate: aws.Time(r.CreatedAt), JobCompletionDate: aws.Time(r.CreatedAt),
		ServicesLastAccessed: p.items, IsTruncated: p.truncated, Marker: p.marker,
	}
	if r.Actions {
		out.JobType = types.AccessAdvisorUsageGranularityTypeActionLevel
	}
	return out, nil
}

func status(failed *types.ErrorDetails) types.JobStatusType {
	if failed != nil {
		return types.JobStatusTypeFailed
	}
	return types.JobStatusTypeCompleted
}

// serviceNames are what AWS calls the services that are here.
var serviceNames = map[string]string{
	"eks": "Amazon Elastic Kubernetes Service", "eks-auth": "Amazon EKS Auth", "iam": "AWS Identity and Access Management",
	"organizations": "AWS Organizations", "podid": "podid", "s3": "Amazon S3", "sts": "AWS Security Token Service",
}

func serviceName(namespace string) string {
	if name, ok := serviceNames[namespace]; ok {
		return name
	}
	return namespace
}

// maxServices is how many services a report lists that are not here: AWS has fewer, and each is looked for in all policies.
const maxServices = 500

// services are the namespaces that policies let their holders use something of, in order: of those that are here and those that the
// policies name. Resources and conditions do not count, nor do policies of other kinds.
func services(docs []*policy.Document) []string {
	var list []string
	for _, d := range docs {
		list = append(list, d.Services()...)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	list = list[:min(len(list), maxServices)]
	for _, service := range sortedKeys(serviceNames) {
		if slices.ContainsFunc(docs, func(d *policy.Document) bool { return d.Grants(service) }) {
			list = append(list, service)
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(service string) bool {
		return slices.ContainsFunc(docs, func(d *policy.Document) bool { return d.Withholds(service) })
	})
}

// entityUses is what some users and roles used last.
type entityUses []entityUse

type entityUse struct {
	*entity

	uses map[string]iam.ServiceUse
}

func (s *service) usesOf(account string, users []*entity) entityUses {
	out := make(entityUses, 0, len(users))
	for _, e := range users {
		out = append(out, entityUse{e, s.iam.LastUses(account, e.id)})
	}
	return out
}

// service tells who of them used a service last, and how many did at all.
func (all entityUses) service(namespace string, actions bool) types.ServiceLastAccessed {
	out := types.ServiceLastAccessed{ServiceName: aws.String(serviceName(namespace)), ServiceNamespace: aws.String(namespace)}
	total := int32(0)
	tracked := map[string]types.TrackedActionLastAccessed{}
	for _, e := range all {
		use, ok := e.uses[namespace]
		if !ok {
			continue
		}
		total++
		if newer(use.At, out.LastAuthenticated) {
			out.LastAuthenticated, out.LastAuthenticatedRegion = aws.Time(use.At), aws.String(use.Region)
			out.LastAuthenticatedEntity = aws.String(e.arn)
		}
		for name, m := range use.Actions {
			if newer(m.At, tracked[name].LastAccessedTime) {
				tracked[name] = types.TrackedActionLastAccessed{
					ActionName: aws.String(name), LastAccessedTime: aws.Time(m.At), LastAccessedRegion: aws.String(m.Region),
					LastAccessedEntity: aws.String(e.arn),
				}
			}
		}
	}
	if total > 0 {
		out.TotalAuthenticatedEntities = aws.Int32(total)
	}
	if actions {
		out.TrackedActionsLastAccessed = []types.TrackedActionLastAccessed{}
		for _, name := range sortedKeys(tracked) {
			out.TrackedActionsLastAccessed = append(out.TrackedActionsLastAccessed, tracked[name])
		}
	}
	return out
}

func newer(at time.Time, known *time.Time) bool { return known == nil || at.After(*known) }

func (s *service) getServiceLastAccessedDetailsWithEntities(
	ctx context.Context, c *api.Call, in *sdk.GetServiceLastAccessedDetailsWithEntitiesInput,
) (*sdk.GetServiceLastAccessedDetailsWithEntitiesOutput, error) {
	namespace := aws.ToString(in.ServiceNamespace)
	if err := checkNamespace(namespace); err != nil {
		return nil, err
	}
	r, about, failed, err := s.report(ctx, c, in.JobId)
	if err != nil {
		return nil, err
	}
	key := func(e entityUse) string { return string(e.kind) + "/" + strings.ToLower(e.name) }
	p, err := paged(sortedBy(s.usesOf(c.Account(), about.users), key), key, func(e entityUse) types.EntityDetails {
		d := types.EntityDetails{EntityInfo: &types.EntityInfo{
			Arn: aws.String(e.arn), Name: aws.String(e.name), Id: aws.String(e.id), Path: aws.String(e.path), Type: e.kind,
		}}
		if use, ok := e.uses[namespace]; ok {
			d.LastAuthenticated = aws.Time(use.At)
		}
		return d
	}, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &sdk.GetServiceLastAccessedDetailsWithEntitiesOutput{
		JobStatus: status(failed), JobCreationDate: aws.Time(r.CreatedAt), JobCompletionDate: aws.Time(r.CreatedAt), Error: failed,
		EntityDetailsList: p.items, IsTruncated: p.truncated, Marker: p.marker,
	}, nil
}

// checkNamespace holds the alphabet of service namespaces.
func checkNamespace(namespace string) error {
	ok := namespace != "" && len(namespace) <= 64
	for i := range len(namespace) {
		c := namespace[i]
		ok = ok && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-')
	}
	if !ok {
		return invalidInput("Invalid Service Namespace: %s", bounded(namespace))
	}
	return nil
}
