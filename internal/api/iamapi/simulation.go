package iamapi

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/policy"
)

// simulation is a simulation that was read: whose policies, about what, under which circumstances.
type simulation struct {
	call         *api.Call
	caller       arn.Principal
	organization bool
	identity     []*policy.Document
	sources      []source // of identity, at the same place
	boundary     *policy.Document
	limit        source
	resource     *policy.Document
	owner        string
	keys         []contextKey
	looked       []string // the condition keys that the documents look at

	actions, resources []string
}

// source is what the answer calls a policy.
type source struct {
	id  string
	typ types.PolicySourceType
}

// hold takes over the policies that an entity has.
func (sim *simulation) hold(e *entity) error {
	for _, h := range e.policies {
		sim.sources = append(sim.sources, source{h.name, h.sourceType()})
	}
	sim.identity = e.documents()
	if e.boundary != nil {
		sim.boundary, sim.limit = e.boundary.As(policy.Boundary), source{lastElement(e.boundaryPolicy), managedType(e.boundaryPolicy)}
	}
	for i, d := range sim.identity {
		if err := d.Err(); err != nil {
			return evaluation(sim.sources[i].id, err)
		}
	}
	return nil
}

// evaluation is the failure of a simulation whose documents at rest cannot be evaluated; a request would be denied.
func evaluation(name string, cause error) error {
	return fault.New(fault.Internal, "policy evaluation", "The policy %s could not be evaluated: %s", name, cause)
}

func (h *held) sourceType() types.PolicySourceType {
	switch {
	case h.arn != "":
		return managedType(h.arn)
	case h.holder == types.PolicyOwnerEntityTypeUser:
		return types.PolicySourceTypeUser
	case h.holder == types.PolicyOwnerEntityTypeGroup:
		return types.PolicySourceTypeGroup
	}
	return types.PolicySourceTypeRole
}

func managedType(policyARN string) types.PolicySourceType {
	if a, err := arn.Parse(policyARN); err == nil && arn.CheckAccount(a.Account) != nil {
		return types.PolicySourceTypeAwsManaged
	}
	return types.PolicySourceTypeUserManaged
}

