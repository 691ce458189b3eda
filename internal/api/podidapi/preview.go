package podidapi

import (
	"context"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
)

type previewInput struct {
	Name           string
	Namespace      string
	ServiceAccount string
}

// previewAssociation answers for a service account with the truth of the moment or a later one: operators act upon it.
func (s *service) previewAssociation(ctx context.Context, c *api.Call, in *previewInput) (*client.AssociationPreview, error) {
	if in.Namespace == "" || in.ServiceAccount == "" {
		return nil, fault.New(fault.Invalid, "parameter", "namespace and serviceAccount are required")
	}
	p, err := s.Clusters.Preview(ctx, c.Account(), in.Name, in.Namespace, in.ServiceAccount)
	if err != nil {
		return nil, err
	}
	out := &client.AssociationPreview{
		ClusterName: in.Name, Namespace: in.Namespace, ServiceAccount: in.ServiceAccount,
		Before: previewed(p.Before), After: previewed(p.After), LeftOut: p.LeftOut, Refusal: p.Refusal,
	}
	if p.Winner != nil {
		out.Winner = &previewed([]*cluster.Association{p.Winner})[0]
	}
	return out, nil
}

type identitiesInput struct {
	client.IdentityPreview

	Name string
}

// previewIdentities tells which of the service accounts that a caller knows of a pattern matches: podid itself knows none.
func (s *service) previewIdentities(ctx context.Context, c *api.Call, in *identitiesInput) (*client.MatchedIdentities, error) {
	if in.Namespace == "" || in.ServiceAccount == "" {
		return nil, fault.New(fault.Invalid, "parameter", "namespace and serviceAccount are required")
	}
	list := make([]cluster.Subject, len(in.Identities))
	for i, id := range in.Identities {
		list[i] = cluster.Subject(id)
	}
	matched, err := s.Clusters.PreviewIdentities(ctx, c.Account(), in.Name, cluster.Subject{Namespace: in.Namespace, ServiceAccount: in.ServiceAccount}, list)
	if err != nil {
		return nil, err
	}
	out := &client.MatchedIdentities{Identities: make([]client.MatchedIdentity, 0, len(matched))}
	for _, m := range matched {
		answer := client.MatchedIdentity{Identity: client.Identity(m.Subject), Counts: m.Counts}
		if m.Winner != nil {
			answer.Winner = &previewed([]*cluster.Association{m.Winner})[0]
		}
		out.Identities = append(out.Identities, answer)
	}
	return out, nil
}

func previewed(list []*cluster.Association) []client.PreviewedAssociation {
	out := make([]client.PreviewedAssociation, 0, len(list))
	for _, a := range list {
		out = append(out, client.PreviewedAssociation{
			AssociationID: a.ID, Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, RoleARN: a.RoleARN,
		})
	}
	return out
}
