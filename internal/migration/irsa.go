package migration

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/plan"
)

// ServiceAccount is a Kubernetes service account with the annotation eks.amazonaws.com/role-arn.
type ServiceAccount struct {
	Namespace, Name, RoleARN string
}

// trustQuota is how long a trust policy may be. spec: iam-policy.md 2
const trustQuota = 2048

// ProposeIRSA says what lets annotated service accounts of a cluster use Pod Identity with the roles that they have: a statement in each
// role's trust policy, for these service accounts of this cluster alone, and an association each. The statements for web identity stay,
// so that pods that run go on, and new pods use Pod Identity at once. Nothing in the Kubernetes is changed.
//
// An annotation is a wish of whoever may write service accounts, and gives nothing: only service accounts that a role's trust policy lets
// in by web identity today are brought.
func ProposeIRSA(ctx context.Context, list []ServiceAccount, to Account, cluster string, as Translation) (*Proposal, error) {
	who, err := to.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("ask podid who is asking: %w", err)
	}
	home, err := to.EKS.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
	if err != nil {
		return nil, fmt.Errorf("look for the cluster %s in podid: %w; connect it first: podid cluster connect %[1]s", cluster, err)
	}
	p := &irsa{to: to, account: aws.ToString(who.Account), cluster: cluster, clusterARN: aws.ToString(home.Cluster.Arn)}
	if id := home.Cluster.Identity; id != nil && id.Oidc != nil {
		p.issuer = strings.TrimPrefix(aws.ToString(id.Oidc.Issuer), "https://")
	}
	byRole := map[string][]ServiceAccount{}
	for _, sa := range list {
		sa.RoleARN = as.Text(sa.RoleARN)
		byRole[sa.RoleARN] = append(byRole[sa.RoleARN], sa)
	}
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		if err := p.propose(ctx, role, byRole[role]); err != nil {
			return nil, fmt.Errorf("compare the role %s: %w", role, err)
		}
	}
	p.Plan = append(p.Plan, p.associations...)
	if !p.Plan.Empty() {
		p.note("pods that run keep what they have; new pods of these service accounts use Pod Identity, and the annotations can go")
	}
	return &p.Proposal, nil
}

type irsa struct {
	Proposal

	to                           Account
	account, cluster, clusterARN string
	issuer                       string // the cluster's, without its scheme
	associations                 plan.Plan
}

// propose brings the service accounts of one role.
func (p *irsa) propose(ctx context.Context, roleARN string, list []ServiceAccount) error {
	name, err := arn.ParseRole(roleARN)
	switch {
	case err != nil:
		p.leaveOutAll(list, "its annotation %q is not the ARN of a role", roleARN)
		return nil //nolint:nilerr // told, and the others go on
	case name.Account != p.account:
		p.leaveOutAll(list, "%s is of another account: associate a role of account %s and make this one its target role", roleARN, p.account)
		return nil
	}
	found, err := p.to.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &name.Name})
	if missing(err) || err == nil && aws.ToString(found.Role.Arn) != roleARN {
		p.leaveOutAll(list, "podid has no role %s: bring it first, with podid import eks or your own tools", roleARN)
		return nil
	}
	if err != nil {
		return err
	}
	document := decoded(found.Role.AssumeRolePolicyDocument)
	today, err := parseTrust(document)
	if err != nil {
		return err
	}
	var ready []ServiceAccount
	for _, sa := range list {
		issuer, lets := today.lets(sa, p.issuer)
		if !lets && !slices.Contains(p.named(today, sa.Namespace), sa.Name) {
			p.leaveOut("%s/%s: the trust policy of %s does not let it in by web identity, so its annotation gives it nothing: "+
				"associate it by hand if it is to have the role", sa.Namespace, sa.Name, roleARN)
			continue
		}
		now, err := findAssociation(ctx, p.to, p.cluster, sa.Namespace, sa.Name)
		if err != nil {
			return err
		}
		if now != nil && aws.ToString(now.RoleArn) != roleARN {
			p.leaveOut("%s/%s: it is associated with %s already", sa.Namespace, sa.Name, aws.ToString(now.RoleArn))
			continue
		}
		step := plan.Step{Action: plan.Unchanged, What: "association of " + sa.Namespace + "/" + sa.Name + " in " + p.cluster + " with " + roleARN}
		if now == nil {
			if step, err = associate(ctx, p.to, p.cluster, sa.Namespace, sa.Name, wanted{role: roleARN}); err != nil {
				return err
			}
		}
		if lets && issuer != p.issuer && step.Action != plan.Unchanged {
			p.note("%s lets in %s/%s of the issuer %s, and this cluster's is %s: go on only if the one is the other, moved",
				roleARN, sa.Namespace, sa.Name, issuer, cmp.Or(p.issuer, "not known yet"))
		}
		ready = append(ready, sa)
		p.associations = append(p.associations, step)
	}
	text, added, err := p.trusting(document, ready)
	if err != nil {
		return err
	}
	if size(text) > trustQuota && len(added) > 0 {
		p.associations = p.associations[:len(p.associations)-len(ready)]
		p.leaveOutAll(ready, "the trust policy of %s would have %d characters, and may have %d: "+
			"let it trust pods.eks.amazonaws.com with fewer words, and associate by hand", roleARN, size(text), trustQuota)
		return nil
	}
	step := plan.Step{Action: plan.Unchanged, What: "trust policy of role " + roleARN}
	if len(added) > 0 {
		step.Action, step.Detail = plan.Update, added
		step.Do = func(ctx context.Context) error {
			_, err := p.to.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &name.Name, PolicyDocument: &text})
			return err
		}
	}
	p.Plan = append(p.Plan, step)
	return nil
}

