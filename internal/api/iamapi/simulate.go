package iamapi

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// What both simulations differ in from AWS.
var (
	simulationRefuses = api.Members{"ResourceHandlingOption": "there is no EC2 here whose combinations of resources it would check"}
	simulationDiffers = []string{
		"Condition keys that follow from the simulated user or role (aws:PrincipalArn, aws:PrincipalTag/..., aws:username and the like) and " +
			"from the resource's owner are filled in, unless ContextEntries has them.",
		"A resource that is given by its ARN always has an entry of ResourceSpecificResults, which repeats the result.",
		"A value in ContextEntries that its type could never have is refused with InvalidInput.",
	}
)

func (s *service) addSimulation(t *api.Typed) {
	custom := call(s.simulateCustomPolicy, account)
	custom.ReadOnly, custom.Refuses, custom.Differs = true, simulationRefuses, simulationDiffers
	custom.Check = func(in *sdk.SimulateCustomPolicyInput) error {
		short := *in
		short.ResourcePolicy = nil // a document, whose length is judged with the other documents'
		return check(&short, nil)
	}
	principal := call(s.simulatePrincipalPolicy, s.about("PolicySourceArn"), "PolicySourceArn")
	principal.ReadOnly, principal.Refuses = true, simulationRefuses
	principal.Check = func(in *sdk.SimulatePrincipalPolicyInput) error {
		short := *in
		short.ResourcePolicy = nil
		return check(&short, []string{"PolicySourceArn"})
	}
	principal.Differs = append(simulationDiffers[:len(simulationDiffers):len(simulationDiffers)],
		"OrganizationsDecisionDetail is there only when CallerArn is of the caller's own account.")
	t.Operations = append(t.Operations,
		api.Op(custom),
		api.Op(principal),
		api.Op(call(s.getContextKeysForCustomPolicy, account)),
		api.Op(call(s.getContextKeysForPrincipalPolicy, s.about("PolicySourceArn"), "PolicySourceArn")),
	)
}

// Lengths of what a simulation names, in characters, and how much it may name at once.
const (
	minAction       = 3
	maxAction       = 128
	maxCombinations = 10000
)

