package eksauthapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/eksauth"
	"github.com/aws/aws-sdk-go-v2/service/eksauth/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/policy"
)

var sixTags = map[string]string{
	"eks-cluster-arn": clusterARN, "eks-cluster-name": name, "kubernetes-namespace": "shop", "kubernetes-service-account": "cart",
	"kubernetes-pod-name": "cart-56b9f94b4-dvd5c", "kubernetes-pod-uid": "u2",
}

func TestExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	token := w.token(t, nil)
	before := time.Now().Truncate(time.Second)
	out, err := w.exchange(t, w.admin, token)
	must(t, err)
	if *out.Subject.Namespace != "shop" || *out.Subject.ServiceAccount != "cart" || *out.Audience != "pods.eks.amazonaws.com" ||
		*out.PodIdentityAssociation.AssociationArn != a.ARN() || *out.PodIdentityAssociation.AssociationId != a.ID {
		t.Errorf("answered %+v %+v", out.Subject, out.PodIdentityAssociation)
	}
	// The role's own maximum is one hour. spec: pod-identity.md 2.6
	if left := out.Credentials.Expiration.Sub(before); left < 6*time.Hour || left > 6*time.Hour+time.Minute {
		t.Errorf("the session lasts %s", left)
	}
	session := regexp.MustCompile(`^arn:aws:sts::111122223333:assumed-role/app/eks-eksworksho-cart-56b9f-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}$`)
	if !session.MatchString(*out.AssumedRoleUser.Arn) || !strings.HasPrefix(*out.AssumedRoleUser.AssumeRoleId, "AROA") {
		t.Errorf("the session is %s, %s", *out.AssumedRoleUser.Arn, *out.AssumedRoleUser.AssumeRoleId)
	}
	s := w.session(t, out)
	if diff := cmp.Diff(sixTags, s.SessionTags); diff != "" || len(s.TransitiveTagKeys) != 6 || s.Via != credential.ViaPodIdentity {
		t.Errorf("%d transitive keys, via %s, tags %s", len(s.TransitiveTagKeys), s.Via, diff)
	}
	pod := &credential.Pod{
		ClusterARN: clusterARN, Namespace: "shop", ServiceAccount: "cart", PodName: "cart-56b9f94b4-dvd5c", PodUID: "u2", Node: "node-1", AssociationID: a.ID,
	}
	r := w.last()
	if diff := cmp.Diff(pod, s.Pod) + cmp.Diff(pod, r.AdditionalData.Pod); diff != "" {
		t.Error(diff)
	}
	if !r.ReadOnly || r.EventSource != "eks-auth.amazonaws.com" || r.ResponseElements != nil || r.AdditionalData.Credential != *out.AssumedRoleUser.Arn ||
		len(r.Resources) != 1 || r.Resources[0].ARN != clusterARN {
		t.Errorf("the record is %+v", r)
	}
	text, err := json.Marshal(r)
	must(t, err)
	for _, secret := range []string{token, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken} {
		if bytes.Contains(text, []byte(secret)) {
			t.Error("the record holds a secret")
		}
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	const sentence = "Unauthorized Exception! EKS does not have permissions to assume the associated role."
	with := func(condition string) string {
		return strings.TrimSuffix(podsTrust, "}") + `,"Condition":{"StringEquals":{` + condition + `}}}`
	}
	tests := []struct {
		name  string
		trust string
		off   bool   // session tags
		text  string // of the refusal; empty: allowed
	}{
		{name: "pinned to the service account", trust: with(`"aws:RequestTag/kubernetes-namespace":["shop"],"aws:RequestTag/kubernetes-service-account":["cart"]`)},
		{name: "pinned to the cluster", trust: with(`"aws:SourceArn":"` + clusterARN + `","aws:SourceAccount":"` + account + `"`)},
		{name: "another namespace", trust: with(`"aws:RequestTag/kubernetes-namespace":"bank"`), text: "aws:RequestTag/kubernetes-namespace"},
		{name: "another service", trust: strings.ReplaceAll(podsTrust, "pods.eks", "ec2"), text: "trust policy"},
		{name: "no TagSession", trust: strings.ReplaceAll(podsTrust, `,"sts:TagSession"`, ""), text: "sts:TagSession"},
		{name: "no TagSession and no tags", trust: strings.ReplaceAll(podsTrust, `,"sts:TagSession"`, ""), off: true},
		{name: "tags asked for and off", trust: with(`"aws:RequestTag/kubernetes-namespace":"shop"`), off: true, text: "no such key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", tt.trust, ""), DisableSessionTags: tt.off})
			out, err := w.exchange(t, w.admin, w.token(t, nil))
			if tt.text != "" {
				refused[*types.AccessDeniedException](t, err, sentence, tt.text)
				if r := w.last(); r.AdditionalData.Decision == nil || r.AdditionalData.Status != http.StatusBadRequest || r.AdditionalData.Pod == nil {
					t.Errorf("the record is %+v", r.AdditionalData)
				}
				return
			}
			must(t, err)
			if s := w.session(t, out); tt.off && len(s.SessionTags)+len(s.TransitiveTagKeys) > 0 {
				t.Errorf("the session has tags: %v", s.SessionTags)
			}
		})
	}
}

