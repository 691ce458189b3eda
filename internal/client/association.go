package client

import (
	"context"
	"net/http"
	"net/url"
)

// AssociationPreview is what a service account, or a pattern of them, has to do with the associations of a cluster.
type AssociationPreview struct {
	ClusterName    string `json:"clusterName"`
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`

	// Winner is the association whose role the pods of the service account get; nil: none, or it is a pattern.
	Winner *PreviewedAssociation `json:"winner,omitempty"`
	// Before are associations that take service accounts from the pattern, as they are more specific, the most specific first.
	Before []PreviewedAssociation `json:"before"`
	// After are associations that match as well and do not count, as they are less specific, the most specific first.
	After []PreviewedAssociation `json:"after"`
	// LeftOut is how many further ones there are.
	LeftOut int `json:"leftOut"`
	// Refusal says why an association with these names could not be made; empty: its names do not stand against it.
	Refusal string `json:"refusal,omitempty"`
}

// PreviewedAssociation is an association in a preview.
type PreviewedAssociation struct {
	AssociationID  string `json:"associationId"`
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
	RoleARN        string `json:"roleArn"`
}

// PreviewAssociation asks which association counts for a service account, or what a pattern of them would overlap.
func (c *Client) PreviewAssociation(ctx context.Context, cluster, namespace, serviceAccount string) (*AssociationPreview, error) {
	query := url.Values{"namespace": {namespace}, "serviceAccount": {serviceAccount}}
	var p AssociationPreview
	if err := c.Do(ctx, http.MethodGet, clusterPath(cluster, "association-preview")+"?"+query.Encode(), nil, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// Identity is a service account of a namespace.
type Identity struct {
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
}

// IdentityPreview asks which of some service accounts a pattern matches, be there an association for it or not.
type IdentityPreview struct {
	Namespace      string     `json:"namespace"`
	ServiceAccount string     `json:"serviceAccount"`
	Identities     []Identity `json:"identities"` // at most 1,000
}

// MatchedIdentity is a service account that the pattern matches.
type MatchedIdentity struct {
	Identity

	// Winner is the association whose role its pods get now; nil: none.
	Winner *PreviewedAssociation `json:"winner,omitempty"`
	// Counts says that the association for the pattern is the one that counts, or would be.
	Counts bool `json:"counts"`
}

// MatchedIdentities is the answer to an [IdentityPreview], in its order.
type MatchedIdentities struct {
	Identities []MatchedIdentity `json:"identities"`
}

// PreviewIdentities asks which of some service accounts a pattern matches.
func (c *Client) PreviewIdentities(ctx context.Context, cluster string, q IdentityPreview) ([]MatchedIdentity, error) {
	var out MatchedIdentities
	if err := c.Do(ctx, http.MethodPost, clusterPath(cluster, "identity-preview"), q, &out); err != nil {
		return nil, err
	}
	return out.Identities, nil
}
