package eksauthapi_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eksauth/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/oidc"
)

// allow turns patterns on, as the cluster's owner.
func (w *world) allow(t *testing.T) {
	t.Helper()
	must(t, w.clusters.Retag(t.Context(), account, clusterARN, func(x *cluster.Tagged) error { x.Tags[cluster.TagPatterns] = "true"; return nil }))
}

func (w *world) associatePattern(t *testing.T, namespace, serviceAccount, role, target string) *cluster.Association {
	t.Helper()
	a, err := w.clusters.CreateAssociation(t.Context(), cluster.Association{
		Account: account, Cluster: name, Namespace: namespace, ServiceAccount: serviceAccount, RoleARN: role, TargetRoleARN: target,
	}, "")
	must(t, err)
	return a
}

func TestPattern(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(t)
	trust := strings.TrimSuffix(podsTrust, "}") + `,"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"shop"}}}`
	wide := w.associatePattern(t, "*", "*", w.role(t, account, "wide", podsTrust, ""), "")
	narrow := w.associatePattern(t, "sh*", "*", w.role(t, account, "narrow", trust, ""), "")
	out, err := w.exchange(t, w.admin, w.token(t, nil))
	must(t, err)
	if *out.PodIdentityAssociation.AssociationId != narrow.ID || *out.Subject.Namespace != "shop" {
		t.Errorf("%s counts, want %s", *out.PodIdentityAssociation.AssociationId, narrow.ID)
	}
	if s := w.session(t, out); !maps.Equal(sixTags, s.SessionTags) || s.Pod.AssociationID != narrow.ID {
		t.Errorf("the session has %v of %+v", s.SessionTags, s.Pod)
	}
	out, err = w.exchange(t, w.admin, w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Namespace = "bank" }))
	must(t, err)
	if *out.PodIdentityAssociation.AssociationId != wide.ID {
		t.Errorf("%s counts, want %s", *out.PodIdentityAssociation.AssociationId, wide.ID)
	}
	_, err = w.clusters.DeleteAssociation(t.Context(), account, name, wide.ID)
	must(t, err)
	_, err = w.exchange(t, w.admin, w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Namespace = "bank" }))
	refused[*types.ResourceNotFoundException](t, err, "no service account role association", `"bank"`)
	exact := w.associate(t, cluster.Association{RoleARN: narrow.RoleARN})
	out, err = w.exchange(t, w.admin, w.token(t, nil))
	must(t, err)
	if *out.PodIdentityAssociation.AssociationId != exact.ID {
		t.Errorf("%s counts, want the service account's own %s", *out.PodIdentityAssociation.AssociationId, exact.ID)
	}
}

// TestPatternExternalID holds that the target role is told of the pod, and that what the association shows is a pattern of that.
func TestPatternExternalID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(t)
	role := w.role(t, account, "app", podsTrust, `{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"*"}`)
	trust := func(operator, external string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":["sts:AssumeRole","sts:TagSession"],` +
			`"Condition":{"` + operator + `":{"sts:ExternalId":"` + external + `"}}}`
	}
	shown := "us-west-2/111122223333/eksworkshop-eksctl/sh*/*"
	targets := map[string]string{
		"like":  w.role(t, other, "like", trust("StringLike", shown), ""),
		"pod":   w.role(t, other, "pod", trust("StringEquals", "us-west-2/111122223333/eksworkshop-eksctl/shop/cart"), ""),
		"other": w.role(t, other, "other", trust("StringEquals", "us-west-2/111122223333/eksworkshop-eksctl/shop/till"), ""),
	}
	a := w.associatePattern(t, "sh*", "*", role, targets["like"])
	if a.ExternalID != shown {
		t.Errorf("the association shows %s", a.ExternalID)
	}
	for target, arn := range targets {
		_, err := w.clusters.UpdateAssociation(t.Context(), account, name, a.ID, "", nil, func(a *cluster.Association) error { a.TargetRoleARN = arn; return nil })
		must(t, err)
		_, err = w.exchange(t, w.admin, w.token(t, nil))
		if target == "other" {
			refused[*types.AccessDeniedException](t, err, "EKS does not have permissions")
			continue
		}
		must(t, err)
	}
}

