package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
)

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// unless is nil for an error that says that there is nothing to do.
func unless[E error](err error) error {
	if is[E](err) {
		return nil
	}
	return err
}

func roleARN(account, name string) string { return "arn:aws:iam::" + account + ":role/" + name }

func (c *Connection) operatorRole() string { return "podid-operator-" + c.Cluster }
func (c *Connection) agentRole() string    { return "podid-agent-" + c.Cluster }

func (c *Connection) arn(account, kind, name string) string {
	return "arn:aws:eks:" + c.AWS.Region + ":" + account + ":" + kind + "/" + name
}

func providerARN(account, issuer string) string {
	return "arn:aws:iam::" + account + ":oidc-provider/" + strings.TrimPrefix(issuer, "https://")
}

// record is the cluster as EKS has it; nil where it has none.
func (c *Connection) record(ctx context.Context) (*ekstypes.Cluster, error) {
	out, err := c.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &c.Cluster})
	if is[*ekstypes.ResourceNotFoundException](err) {
		return nil, nil //nolint:nilnil // absence is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the cluster: %w", err)
	}
	return out.Cluster, nil
}

func issuerOf(r *ekstypes.Cluster) string {
	if r == nil || r.Identity == nil || r.Identity.Oidc == nil {
		return ""
	}
	return aws.ToString(r.Identity.Oidc.Issuer)
}

func authorityOf(r *ekstypes.Cluster) string {
	if r == nil || r.CertificateAuthority == nil {
		return ""
	}
	return aws.ToString(r.CertificateAuthority.Data)
}

// clusters are all clusters of the account.
func (c *Connection) clusters(ctx context.Context) ([]*ekstypes.Cluster, error) {
	var list []*ekstypes.Cluster
	for pages := eks.NewListClustersPaginator(c.eks, &eks.ListClustersInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the clusters: %w", err)
		}
		for _, name := range page.Clusters {
			out, err := c.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
			if is[*ekstypes.ResourceNotFoundException](err) {
				continue // gone in between
			}
			if err != nil {
				return nil, fmt.Errorf("ask for the cluster %s: %w", name, err)
			}
			list = append(list, out.Cluster)
		}
	}
	return list, nil
}

// accountSteps are what the account gets before the cluster can sign in.
func (c *Connection) accountSteps(ctx context.Context, f *facts) (Plan, error) {
	create := Step{Action: Unchanged, What: "EKS cluster " + c.Cluster, Do: func(ctx context.Context) error {
		_, err := c.eks.CreateCluster(ctx, &eks.CreateClusterInput{
			Name: &c.Cluster, RoleArn: aws.String(roleARN(f.account, c.operatorRole())), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
		})
		return unless[*ekstypes.ResourceInUseException](err)
	}}
	if f.record == nil {
		create.Action = Create
	}
	report := Step{Action: Update, What: "issuer " + f.kube.issuer + " and its keys", Do: func(ctx context.Context) error {
		return c.own.PutClusterReport(ctx, c.Cluster, client.Report{
			Issuer: f.kube.issuer, JWKS: f.kube.jwks, Endpoint: c.kube.host, CertificateAuthority: c.kube.authority(), Version: f.kube.version,
			Nodes: []client.ReportNode{}, Addons: []client.ReportAddon{},
		})
	}}
	switch {
	case issuerOf(f.record) == "":
		report.Action = Create
	case issuerOf(f.record) == f.kube.issuer && f.operatorReports && !c.Replace:
		report.Action = Unchanged // the operator does it, and knows nodes and add-ons too
	}
	provider, err := c.providerStep(ctx, f)
	if err != nil {
		return nil, err
	}
	operator, err := c.roleStep(ctx, f.account, role{
		name: c.operatorRole(), trust: c.webIdentityTrust(f, namespace, operatorName), policy: document(c.operatorStatements(f.account)...),
	})
	if err != nil {
		return nil, err
	}
	agent, err := c.roleStep(ctx, f.account, role{
		name: c.agentRole(), trust: c.webIdentityTrust(f, agentNamespace, agentName),
		policy: document(statement{"Effect": "Allow", "Action": "eks-auth:AssumeRoleForPodIdentity", "Resource": c.arn(f.account, "cluster", c.Cluster)}),
	})
	if err != nil {
		return nil, err
	}
	return Plan{create, report, provider, operator, agent}, nil
}

// providerStep makes the OIDC provider of the cluster's issuer, for the audience of its service accounts' tokens.
func (c *Connection) providerStep(ctx context.Context, f *facts) (Step, error) {
	arn := providerARN(f.account, f.kube.issuer)
	s := Step{Action: Unchanged, What: "OIDC provider " + arn}
	out, err := c.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	switch {
	case is[*iamtypes.NoSuchEntityException](err):
		s.Action = Create
		s.Do = func(ctx context.Context) error {
			_, err := c.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &f.kube.issuer, ClientIDList: []string{tokenAudience}})
			return unless[*iamtypes.EntityAlreadyExistsException](err)
		}
	case err != nil:
		return s, fmt.Errorf("ask for the OIDC provider: %w", err)
	default:
		if slices.Contains(out.ClientIDList, tokenAudience) {
			return s, nil
		}
		s.Action = Update
		s.Do = func(ctx context.Context) error {
			_, err := c.iam.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{
				OpenIDConnectProviderArn: &arn, ClientID: aws.String(tokenAudience),
			})
			return err
		}
	}
	return s, nil
}