func (p *irsa) leaveOutAll(list []ServiceAccount, format string, args ...any) {
	for _, sa := range list {
		p.leaveOut("%s/%s: %s", sa.Namespace, sa.Name, fmt.Sprintf(format, args...))
	}
}

// statement lets service accounts of one namespace of one cluster in.
type statement struct {
	Sid       string
	Effect    string
	Principal map[string]string
	Action    []string
	Condition map[string]map[string]any
}

// trusting is a trust policy with a statement for each namespace of the service accounts, and the statements that were added or changed.
// A statement of ours is known by its Sid, and the service accounts that it names stay in it.
func (p *irsa) trusting(document string, list []ServiceAccount) (text string, added []string, err error) {
	t, err := parseTrust(document)
	if err != nil {
		return "", nil, err
	}
	byNamespace := map[string][]string{}
	for _, sa := range list {
		byNamespace[sa.Namespace] = append(byNamespace[sa.Namespace], sa.Name)
	}
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		sid := p.sid(namespace)
		i := slices.IndexFunc(t.Statement, func(raw json.RawMessage) bool { return sidOf(raw) == sid })
		accounts := byNamespace[namespace]
		if i >= 0 {
			accounts = append(accounts, accountsOf(t.Statement[i])...)
		}
		slices.Sort(accounts)
		raw, err := encode(statement{
			Sid: sid, Effect: "Allow", Principal: map[string]string{"Service": "pods.eks.amazonaws.com"},
			Action: []string{"sts:AssumeRole", "sts:TagSession"},
			Condition: map[string]map[string]any{"StringEquals": {
				"aws:RequestTag/eks-cluster-arn": p.clusterARN, "aws:RequestTag/kubernetes-namespace": namespace,
				"aws:RequestTag/kubernetes-service-account": slices.Compact(accounts),
			}},
		})
		if err != nil {
			return "", nil, err
		}
		switch {
		case i < 0:
			t.Statement = append(t.Statement, json.RawMessage(raw))
		case same(string(t.Statement[i]), raw):
			continue
		default:
			t.Statement[i] = json.RawMessage(raw)
		}
		added = append(added, raw)
	}
	text, err = encode(t)
	return text, added, err
}

// named are the service accounts of a namespace that our statement for it names already.
func (p *irsa) named(t *trust, namespace string) []string {
	sid := p.sid(namespace)
	for _, raw := range t.Statement {
		if sidOf(raw) == sid {
			return accountsOf(raw)
		}
	}
	return nil
}

// sid names our statement for a namespace of the cluster.
func (p *irsa) sid(namespace string) string {
	sum := sha256.Sum256([]byte(p.clusterARN + "\x00" + namespace))
	return "PodIdentity" + hex.EncodeToString(sum[:6])
}

func sidOf(raw json.RawMessage) string {
	var s struct{ Sid string }
	_ = json.Unmarshal(raw, &s) // what has no Sid is not ours
	return s.Sid
}

// accountsOf are the service accounts that a statement of ours names.
func accountsOf(raw json.RawMessage) []string {
	var s struct {
		Condition struct {
			StringEquals struct {
				Names any `json:"aws:RequestTag/kubernetes-service-account"`
			}
		}
	}
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	switch v := s.Condition.StringEquals.Names.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, name := range v {
			if text, ok := name.(string); ok {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}