func TestChoiceOfSession(t *testing.T) {
	t.Parallel()
	condition := func(c string) string { return strings.TrimSuffix(podsTrust, "}") + `,"Condition":{` + c + `}}` }
	some := map[string]string{"kubernetes-namespace": "shop", "team": "checkout"}
	tests := []struct {
		name    string
		trust   string
		tags    map[string]string
		off     bool
		want    map[string]string
		session string // empty: EKS's name, another one each time
		refused string
	}{
		{
			name: "some tags and another",
			trust: condition(`"StringEquals":{"aws:RequestTag/team":"checkout","aws:RequestTag/kubernetes-namespace":"shop"},` +
				`"Null":{"aws:RequestTag/kubernetes-pod-uid":"true"}`),
			tags: map[string]string{cluster.TagSessionTags: "kubernetes-namespace", cluster.TagSessionTag + "team": "checkout"}, want: some,
		},
		{name: "none", trust: strings.ReplaceAll(podsTrust, `,"sts:TagSession"`, ""), tags: map[string]string{cluster.TagSessionTags: "none"}},
		{
			name: "another takes the same permission", trust: strings.ReplaceAll(podsTrust, `,"sts:TagSession"`, ""),
			tags: map[string]string{cluster.TagSessionTags: "none", cluster.TagSessionTag + "team": "checkout"}, refused: "sts:TagSession",
		},
		{
			name: "a tag that is left out is asked for", trust: condition(`"StringEquals":{"aws:RequestTag/kubernetes-namespace":"shop"}`),
			tags: map[string]string{cluster.TagSessionTags: "eks-cluster-arn"}, refused: "kubernetes-namespace",
		},
		{
			name: "a name", trust: condition(`"StringLike":{"sts:RoleSessionName":"*-shop-u2"}`), want: sixTags,
			tags: map[string]string{cluster.TagSessionName: "@cluster-@namespace-@pod-uid"}, session: "eksworkshop-eksctl-shop-u2",
		},
		{
			name: "a name without tags", trust: podsTrust, off: true,
			tags: map[string]string{cluster.TagSessionName: "@service-account.@node"}, session: "cart.node-1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", tt.trust, ""), Tags: tt.tags, DisableSessionTags: tt.off})
			out, err := w.exchange(t, w.admin, w.token(t, nil))
			if tt.refused != "" {
				refused[*types.AccessDeniedException](t, err, "EKS does not have permissions", tt.refused)
				return
			}
			must(t, err)
			s := w.session(t, out)
			keys := slices.Sorted(slices.Values(s.TransitiveTagKeys))
			if diff := cmp.Diff(tt.want, s.SessionTags) + cmp.Diff(slices.Sorted(maps.Keys(tt.want)), keys); diff != "" {
				t.Error(diff)
			}
			again, err := w.exchange(t, w.admin, w.token(t, nil))
			must(t, err)
			if same := *again.AssumedRoleUser.Arn == *out.AssumedRoleUser.Arn; same != (tt.session != "") {
				t.Errorf("the sessions are %s and %s", *out.AssumedRoleUser.Arn, *again.AssumedRoleUser.Arn)
			}
			if tt.session != "" && !strings.HasSuffix(*out.AssumedRoleUser.Arn, "/"+tt.session) {
				t.Errorf("the session is %s, want %s", *out.AssumedRoleUser.Arn, tt.session)
			}
		})
	}
}

// TestPlaceOfTheCaller holds that what the caller says of its node is on the record, and that nothing else gets there by it.
func TestPlaceOfTheCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	role := w.role(t, account, "agent", podsTrust, `{"Effect":"Allow","Action":"eks-auth:*","Resource":"*"}`)
	agent := w.agent(t, role, "node-1")
	send := func(member, value string) int {
		return w.raw(t, agent, map[string]string{"token": w.token(t, nil), member: value})
	}
	said := map[string]string{"eksNodeName": "node-1", "instanceId": "i-0123456789abcdef0", "zone": "usw2-az1"}
	body := maps.Clone(said)
	body["token"] = w.token(t, nil)
	if status := w.raw(t, agent, body); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	r := w.last()
	for member, value := range said {
		if r.RequestParameters[member] != value {
			t.Errorf("the record has %v, want %s %s", r.RequestParameters, member, value)
		}
	}
	if r.RequestParameters["token"] != "HIDDEN_DUE_TO_SECURITY_REASONS" {
		t.Errorf("the record has the token: %v", r.RequestParameters["token"])
	}
	for _, member := range []string{"eksNodeName", "instanceId", "zone"} {
		for _, bad := range []string{"a b", "a\n", "é", strings.Repeat("a", 256)} {
			if status := send(member, bad); status != http.StatusBadRequest {
				t.Errorf("%s %q: status %d", member, bad, status)
			}
			if r := w.last(); r.ErrorCode != "InvalidParameterException" {
				t.Errorf("%s %q: %s", member, bad, r.ErrorCode)
			}
		}
		if status := send(member, ""); status != http.StatusOK {
			t.Errorf("%s: status %d", member, status)
		}
	}
	if status := send("instanceId", "hcloud://12345"); status != http.StatusOK {
		t.Errorf("another provider's instance: status %d", status)
	}
}
