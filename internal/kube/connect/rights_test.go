package connect_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/connect"
)

// operatorOf is the operator's Deployment, as far as it says whose it is.
func operatorOf(cluster, account string) object {
	return object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": "podid-operator", "namespace": "podid-system"},
		"spec": object{"template": object{"spec": object{"containers": []any{
			object{"name": "injected-by-somebody"},
			object{
				"name": "podid-operator", "args": []any{"--cluster-name=" + cluster},
				"env": []any{object{"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::" + account + ":role/podid-operator-" + cluster}},
			},
		}}}},
	}
}

// strangers are clusters that somebody connected elsewhere: a kubeconfig may be the wrong one.
func (w *world) strangers(t *testing.T) {
	const path = "/apis/apps/v1/namespaces/podid-system/deployments/podid-operator"
	for _, test := range []struct {
		name, cluster, account, want string
	}{
		{"of the same name, of another account", "prod", "444455556666", "arn:aws:iam::444455556666:role/podid-operator-prod"},
		{"of another name and account", "staging", "444455556666", "arn:aws:iam::444455556666:role/podid-operator-staging"},
	} {
		t.Run(test.name, func(t *testing.T) {
			other := newAPIServer(t, "https://oidc.example.com/stranger")
			other.put(path, operatorOf(test.cluster, test.account))
			conn, _ := w.open(t, other)
			_, err := conn.Plan(t.Context())
			refused(t, err, fault.Conflict, test.want)
			_, err = conn.PlanRemoval(t.Context(), connect.Removal{CRDs: true, Associations: true})
			refused(t, err, fault.Conflict, test.want)
		})
	}
	t.Run("that has none is not disconnected in another's name", func(t *testing.T) {
		other := newAPIServer(t, "https://oidc.example.com/stranger")
		conn, _ := w.open(t, other)
		_, err := conn.PlanRemoval(t.Context(), connect.Removal{CRDs: true, Associations: true})
		refused(t, err, fault.Conflict, issuer)
	})
	t.Run("without a container", func(t *testing.T) {
		empty := newAPIServer(t, "https://oidc.example.com/stranger")
		o := operatorOf("prod", account)
		o["spec"].(object)["template"].(object)["spec"].(object)["containers"] = []any{}
		empty.put(path, o)
		conn, _ := w.open(t, empty)
		if _, err := conn.Plan(t.Context()); err == nil {
			t.Error("taken")
		}
	})
}

// namesakes are roles that IAM finds by the name, though they are not the cluster's: names differ in their case, or the path does.
func (w *world) namesakes(t *testing.T) {
	ctx := t.Context()
	im := iam.NewFromConfig(w.aws)
	k := newAPIServer(t, "https://oidc.example.com/upper")
	for _, path := range []string{"/", "/podid/prod/shop/"} {
		name := aws.String("podid-operator-UPPER")
		const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
		must(im.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, Path: &path, AssumeRolePolicyDocument: aws.String(trust)}))(t)
		cluster := "upper"
		if path != "/" {
			cluster = "UPPER"
		}
		conn, _ := w.open(t, k, func(c *connect.Config) { c.Cluster = cluster })
		_, err := conn.Plan(ctx)
		refused(t, err, fault.Conflict, "role"+path+"podid-operator-UPPER")
		must(im.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))(t)
	}
}

