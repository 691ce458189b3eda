package connect

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/fault"
)

// checkBoundary holds that roles which are made of objects are bounded: without a boundary, the right to create a Role object in any
// namespace would be the right to do anything in the account. A boundary that an operator may write is none.
func (c *Connection) checkBoundary(ctx context.Context, account string) error {
	switch {
	case !c.IAMResources:
		return nil
	case c.IAMBoundary == "":
		return fault.New(fault.Invalid, "boundary", "with --iam-resources, whoever creates a Role object decides what it permits: say with "+
			"--iam-permissions-boundary ARN which managed policy none of these roles may exceed")
	}
	name, own := strings.CutPrefix(c.IAMBoundary, "arn:aws:iam::"+account+":policy/")
	if !own {
		if name, own = strings.CutPrefix(c.IAMBoundary, "arn:aws:iam::aws:policy/"); !own {
			return fault.New(fault.Invalid, "boundary", "the permissions boundary %q is not the ARN of a managed policy of the account %s", c.IAMBoundary, account)
		}
	}
	if strings.HasPrefix(strings.ToLower(name), "podid/") {
		return fault.New(fault.Invalid, "boundary", "the permissions boundary %s is below /podid/, where operators could change it", c.IAMBoundary)
	}
	_, err := c.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &c.IAMBoundary})
	if is[*iamtypes.NoSuchEntityException](err) {
		return fault.New(fault.NotFound, "boundary", "there is no policy %s to be the permissions boundary", c.IAMBoundary)
	}
	if err != nil {
		return fmt.Errorf("ask for the permissions boundary: %w", err)
	}
	return nil
}

// operatorStatements are what the operator may do: tell of this cluster and hear what is wanted of it, and keep the associations of its
// objects, for roles that are the cluster's by their path. With the IAM resources also those roles and policies themselves.
func (c *Connection) operatorStatements(account string) []statement {
	home := c.arn(account, "cluster", c.Cluster)
	path := "podid/" + c.Cluster + "/*"
	list := []statement{
		{
			"Effect": "Allow", "Resource": home,
			"Action": []string{
				"podid:PutClusterReport", "podid:WatchCluster", "podid:ReportEndedPods", "podid:PreviewAssociation",
				"eks:CreatePodIdentityAssociation", "eks:ListPodIdentityAssociations",
			},
		},
		{
			"Effect": "Allow", "Resource": c.arn(account, "podidentityassociation", c.Cluster+"/*"),
			"Action": []string{
				"eks:DescribePodIdentityAssociation", "eks:UpdatePodIdentityAssociation", "eks:DeletePodIdentityAssociation",
				"eks:TagResource", "eks:UntagResource", "eks:ListTagsForResource",
			},
		},
		{
			"Effect": "Allow", "Resource": roleARN(account, path), "Action": "iam:PassRole",
			"Condition": map[string]any{"StringEquals": map[string]string{"iam:PassedToService": podsPrincipal}},
		},
		{"Effect": "Allow", "Resource": roleARN(account, path), "Action": "iam:GetRole"},
	}
	if !c.IAMResources {
		return list
	}
	return append(list,
		statement{ // what gives a role anything, only within the boundary
			"Effect": "Allow", "Resource": roleARN(account, path),
			"Action":    []string{"iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:AttachRolePolicy"},
			"Condition": map[string]any{"StringEquals": map[string]string{"iam:PermissionsBoundary": c.IAMBoundary}},
		},
		statement{
			"Effect": "Allow", "Resource": roleARN(account, path),
			"Action": []string{
				"iam:UpdateRole", "iam:DeleteRole", "iam:UpdateAssumeRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:GetRolePolicy",
				"iam:ListRolePolicies", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies",
			},
		},
		statement{
			"Effect": "Allow", "Resource": "arn:aws:iam::" + account + ":policy/" + path,
			"Action": []string{
				"iam:CreatePolicy", "iam:GetPolicy", "iam:DeletePolicy", "iam:CreatePolicyVersion", "iam:GetPolicyVersion", "iam:ListPolicyVersions",
				"iam:DeletePolicyVersion",
			},
		},
		statement{"Effect": "Allow", "Resource": "*", "Action": "iam:ListRoles"}, // one that is gone is told from one that may not be seen
	)
}
