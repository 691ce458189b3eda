// Package podidapi is podid's own service, for what AWS has no call for: a cluster's report of itself and of its ended pods, what is
// wanted of a cluster, which association counts for whom, and accounts. Its shapes are declared in package client, which calls it.
package podidapi

import (
	"context"
	"net/http"
	"time"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

var faults = api.Faults{
	{Kind: fault.Denied, Shape: api.Shape{Code: "AccessDeniedException", Status: http.StatusForbidden}},
	{Kind: fault.NotFound, Shape: api.Shape{Code: "ResourceNotFoundException", Status: http.StatusNotFound}},
	{Kind: fault.Exists, Shape: api.Shape{Code: "ResourceInUseException", Status: http.StatusConflict}},
	{Kind: fault.Conflict, Shape: api.Shape{Code: "ResourceInUseException", Status: http.StatusConflict}},
	{Kind: fault.Invalid, Shape: api.Shape{Code: "InvalidParameterException", Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Shape: api.Shape{Code: "ResourceLimitExceededException", Status: http.StatusBadRequest}},
	{Kind: fault.Unavailable, Shape: api.Shape{Code: "ServiceUnavailableException", Status: http.StatusServiceUnavailable}},
	{Kind: fault.Internal, Shape: api.Shape{Code: "InternalServerException", Status: http.StatusInternalServerError}},
}

// Config is what the service needs; every field but Stopping is required.
type Config struct {
	Clusters *cluster.Registry
	IAM      *iam.Directory
	Stopping <-chan struct{} // closed when the control plane begins to stop; nil: never
}

type service struct{ Config }

// reportInput is a report with the cluster's name from the path.
type reportInput struct {
	client.Report

	Name string
}

type watchInput struct {
	Name        string
	After       int64
	WaitSeconds int32
}

type endedInput struct {
	Name    string
	PodUIDs []string `json:"podUids"`
}

type nothing struct{}

type accountList struct {
	Accounts []client.Account
}

// New makes the service.
func New(c Config) *api.Typed {
	s := &service{c}
	return &api.Typed{
		SigningName: "podid", EventSource: "podid", Protocol: api.RESTJSON{}, Faults: faults,
		Quiet: true, // the operator puts its texts into conditions and events
		Operations: []api.AnyOperation{
			api.Op(api.Operation[reportInput, nothing]{
				Name: "PutClusterReport", HTTP: api.HTTP{Method: http.MethodPut, URI: "/clusters/{name}/report"},
				Action:   "podid:PutClusterReport",
				Resource: func(c *api.Call, in *reportInput) api.Resource { return s.cluster(c, in.Name) },
				Run:      s.putClusterReport,
			}),
			api.Op(api.Operation[watchInput, client.Wanted]{
				Name: "WatchCluster", HTTP: api.HTTP{Method: http.MethodGet, URI: "/clusters/{name}/watch"},
				Action: "podid:WatchCluster", ReadOnly: true,
				Resource: func(c *api.Call, in *watchInput) api.Resource { return s.cluster(c, in.Name) },
				Run:      s.watchCluster,
			}),
			api.Op(api.Operation[previewInput, client.AssociationPreview]{
				Name: "PreviewAssociation", HTTP: api.HTTP{Method: http.MethodGet, URI: "/clusters/{name}/association-preview"},
				Action: "podid:PreviewAssociation", ReadOnly: true,
				Resource: func(c *api.Call, in *previewInput) api.Resource { return s.cluster(c, in.Name) },
				Run:      s.previewAssociation,
			}),
			api.Op(api.Operation[identitiesInput, client.MatchedIdentities]{
				Name: "PreviewIdentities", HTTP: api.HTTP{Method: http.MethodPost, URI: "/clusters/{name}/identity-preview"},
				Action: "podid:PreviewAssociation", ReadOnly: true,
				Resource: func(c *api.Call, in *identitiesInput) api.Resource { return s.cluster(c, in.Name) },
				Run:      s.previewIdentities,
			}),
			api.Op(api.Operation[endedInput, nothing]{
				Name: "ReportEndedPods", HTTP: api.HTTP{Method: http.MethodPost, URI: "/clusters/{name}/ended-pods"},
				Action:   "podid:ReportEndedPods",
				Resource: func(c *api.Call, in *endedInput) api.Resource { return s.cluster(c, in.Name) },
				Run: func(ctx context.Context, c *api.Call, in *endedInput) (*nothing, error) {
					return &nothing{}, s.Clusters.EndPods(ctx, c.Account(), in.Name, in.PodUIDs)
				},
			}),
			api.Op(api.Operation[client.NewAccount, client.MadeAccount]{
				Name: "CreateAccount", HTTP: api.HTTP{Method: http.MethodPost, URI: "/accounts"},
				Action: "podid:CreateAccount", Run: s.createAccount,
			}),
			api.Op(api.Operation[nothing, accountList]{
				Name: "ListAccounts", HTTP: api.HTTP{Method: http.MethodGet, URI: "/accounts"},
				Action: "podid:ListAccounts", ReadOnly: true, Run: s.listAccounts,
			}),
		},
	}
}

// cluster is the resource of a call about a cluster of the caller's account.
func (s *service) cluster(c *api.Call, name string) api.Resource {
	r := api.Resource{ARN: arn.Cluster(c.Region, c.Account(), name), Account: c.Account()}
	if found, ok := s.Clusters.Find(c.Account(), name); ok {
		r.Tags = found.Tags
	}
	return r
}

// putClusterReport takes a report. To have an issuer that the cluster did not have, be it its first, takes a permission of its own, which an
// operator does not need: whoever holds a cluster must not be able to speak for another, nor for an issuer elsewhere that the account trusts
// or will trust one day.
func (s *service) putClusterReport(ctx context.Context, c *api.Call, in *reportInput) (*nothing, error) {
	is, ok := s.Clusters.Find(c.Account(), in.Name)
	if ok && is.Issuer != in.Issuer {
		if err := c.Authorize("podid:ReplaceClusterIssuer", s.cluster(c, in.Name), nil); err != nil {
			return nil, err
		}
	}
	r := cluster.Report{
		Issuer: in.Issuer, JWKS: in.JWKS, Endpoint: in.Endpoint, CertificateAuthority: in.CertificateAuthority, Version: in.Version,
	}
	for _, n := range in.Nodes {
		r.Nodes = append(r.Nodes, cluster.ReportedNode(n))
	}
	for _, a := range in.Addons {
		r.Addons = append(r.Addons, cluster.ReportedAddon(a))
	}
	return &nothing{}, s.Clusters.PutReport(ctx, c.Account(), in.Name, r)
}

// maxWait bounds a long poll.
const maxWait = 30 * time.Second

// untilStopping is ctx, ended also by the end of the control plane: a long poll must not hold up a restart.
func (s *service) untilStopping(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (s *service) watchCluster(ctx context.Context, c *api.Call, in *watchInput) (*client.Wanted, error) {
	wait := max(0, min(time.Duration(in.WaitSeconds)*time.Second, maxWait))
	waiting, over := s.untilStopping(ctx)
	defer over()
	wanted, err := s.Clusters.Watch(waiting, c.Account(), in.Name, in.After, wait)
	if waiting.Err() != nil && ctx.Err() == nil { // podid stops: the wait is over, and what is known is the answer
		wanted, err = s.Clusters.Watch(ctx, c.Account(), in.Name, in.After, 0)
	}
	if err != nil {
		return nil, err
	}
	out := &client.Wanted{
		Revision: wanted.Revision, Addons: []client.WantedAddon{}, Nodegroups: []client.WantedNodegroup{},
		Associations: []client.WantedAssociation{},
	}
	for _, a := range wanted.Addons {
		out.Addons = append(out.Addons, client.WantedAddon{
			Name: a.Name, Version: a.Version, Namespace: a.Namespace, ConfigurationValues: a.Configuration, Status: string(a.Status),
		})
	}
	for _, g := range wanted.Nodegroups {
		out.Nodegroups = append(out.Nodegroups, client.WantedNodegroup{Name: g.Name, Status: string(g.Status)})
	}
	for _, a := range wanted.Associations {
		out.Associations = append(out.Associations, client.WantedAssociation{
			AssociationID: a.ID, Namespace: a.Namespace, ServiceAccount: a.ServiceAccount,
		})
	}
	return out, nil
}

// manages refuses whoever is not of the management account, which the first start made.
func (s *service) manages(c *api.Call) error {
	if a, ok := s.IAM.FindAccount(c.Account()); !ok || !a.Management {
		return fault.New(fault.Denied, "account", "Accounts are managed by the first account only, and the caller is of account %s", c.Account())
	}
	return nil
}

func (s *service) createAccount(ctx context.Context, c *api.Call, in *client.NewAccount) (*client.MadeAccount, error) {
	if err := s.manages(c); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = "account-" + in.AccountID
	}
	key, err := s.IAM.Bootstrap(ctx, in.AccountID, in.Name)
	if err != nil {
		return nil, err
	}
	return &client.MadeAccount{AccountID: key.Account, AccessKeyID: key.ID, SecretAccessKey: key.Secret}, nil
}

func (s *service) listAccounts(_ context.Context, c *api.Call, _ *nothing) (*accountList, error) {
	if err := s.manages(c); err != nil {
		return nil, err
	}
	out := &accountList{Accounts: []client.Account{}}
	for a := range s.IAM.AllAccounts() {
		out.Accounts = append(out.Accounts, client.Account{AccountID: a.ID, Name: a.Name})
	}
	return out, nil
}