func TestTargetRole(t *testing.T) {
	t.Parallel()
	const external = "us-west-2/111122223333/eksworkshop-eksctl/shop/cart"
	toTarget := `{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"arn:aws:iam::444455556666:role/target"}`
	trust := func(condition string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":["sts:AssumeRole","sts:TagSession"],` +
			`"Condition":{"StringEquals":{` + condition + `},"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/app"}}}`
	}
	session := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	tests := []struct {
		name   string
		allow  string
		trust  string
		policy string
		text   string
	}{
		{name: "by tags", allow: toTarget, trust: trust(`"aws:RequestTag/eks-cluster-arn":"` + clusterARN + `","aws:RequestTag/kubernetes-namespace":"shop"`)},
		{name: "by external id", allow: toTarget, trust: trust(`"sts:ExternalId":"` + external + `"`)},
		{name: "with a policy", allow: toTarget, trust: trust(`"sts:ExternalId":"` + external + `"`), policy: session},
		{name: "another external id", allow: toTarget, trust: trust(`"sts:ExternalId":"x"`), text: "arn:aws:iam::444455556666:role/target"},
		{name: "the role may not", trust: trust(`"sts:ExternalId":"` + external + `"`), text: "identity"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			role := w.role(t, account, "app", podsTrust, tt.allow)
			target := w.role(t, other, "target", tt.trust, "")
			w.associate(t, cluster.Association{RoleARN: role, TargetRoleARN: target, Policy: tt.policy, DisableSessionTags: tt.policy != ""})
			before := time.Now().Truncate(time.Second)
			out, err := w.exchange(t, w.admin, w.token(t, nil))
			if tt.text != "" {
				refused[*types.AccessDeniedException](t, err, "EKS does not have permissions to assume the associated role.", tt.text)
				return
			}
			must(t, err)
			if !strings.HasPrefix(*out.AssumedRoleUser.Arn, "arn:aws:sts::444455556666:assumed-role/target/eks-eksworksho-cart-56b9f-") {
				t.Errorf("the session is %s", *out.AssumedRoleUser.Arn)
			}
			if left := out.Credentials.Expiration.Sub(before); left < time.Hour || left > time.Hour+time.Minute {
				t.Errorf("the chained session lasts %s", left)
			}
			s, want := w.session(t, out), sixTags
			var policies []string
			if tt.policy != "" {
				want, policies = nil, []string{tt.policy}
			}
			if diff := cmp.Diff(want, s.SessionTags) + cmp.Diff(policies, s.SessionPolicies); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokenRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	thief, err := oidc.NewSigner("RS256")
	must(t, err)
	forged, err := thief.ServiceAccountToken(oidc.ServiceAccountToken{
		Issuer: issuer, Audiences: []string{"pods.eks.amazonaws.com"}, IssuedAt: time.Now(), Lifetime: time.Hour,
		Kubernetes: oidc.Kubernetes{Namespace: "shop", ServiceAccount: "cart", ServiceAccountUID: "u", Pod: "p", PodUID: "u"},
	})
	must(t, err)
	good := w.token(t, nil)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "." + parts[2]
	invalid := func(text ...string) func(*testing.T, error) {
		return func(t *testing.T, err error) { t.Helper(); refused[*types.InvalidTokenException](t, err, text...) }
	}
	tests := []struct {
		name   string
		token  string
		refuse func(*testing.T, error)
	}{
		{
			"audience", w.token(t, func(r *oidc.ServiceAccountToken) { r.Audiences = []string{"sts.amazonaws.com"} }),
			invalid(`"sts.amazonaws.com"`, `"pods.eks.amazonaws.com"`, issuer, "system:serviceaccount:shop:cart"),
		},
		{"issuer", w.token(t, func(r *oidc.ServiceAccountToken) { r.Issuer = "https://other.example" }), invalid("https://other.example", issuer)},
		{"not bound to a pod", w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Pod = "" }), invalid("not bound to a pod")},
		{"not yet valid", w.token(t, func(r *oidc.ServiceAccountToken) { r.IssuedAt = time.Now().Add(time.Hour) }), invalid("not valid before")},
		{"another key", forged, invalid("not in the key set")},
		{"another signature", parts[0] + "." + parts[1] + "." + strings.Split(forged, ".")[2], invalid("signature")},
		{"no algorithm", none, invalid("algorithm")},
		{"no JSON", "a.b.c", invalid("not a signed JSON Web Token")},
		{"expired", w.token(t, func(r *oidc.ServiceAccountToken) { r.IssuedAt = time.Now().Add(-2 * time.Hour) }), func(t *testing.T, err error) {
			refused[*types.ExpiredTokenException](t, err, "Token expired")
		}},
		{"two parts", "a.b", func(t *testing.T, err error) { refused[*types.InvalidParameterException](t, err, "token") }},
		{"another service account", w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.ServiceAccount = "spy" }), func(t *testing.T, err error) {
			refused[*types.ResourceNotFoundException](t, err, "The token included in the request has no service account role association for it.",
				`"spy"`, `"shop"`, name, issuer, "system:serviceaccount:shop:spy")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.exchange(t, w.admin, tt.token)
			tt.refuse(t, err)
			if strings.Contains(err.Error(), tt.token) && len(tt.token) > 10 {
				t.Error("the refusal quotes the token")
			}
		})
	}
	_, err = w.exchange(t, w.admin, good)
	must(t, err)
}

