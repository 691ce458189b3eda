package devcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/uuid"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
)

// uidOf is a stable uid for something that has no other.
func uidOf(parts ...string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(strings.Join(parts, "/"))).String()
}

func (c *Cluster) agentRole() string    { return "podid-agent-" + c.Name }
func (c *Cluster) operatorRole() string { return "podid-operator-" + c.Name }

func (c *Cluster) arn() string {
	return "arn:aws:eks:" + c.Region + ":" + c.Account + ":cluster/" + c.Name
}

func (c *Cluster) config(p aws.CredentialsProvider) aws.Config {
	return aws.Config{Region: c.Region, Credentials: p, BaseEndpoint: &c.Endpoint, HTTPClient: c.HTTP}
}

func (c *Cluster) podid(p aws.CredentialsProvider) *client.Client {
	return client.New(client.Config{Endpoint: c.Endpoint, Region: c.Region, Credentials: p, HTTP: c.HTTP, Now: c.Now})
}

// Waiting between two looks at a control plane that has no such cluster yet, or does not answer.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
	watchWait  = 5 * time.Second // and so often the agent is looked at
)

// follow connects the cluster and keeps reporting what is true, until ctx ends. It never gives up: a cluster that was
// deleted may be created again, by somebody else: this one creates it once.
func (c *Cluster) follow(ctx context.Context) {
	wait := retryFirst
	create := c.Create
	for ctx.Err() == nil {
		err := c.connect(ctx, create)
		if err == nil {
			wait = retryFirst
			if create {
				close(c.ready)
				create = false
			}
			err = c.report(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, fault.NotFound) {
			c.Logger.WarnContext(ctx, "the built-in cluster is not connected", "cluster", c.Name, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMost)
	}
}

// connect does what connecting a cluster is: the control plane learns its issuer and key set, the account gets an OIDC
// provider for the issuer and the roles of operator and agent. It is done with the administrator's key; from then on the
// cluster proves itself by its own tokens.
func (c *Cluster) connect(ctx context.Context, create bool) error {
	if create {
		if err := c.create(ctx); err != nil {
			return fmt.Errorf("create the cluster: %w", err)
		}
	}
	if err := c.podid(c.Administrator).PutClusterReport(ctx, c.Name, c.state(nil, false)); err != nil {
		return fmt.Errorf("publish the key set: %w", err)
	}
	im := iam.NewFromConfig(c.config(c.Administrator))
	_, err := im.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
		Url: &c.issuer, ClientIDList: []string{webIdentityAudience},
	})
	if err := existing[*iamtypes.EntityAlreadyExistsException](err); err != nil {
		return fmt.Errorf("make the OIDC provider: %w", err)
	}
	if err := c.role(ctx, im, c.agentRole(), agentNamespace, agentAccount, "eks-auth:AssumeRoleForPodIdentity"); err != nil {
		return err
	}
	return c.role(ctx, im, c.operatorRole(), operatorNamespace, operatorAccount,
		"podid:PutClusterReport", "podid:WatchCluster", "podid:ReportEndedPods", "podid:PreviewAssociation", "eks:ListPodIdentityAssociations")
}

// existing is nil for an error that says that the thing is there already.
func existing[E error](err error) error {
	if _, ok := errors.AsType[E](err); ok {
		return nil
	}
	return err
}

type statement map[string]any

func document(statements ...statement) *string {
	b, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements}) // maps of strings always encode
	return aws.String(string(b))
}

// role makes a role that one service account of this cluster may take, and that may do a few things to this cluster.
func (c *Cluster) role(ctx context.Context, im *iam.Client, name, namespace, account string, actions ...string) error {
	host := strings.TrimPrefix(c.issuer, "https://")
	_, err := im.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &name,
		AssumeRolePolicyDocument: document(statement{
			"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
			"Principal": map[string]string{"Federated": "arn:aws:iam::" + c.Account + ":oidc-provider/" + host},
			"Condition": map[string]any{"StringEquals": map[string]string{
				host + ":sub": "system:serviceaccount:" + namespace + ":" + account, host + ":aud": webIdentityAudience,
			}},
		}),
	})
	if err := existing[*iamtypes.EntityAlreadyExistsException](err); err != nil {
		return fmt.Errorf("make the role %s: %w", name, err)
	}
	_, err = im.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: &name, PolicyName: aws.String("podid"),
		PolicyDocument: document(statement{"Effect": "Allow", "Action": actions, "Resource": c.arn()}),
	})
	if err != nil {
		return fmt.Errorf("make the role %s: %w", name, err)
	}
	return nil
}