type statement map[string]any

func document(statements ...statement) string {
	b, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements}) // maps of strings always encode
	return string(b)
}

// webIdentityTrust lets one service account of this cluster take a role.
func (c *Connection) webIdentityTrust(f *facts, namespace, account string) string {
	host := strings.TrimPrefix(f.kube.issuer, "https://")
	return document(statement{
		"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
		"Principal": map[string]string{"Federated": providerARN(f.account, f.kube.issuer)},
		"Condition": map[string]any{"StringEquals": map[string]string{
			host + ":sub": "system:serviceaccount:" + namespace + ":" + account, host + ":aud": tokenAudience,
		}},
	})
}

// role is a role as it is to be.
type role struct {
	name, path    string
	trust, policy string // policy "": none
}

// roleStep makes a role, or puts one right.
func (c *Connection) roleStep(ctx context.Context, account string, r role) (Step, error) {
	s := Step{Action: Unchanged, What: "role " + r.name}
	found, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &r.name})
	if is[*iamtypes.NoSuchEntityException](err) {
		s.Action, s.Do = Create, func(ctx context.Context) error { return c.putRole(ctx, r) }
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("ask for the role %s: %w", r.name, err)
	}
	if is := aws.ToString(found.Role.Arn); is != roleARN(account, r.name) { // names do not tell upper from lower case, and ignore the path
		return s, fault.New(fault.Conflict, "role", "the name of the role %s is taken by %s, which is not this cluster's: choose another name for the cluster", r.name, is)
	}
	same := sameDocument(aws.ToString(found.Role.AssumeRolePolicyDocument), r.trust)
	if same {
		p, err := c.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.name, PolicyName: aws.String(inlinePolicy)})
		switch {
		case is[*iamtypes.NoSuchEntityException](err):
			same = false
		case err != nil:
			return s, fmt.Errorf("ask for the policy of the role %s: %w", r.name, err)
		default:
			same = sameDocument(aws.ToString(p.PolicyDocument), r.policy)
		}
	}
	if !same {
		s.Action, s.Do = Update, func(ctx context.Context) error { return c.putRole(ctx, r) }
	}
	return s, nil
}

func (c *Connection) putRole(ctx context.Context, r role) error {
	in := &iam.CreateRoleInput{RoleName: &r.name, AssumeRolePolicyDocument: &r.trust}
	if r.path != "" {
		in.Path = &r.path
	}
	_, err := c.iam.CreateRole(ctx, in)
	if is[*iamtypes.EntityAlreadyExistsException](err) {
		_, err = c.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &r.name, PolicyDocument: &r.trust})
	}
	if err != nil || r.policy == "" {
		return err
	}
	_, err = c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &r.name, PolicyName: aws.String(inlinePolicy), PolicyDocument: &r.policy})
	return err
}

// sameDocument compares a document as IAM answers it, percent-encoded, with one of ours.
func sameDocument(answered, ours string) bool {
	text, err := url.QueryUnescape(answered)
	if err != nil {
		return false
	}
	var a, b any
	return json.Unmarshal([]byte(text), &a) == nil && json.Unmarshal([]byte(ours), &b) == nil && reflect.DeepEqual(a, b)
}

// addonStep asks for the add-on: the operator then installs the agent.
func (c *Connection) addonStep(ctx context.Context) (Step, error) {
	s := Step{Action: Create, What: "add-on " + agentAddon, Do: func(ctx context.Context) error {
		_, err := c.eks.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: &c.Cluster, AddonName: aws.String(agentAddon)})
		return unless[*ekstypes.ResourceInUseException](err)
	}}
	addon, err := c.addon(ctx)
	if err != nil {
		return s, err
	}
	if addon != nil {
		s.Action = Unchanged
	}
	if addon != nil && addon.Status == ekstypes.AddonStatusDeleting {
		return s, fault.New(fault.Conflict, "add-on", "the add-on %s is being deleted; try again once it is gone", agentAddon)
	}
	return s, nil
}

// addon is the add-on as EKS has it; nil where it has none.
func (c *Connection) addon(ctx context.Context) (*ekstypes.Addon, error) {
	out, err := c.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &c.Cluster, AddonName: aws.String(agentAddon)})
	if is[*ekstypes.ResourceNotFoundException](err) {
		return nil, nil //nolint:nilnil // absence is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the add-on: %w", err)
	}
	return out.Addon, nil
}