func TestClusterRefused(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	role := w.role(t, account, "app", podsTrust, "")
	a := w.associate(t, cluster.Association{RoleARN: role})
	token := w.token(t, nil)
	call := func(clusterName string) error {
		_, err := w.admin.AssumeRoleForPodIdentity(ctx, &sdk.AssumeRoleForPodIdentityInput{ClusterName: &clusterName, Token: &token})
		return err
	}
	refused[*types.ResourceNotFoundException](t, call("ghost"), "No cluster found for name: ghost.")
	refused[*types.InvalidParameterException](t, call("-"), "cluster name")
	_, err := w.clusters.Create(ctx, cluster.Cluster{Account: account, Name: "fresh"}, "")
	must(t, err)
	refused[*types.ServiceUnavailableException](t, call("fresh"), "has not published its key set")

	rotated, err := oidc.NewSigner("ES256")
	must(t, err)
	w.report(t, rotated)
	refused[*types.InvalidTokenException](t, call(name), "not in the key set")
	w.report(t, w.signer)
	must(t, call(name))
	_, err = w.clusters.DeleteAssociation(ctx, account, name, a.ID)
	must(t, err)
	refused[*types.ResourceNotFoundException](t, call(name), "no service account role association")
}

func TestCallerNeedsPermission(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	for user, resource := range map[string]string{"node": clusterARN, "nobody": clusterARN + "-other"} {
		_, err := w.iam.CreateUser(ctx, iam.User{Account: account, Name: user, Inline: map[string]*policy.Source{"p": policy.NewSource(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"` + resource + `"}]}`)}})
		must(t, err)
		key, err := w.iam.CreateAccessKey(ctx, account, user)
		must(t, err)
		_, err = w.exchange(t, w.client(key.ID, key.Secret, ""), w.token(t, nil))
		if user == "node" {
			must(t, err)
			continue
		}
		refused[*types.AccessDeniedException](t, err, "eks-auth:AssumeRoleForPodIdentity on resource: "+clusterARN)
	}
}

// agent is the credentials of a node agent that signed in from a node.
func (w *world) agent(t testing.TB, role, node string) credential.Credentials {
	t.Helper()
	session, err := w.authorizer.Assume(authz.Assumption{
		Caller: authz.ServiceCaller("pods.eks.amazonaws.com"), Action: authz.AssumeRole, RoleARN: role, SessionName: "agent", Pod: &credential.Pod{ClusterARN: clusterARN, Node: node},
	})
	must(t, err)
	c, err := w.ring.Mint(t.Context(), session)
	must(t, err)
	return c
}

func TestNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	role := w.role(t, account, "agent", podsTrust, `{"Effect":"Allow","Action":"eks-auth:*","Resource":"*"}`)
	at := func(node string) *sdk.Client {
		c := w.agent(t, role, node)
		return w.client(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	}
	_, err := w.exchange(t, at("node-1"), w.token(t, nil))
	must(t, err)
	_, err = w.exchange(t, at("node-2"), w.token(t, nil))
	refused[*types.AccessDeniedException](t, err, `"node-1"`, `"node-2"`)
	_, err = w.exchange(t, at("node-2"), w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Node = "" }))
	must(t, err) // Kubernetes before 1.30 does not tell the node
	for node, status := range map[string]int{"node-1": http.StatusOK, "node-2": http.StatusBadRequest} {
		if got := w.raw(t, w.agent(t, role, "node-1"), map[string]string{"token": w.token(t, nil), "eksNodeName": node, "zone": "usw2-az1"}); got != status {
			t.Errorf("eksNodeName %s: status %d, want %d", node, got, status)
		}
	}
}

// raw sends members that the SDK does not know yet, and returns the status.
func (w *world) raw(t *testing.T, c credential.Credentials, body map[string]string) int {
	t.Helper()
	text, err := json.Marshal(body)
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/clusters/"+name+"/assume-role-for-pod-identity", bytes.NewReader(text))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(text)
	must(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
	}, r, hex.EncodeToString(sum[:]), "eks-auth", region, time.Now()))
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.StatusCode
}