// boundary holds that nobody who writes a Role object gets more than an administrator has said.
func (w *world) boundary(t *testing.T, k *apiServer) {
	ctx := t.Context()
	im := iam.NewFromConfig(w.aws)
	for _, test := range []struct {
		arn, want string
		kind      fault.Kind
	}{
		{"", "--iam-permissions-boundary", fault.Invalid},
		{"limit", "is not the ARN of a managed policy", fault.Invalid},
		{"arn:aws:iam::444455556666:policy/limit", "is not the ARN of a managed policy", fault.Invalid},
		{"arn:aws:iam::" + account + ":policy/podid/prod/limit", "could change", fault.Invalid},
		{"arn:aws:iam::" + account + ":policy/limit", "there is no policy", fault.NotFound},
	} {
		conn, _ := w.open(t, k, func(c *connect.Config) { c.IAMResources, c.IAMBoundary = true, test.arn })
		_, err := conn.Plan(ctx)
		refused(t, err, test.kind, test.want)
	}
	limit := must(im.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("limit"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)}))(t).Policy.Arn
	values := must(connect.Values(nil, nil, []string{"operator.ackNamespaces=[ack-system, platform]"}))(t)
	conn, _ := w.open(t, k, func(c *connect.Config) { c.IAMResources, c.IAMBoundary, c.Values = true, *limit, values })
	if err := must(conn.Plan(ctx))(t).Execute(ctx); err != nil {
		t.Fatal(err)
	}
	out := must(im.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String("podid-operator-prod"), PolicyName: aws.String("podid")}))(t)
	text := must(url.QueryUnescape(*out.PolicyDocument))(t)
	if want := `"Condition":{"StringEquals":{"iam:PermissionsBoundary":"` + *limit + `"}}`; strings.Count(text, want) != 1 {
		t.Errorf("%s is not once in %s", want, text)
	}
	if strings.Contains(text, "iam:DeleteRolePermissionsBoundary") {
		t.Error("the operator may take boundaries away")
	}
	w.bounded(t, text, *limit)
	args := k.get("/apis/apps/v1/namespaces/podid-system/deployments/podid-operator")["spec"].(object)["template"].(object)["spec"].(object)["containers"].([]any)[0].(object)["args"].([]any)
	for _, want := range []string{"--iam-permissions-boundary=" + *limit, "--ack-namespaces=ack-system,platform"} {
		if !slices.Contains(args, any(want)) {
			t.Errorf("the operator is not told %s: %v", want, args)
		}
	}
	conn, _ = w.open(t, k)
	if err := must(conn.Plan(ctx))(t).Execute(ctx); err != nil {
		t.Fatal(err)
	}
	must(im.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: limit}))(t)
}

// bounded holds the operator's rights against IAM: what it may do it may do within the boundary, and nothing takes that away.
func (w *world) bounded(t *testing.T, rights, limit string) {
	t.Helper()
	ctx, name := t.Context(), aws.String("operators-rights")
	admin := iam.NewFromConfig(w.aws)
	must(admin.CreateUser(ctx, &iam.CreateUserInput{UserName: name}))(t)
	must(admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: name, PolicyDocument: &rights}))(t)
	key := must(admin.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name}))(t).AccessKey
	config := w.aws.Copy()
	config.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKeyId, *key.SecretAccessKey, "")
	operator := iam.NewFromConfig(config)

	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	trust, path := aws.String(strings.Replace(document, `"Action":"*","Resource":"*"`, `"Action":"sts:AssumeRole","Principal":{"AWS":"*"}`, 1)), aws.String("/podid/prod/shop/")
	create := func(by *iam.Client, role string, path, boundary *string) error {
		_, err := by.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &role, Path: path, AssumeRolePolicyDocument: trust, PermissionsBoundary: boundary})
		return err
	}
	put := func(role string) error {
		_, err := operator.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &role, PolicyName: name, PolicyDocument: aws.String(document)})
		return err
	}
	attach := func(role string) error {
		_, err := operator.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &role, PolicyArn: &limit})
		return err
	}
	bound := func(role, boundary string) error {
		_, err := operator.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &role, PermissionsBoundary: &boundary})
		return err
	}
	other := *must(admin.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("other"), PolicyDocument: aws.String(document)}))(t).Policy.Arn
	if err := create(admin, "free", path, nil); err != nil {
		t.Fatal(err)
	}
	unbind := func(role string) error {
		_, err := operator.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: &role})
		return err
	}
	widen := func() error {
		_, err := operator.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &limit, PolicyDocument: aws.String(document), SetAsDefault: true})
		return err
	}
	for i, may := range []error{create(operator, "bounded", path, &limit), put("bounded"), attach("bounded"), bound("bounded", limit)} {
		if may != nil {
			t.Errorf("%d: may not: %v", i, may)
		}
	}
	for i, may := range []error{
		create(operator, "more", path, nil), create(operator, "more", path, &other), create(operator, "more", aws.String("/podid/production/shop/"), &limit),
		put("free"), attach("free"), bound("bounded", other), unbind("bounded"), widen(),
	} {
		if may == nil || !strings.Contains(may.Error(), "AccessDenied") {
			t.Errorf("%d: got %v, want a refusal", i, may)
		}
	}
	if err := bound("free", limit); err != nil || put("free") != nil {
		t.Errorf("a role that came by its boundary later: %v", err)
	}
	for _, role := range []string{"bounded", "free"} {
		_, _ = admin.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &role, PolicyArn: &limit})
		must(admin.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &role, PolicyName: name}))(t)
		must(admin.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &role}))(t)
	}
	must(admin.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &other}))(t)
}