func (s *service) simulateCustomPolicy(
	_ context.Context, c *api.Call, in *sdk.SimulateCustomPolicyInput,
) (*sdk.SimulateCustomPolicyOutput, error) {
	if len(in.PolicyInputList) == 0 {
		return nil, missingList("policyInputList")
	}
	sim := &simulation{call: c, actions: in.ActionNames, resources: in.ResourceArns, caller: arn.Principal{Kind: arn.IAMUser, Account: c.Account()}}
	p, err := s.simulate(sim, simulationInput{
		policies: in.PolicyInputList, boundaries: in.PermissionsBoundaryPolicyInputList, resourcePolicy: in.ResourcePolicy, owner: in.ResourceOwner,
		caller: in.CallerArn, entries: in.ContextEntries, marker: in.Marker, maxItems: in.MaxItems,
	})
	if err != nil {
		return nil, err
	}
	return &sdk.SimulateCustomPolicyOutput{EvaluationResults: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

func (s *service) simulatePrincipalPolicy(
	_ context.Context, c *api.Call, in *sdk.SimulatePrincipalPolicyInput,
) (*sdk.SimulatePrincipalPolicyOutput, error) {
	e, err := s.entity(c.Account(), aws.ToString(in.PolicySourceArn))
	if err != nil {
		return nil, err
	}
	sim := &simulation{call: c, actions: in.ActionNames, resources: in.ResourceArns, caller: e.principal, organization: true}
	if err := sim.hold(e); err != nil {
		return nil, err
	}
	p, err := s.simulate(sim, simulationInput{
		policies: in.PolicyInputList, boundaries: in.PermissionsBoundaryPolicyInputList, resourcePolicy: in.ResourcePolicy, owner: in.ResourceOwner,
		caller: in.CallerArn, entries: in.ContextEntries, marker: in.Marker, maxItems: in.MaxItems,
	})
	if err != nil {
		return nil, err
	}
	return &sdk.SimulatePrincipalPolicyOutput{EvaluationResults: p.items, IsTruncated: p.truncated, Marker: p.marker}, nil
}

// simulationInput are the members that both simulations have.
type simulationInput struct {
	policies, boundaries          []string
	resourcePolicy, owner, caller *string
	entries                       []types.ContextEntry
	marker                        *string
	maxItems                      *int32
}

// simulate reads the rest of a simulation and evaluates one page of its combinations of action and resource.
func (s *service) simulate(sim *simulation, in simulationInput) (page[types.EvaluationResult], error) {
	var none page[types.EvaluationResult]
	if err := sim.read(s, in); err != nil {
		return none, err
	}
	return paged(sim.combinations(), func(c combination) string { return c.key }, sim.result, in.marker, sim.pageSize(in.maxItems))
}

// combination is one question of a simulation.
type combination struct {
	key              string // its place, as text that sorts
	action, resource string
}

func (sim *simulation) combinations() iter.Seq[combination] {
	return func(yield func(combination) bool) {
		for i, action := range sim.actions {
			for j, resource := range sim.resources {
				if !yield(combination{fmt.Sprintf("%06d", i*len(sim.resources)+j), action, resource}) {
					return
				}
			}
		}
	}
}

// checkCombinations holds what is asked about to be actions and resources.
func (sim *simulation) checkCombinations() error {
	if len(sim.actions) == 0 {
		return missingList("actionNames")
	}
	for _, action := range sim.actions {
		service, name, ok := strings.Cut(action, ":")
		if len(action) < minAction || len(action) > maxAction || !ok || service == "" || name == "" || strings.ContainsAny(action, "*? \t\r\n") ||
			strings.Contains(name, ":") {
			return invalidInput("Invalid Action: %s", bounded(action))
		}
	}
	if len(sim.resources) == 0 {
		sim.resources = []string{"*"}
	}
	for _, resource := range sim.resources {
		if resource == "*" {
			continue
		}
		if len(resource) > maxText || !strings.HasPrefix(resource, "arn:") || strings.Count(resource, ":") < 5 {
			return invalidInput(`Resource %s must be in ARN format or "*".`, bounded(resource))
		}
	}
	if n := len(sim.actions) * len(sim.resources); n > maxCombinations {
		return invalidInput("A simulation has at most %d combinations of actions and resources, not %d", maxCombinations, n)
	}
	return nil
}

func missingList(member string) error {
	return fault.New(fault.Invalid, "parameter",
		"1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member)
}

func (s *service) getContextKeysForCustomPolicy(
	_ context.Context, _ *api.Call, in *sdk.GetContextKeysForCustomPolicyInput,
) (*sdk.GetContextKeysForCustomPolicyOutput, error) {
	if len(in.PolicyInputList) == 0 {
		return nil, missingList("policyInputList")
	}
	docs, err := inputPolicies("PolicyInputList", policy.Identity, in.PolicyInputList)
	if err != nil {
		return nil, err
	}
	return &sdk.GetContextKeysForCustomPolicyOutput{ContextKeyNames: keyNames(docs)}, nil
}

func (s *service) getContextKeysForPrincipalPolicy(
	_ context.Context, c *api.Call, in *sdk.GetContextKeysForPrincipalPolicyInput,
) (*sdk.GetContextKeysForPrincipalPolicyOutput, error) {
	e, err := s.entity(c.Account(), aws.ToString(in.PolicySourceArn))
	if err != nil {
		return nil, err
	}
	docs, err := inputPolicies("PolicyInputList", policy.Identity, in.PolicyInputList)
	if err != nil {
		return nil, err
	}
	return &sdk.GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: keyNames(append(e.documents(), docs...))}, nil
}

// keyNames are the condition keys of documents, each once ignoring case, in the order of names.
func keyNames(docs []*policy.Document) []string {
	names := map[string]string{}
	for _, d := range docs {
		for _, name := range d.ContextKeys() {
			if folded := strings.ToLower(name); names[folded] == "" {
				names[folded] = name
			}
		}
	}
	out := make([]string, 0, len(names))
	for _, folded := range sortedKeys(names) {
		out = append(out, names[folded])
	}
	return out
}
