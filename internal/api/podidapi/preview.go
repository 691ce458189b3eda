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

func previewed(list []*cluster.Association) []client.PreviewedAssociation {
	out := make([]client.PreviewedAssociation, 0, len(list))
	for _, a := range list {
		out = append(out, client.PreviewedAssociation{
			AssociationID: a.ID, Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, RoleARN: a.RoleARN,
		})
	}
	return out
}