// AgentAddon is the add-on that is the node agent, and the version of it that the laptop mode runs.
const (
	AgentAddon   = "eks-pod-identity-agent"
	AgentVersion = "v1.0.0-podid.1"
	laptopGroup  = "laptop"
)

// create makes the cluster, its node group and the add-on, as a person would with the AWS CLI.
func (c *Cluster) create(ctx context.Context) error {
	e := eks.NewFromConfig(c.config(c.Administrator))
	_, err := e.CreateCluster(ctx, &eks.CreateClusterInput{
		Name: &c.Name, RoleArn: aws.String("arn:aws:iam::" + c.Account + ":role/" + c.operatorRole()), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
	})
	if err := existing[*ekstypes.ResourceInUseException](err); err != nil {
		return err
	}
	_, err = e.CreateNodegroup(ctx, &eks.CreateNodegroupInput{
		ClusterName: &c.Name, NodegroupName: aws.String(laptopGroup), NodeRole: aws.String(c.AgentRoleARN()), Subnets: []string{},
	})
	if err := existing[*ekstypes.ResourceInUseException](err); err != nil {
		return err
	}
	_, err = e.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: &c.Name, AddonName: aws.String(AgentAddon)})
	return existing[*ekstypes.ResourceInUseException](err)
}

// token is a service account token of this cluster for stscreds.
type token struct {
	c       *Cluster
	request TokenRequest
}

// GetIdentityToken signs a fresh token.
func (t token) GetIdentityToken() ([]byte, error) {
	text, err := t.c.Token(t.request)
	return []byte(text), err
}

// operator is the control plane as the operator reaches it: with a role that the operator's own token opened.
func (c *Cluster) operator() *client.Client {
	return c.podid(aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(
		sts.NewFromConfig(c.config(aws.AnonymousCredentials{})), "arn:aws:iam::"+c.Account+":role/"+c.operatorRole(),
		token{c, TokenRequest{
			Namespace: operatorNamespace, ServiceAccount: operatorAccount, Pod: operatorAccount, PodUID: uidOf(c.issuer, "pod", operatorAccount),
			Audience: webIdentityAudience, Lifetime: minLifetime,
		}})))
}

// report tells what is true whenever that or what is wanted changes.
func (c *Cluster) report(ctx context.Context) error {
	api := c.operator()
	var seen int64
	var told client.Report
	for {
		wanted, err := api.WatchCluster(ctx, c.Name, seen, watchWait)
		if err != nil {
			return err
		}
		seen = wanted.Revision
		now := c.state(wanted, c.AgentAnswers(ctx))
		if reflect.DeepEqual(now, told) {
			continue
		}
		if err := api.PutClusterReport(ctx, c.Name, now); err != nil {
			return err
		}
		told = now
	}
}

// state is what is true of this cluster: one node, which is in every node group, and the agent.
func (c *Cluster) state(wanted *client.Wanted, agent bool) client.Report {
	keys, _ := c.signer.KeySet().MarshalJSON() // public keys always encode
	r := client.Report{Issuer: c.issuer, JWKS: string(keys), Version: version, Nodes: []client.ReportNode{}, Addons: []client.ReportAddon{}}
	if wanted == nil {
		return r
	}
	for _, g := range wanted.Nodegroups {
		if g.Status != "DELETING" {
			r.Nodes = append(r.Nodes, client.ReportNode{Name: node, Ready: true, Nodegroup: g.Name})
		}
	}
	for _, a := range wanted.Addons {
		if a.Status == "DELETING" || a.Name != AgentAddon {
			continue
		}
		addon := client.ReportAddon{Name: a.Name, Version: a.Version, Healthy: agent}
		if !agent {
			addon.Message = "the agent does not answer"
		}
		r.Addons = append(r.Addons, addon)
	}
	return r
}