func lastElement(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// inputPolicies compiles the documents of a request. They may be of any version, as those at rest may.
func inputPolicies(member string, kind policy.Kind, texts []string) ([]*policy.Document, error) {
	docs := make([]*policy.Document, 0, len(texts))
	for i, text := range texts {
		if text == "" || utf8.RuneCountInString(text) > maxDocument {
			return nil, invalidInput("%s.%d must have length between 1 and %d", member, i+1, maxDocument)
		}
		d, err := policy.Compile(kind, text)
		if err != nil {
			return nil, invalidInput("Invalid Input Policy %s.%d: %s", member, i+1, err)
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// read takes in what a request says beside whose policies are meant.
func (sim *simulation) read(s *service, in simulationInput) error {
	docs, err := inputPolicies("PolicyInputList", policy.Identity, in.policies)
	if err != nil {
		return err
	}
	for i, d := range docs {
		sim.identity = append(sim.identity, d)
		sim.sources = append(sim.sources, source{fmt.Sprintf("PolicyInputList.%d", i+1), types.PolicySourceTypeNone})
	}
	boundaries, err := inputPolicies("PermissionsBoundaryPolicyInputList", policy.Boundary, in.boundaries)
	switch {
	case err != nil:
		return err
	case len(boundaries) > 1:
		return invalidInput("Only one permissions boundary can be applied to an entity at a time")
	case len(boundaries) == 1:
		sim.boundary, sim.limit = boundaries[0], source{"PermissionsBoundaryPolicyInputList.1", types.PolicySourceTypeNone}
	case sim.boundary != nil && sim.boundary.Err() != nil:
		return evaluation(sim.limit.id, sim.boundary.Err())
	}
	if err := sim.readCaller(s, in.caller); err != nil {
		return err
	}
	if in.resourcePolicy != nil {
		if err := sim.readResourcePolicy(*in.resourcePolicy); err != nil {
			return err
		}
	}
	if sim.owner = sim.caller.Account; in.owner != nil {
		if sim.owner, err = accountOf(*in.owner); err != nil {
			return err
		}
	}
	if sim.keys, err = contextKeys(in.entries); err != nil {
		return err
	}
	if err := sim.checkCombinations(); err != nil {
		return err
	}
	if sim.cost() > maxCost {
		return invalidInput("The policies are too long to be simulated with so many and so long context values")
	}
	sim.looked = slices.DeleteFunc(keyNames(sim.documents()), func(name string) bool { return len(name) < minContextKey || len(name) > maxContextKey })
	return nil
}

// documents are all that are evaluated, but for those of the organization.
func (sim *simulation) documents() []*policy.Document {
	docs := slices.Clone(sim.identity)
	for _, d := range []*policy.Document{sim.boundary, sim.resource} {
		if d != nil {
			docs = append(docs, d)
		}
	}
	return docs
}

// A pattern costs at most its length times that of what it is compared with, so documents cost at most their length times that of a
// request: maxPageCost bounds what is evaluated for one page, of which expensive requests have fewer results, and maxCost one request.
const (
	maxPageCost = 1 << 29
	maxCost     = 1 << 31
)

// cost is what the evaluation of one combination costs at most.
func (sim *simulation) cost() int {
	documents, action, resource, keys := 1, 0, 0, 1
	for _, d := range sim.documents() {
		documents += len(d.Text())
	}
	for _, a := range sim.actions {
		action = max(action, len(a))
	}
	for _, r := range sim.resources {
		resource = max(resource, len(r))
	}
	for _, k := range sim.keys {
		for _, v := range k.values {
			keys += len(v) + 1
		}
	}
	for key, value := range sim.caller.Tags {
		keys += len(key) + len(value)
	}
	return documents * (action + resource + keys)
}

// pageSize is how many results a page has at most, given how many were asked for.
func (sim *simulation) pageSize(asked *int32) *int32 {
	most := int32(max(1, min(maxItems, maxPageCost/sim.cost()))) // at most maxItems
	if asked == nil {
		return aws.Int32(min(defaultItems, most))
	}
	if *asked < 1 || *asked > maxItems { // refused by the page
		return asked
	}
	return aws.Int32(min(*asked, most))
}

// readCaller sets who would ask. A user of the caller's own account is as it is now; of another's, nothing is known but the name.
func (sim *simulation) readCaller(s *service, name *string) error {
	if name == nil {
		return nil
	}
	a, err := arn.Parse(*name)
	rest, ok := strings.CutPrefix(a.Resource, "user/")
	if err != nil || !ok || a.Service != "iam" || arn.CheckAccount(a.Account) != nil || lastElement(rest) == "" {
		return invalidInput("Invalid Caller Arn: %s does not name an IAM user", bounded(*name))
	}
	sim.organization = sim.organization && a.Account == sim.call.Account()
	sim.caller = arn.Principal{Kind: arn.IAMUser, Account: a.Account, ARN: *name, UserName: lastElement(rest)}
	if a.Account != sim.call.Account() {
		return nil
	}
	if u, ok := s.iam.FindUser(a.Account, sim.caller.UserName); ok && u.ARN() == *name && sim.mayRead(u) {
		sim.caller.ID, sim.caller.Tags = u.ID, u.Tags
	}
	return nil
}

// mayRead tells whether who asks may know a user's id and tags, which the answer would otherwise give away.
func (sim *simulation) mayRead(u *iam.User) bool {
	return sim.call.Authorize("iam:GetUser", api.Resource{ARN: u.ARN(), Account: u.Account, Tags: u.Tags}, resourceTags(u.Tags)) == nil
}

// readResourcePolicy reads the one policy that every resource of the simulation is taken to have. Its Principal elements need a user
// to speak of.
func (sim *simulation) readResourcePolicy(text string) error {
	docs, err := inputPolicies("ResourcePolicy", policy.Bucket, []string{text})
	if err != nil {
		return err
	}
	if sim.caller.Kind != arn.IAMUser || sim.caller.ARN == "" {
		return invalidInput("CallerArn must be the ARN of an IAM user when a resource policy is simulated")
	}
	sim.resource = docs[0]
	return nil
}

// accountOf reads the owner of resources: an account id, or the ARN of an account.
func accountOf(owner string) (string, error) {
	if arn.CheckAccount(owner) == nil {
		return owner, nil
	}
	if a, err := arn.Parse(owner); err == nil && arn.CheckAccount(a.Account) == nil {
		return a.Account, nil
	}
	return "", invalidInput("Invalid Resource Owner: %s", bounded(owner))
}

// ownerOf is whose a resource is: who its ARN says, else who the simulation says.
func (sim *simulation) ownerOf(resource string) string {
	if fields := strings.SplitN(resource, ":", 6); len(fields) == 6 && arn.CheckAccount(fields[4]) == nil {
		return fields[4]
	}
	return sim.owner
}

// result evaluates one combination.
func (sim *simulation) result(c combination) types.EvaluationResult {
	r := sim.call.Authorizer().Simulate(authz.Simulation{
		Caller: sim.caller, Action: c.action, Resource: c.resource, ResourceAccount: sim.ownerOf(c.resource),
		Identity: sim.identity, Boundary: sim.boundary, ResourcePolicy: sim.resource, Organization: sim.organization,
		Looked: sim.looked,
		Keys: func(k *policy.Context) {
			for _, key := range sim.keys {
				k.Set(key.name, key.values...)
			}
		},
	})
	out := types.EvaluationResult{
		EvalActionName: aws.String(c.action), EvalResourceName: aws.String(c.resource), EvalDecision: wireDecision(r.Outcome),
		MatchedStatements: sim.statements(r.Matched), MissingContextValues: append([]string{}, r.Missing...),
	}
	if r.Organization != nil {
		out.OrganizationsDecisionDetail = &types.OrganizationsDecisionDetail{AllowedByOrganizations: *r.Organization == policy.Allow}
	}
	if r.Boundary != nil {
		out.PermissionsBoundaryDecisionDetail = &types.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: *r.Boundary == policy.Allow}
	}
	if c.resource == "*" {
		return out
	}
	out.EvalDecisionDetails = details(r)
	specific := types.ResourceSpecificResult{
		EvalResourceName: out.EvalResourceName, EvalResourceDecision: out.EvalDecision, MatchedStatements: out.MatchedStatements,
		MissingContextValues: out.MissingContextValues, PermissionsBoundaryDecisionDetail: out.PermissionsBoundaryDecisionDetail,
	}
	if r.CrossAccount {
		specific.EvalDecisionDetails = out.EvalDecisionDetails
	}
	out.MissingContextValues = []string{}
	out.ResourceSpecificResults = []types.ResourceSpecificResult{specific}
	return out
}

// details tell how the two accounts decided, when there are two.
func details(r authz.Simulated) map[string]types.PolicyEvaluationDecisionType {
	out := map[string]types.PolicyEvaluationDecisionType{}
	if !r.CrossAccount {
		return out
	}
	for name, outcome := range map[string]*policy.Outcome{"IAM Policy": r.Identity, "Resource Policy": r.Resource} {
		out[name] = types.PolicyEvaluationDecisionTypeImplicitDeny
		if outcome != nil {
			out[name] = wireDecision(*outcome)
		}
	}
	return out
}

func wireDecision(o policy.Outcome) types.PolicyEvaluationDecisionType {
	switch o {
	case policy.Allow:
		return types.PolicyEvaluationDecisionTypeAllowed
	case policy.ExplicitDeny:
		return types.PolicyEvaluationDecisionTypeExplicitDeny
	case policy.ImplicitDeny:
	}
	return types.PolicyEvaluationDecisionTypeImplicitDeny
}

// statements say where the statements stand that made the decision.
func (sim *simulation) statements(matched []authz.Matched) []types.Statement {
	out := make([]types.Statement, 0, len(matched))
	for _, m := range matched {
		var d *policy.Document
		var from source
		switch m.Layer {
		case policy.IdentityLayer:
			d, from = sim.identity[m.Document], sim.sources[m.Document]
		case policy.BoundaryLayer:
			d, from = sim.boundary, sim.limit
		case policy.ResourceLayer, policy.TrustLayer:
			d, from = sim.resource, source{"ResourcePolicy", types.PolicySourceTypeResource}
		case policy.NoLayer, policy.SessionLayer, policy.SCPLayer, policy.RCPLayer:
			continue // not told
		}
		start, end := d.Span(m.Statement)
		out = append(out, types.Statement{
			SourcePolicyId: aws.String(from.id), SourcePolicyType: from.typ, StartPosition: position(start), EndPosition: position(end),
		})
	}
	return out
}

func position(p policy.Place) *types.Position {
	return &types.Position{Line: int32(p.Line), Column: int32(p.Column)} //nolint:gosec // within a document of 131,072 characters
}
