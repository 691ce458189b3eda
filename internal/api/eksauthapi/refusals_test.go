package eksauthapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/eksauth/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api/eksauthapi"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/oidc"
)

// TestEveryFailureIsModelled walks the failures of the packages behind the operation.
func TestEveryFailureIsModelled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind    fault.Kind
		subject string
		code    string
		status  int
	}{
		{fault.Invalid, "parameter", "InvalidParameterException", 400},
		{fault.NotFound, "cluster", "ResourceNotFoundException", 404},
		{fault.NotFound, "association", "ResourceNotFoundException", 404},
		{fault.Unavailable, "cluster", "ServiceUnavailableException", 503},
		{fault.Unavailable, "session", "ServiceUnavailableException", 503},
		{fault.Unavailable, "store", "ServiceUnavailableException", 503},
		{fault.Invalid, "token", "InvalidTokenException", 400},
		{fault.Unauthenticated, "token", "InvalidTokenException", 400},
		{fault.Expired, "token", "ExpiredTokenException", 400},
		{fault.Denied, "role", "AccessDeniedException", 400},
		{fault.Denied, "node", "AccessDeniedException", 400},
		{fault.Conflict, "session", "InvalidRequestException", 400},
		{fault.Internal, "request", "InternalServerException", 500},
		{fault.Unsupported, "session key", "InternalServerException", 500},
	} {
		got := eksauthapi.Faults.Shape(fault.New(tt.kind, tt.subject, ""))
		if got.Code != tt.code || got.Status != tt.status || !slices.Contains(eksauthapi.Modelled, got.Code) {
			t.Errorf("%v %s is %s %d, want %s %d", tt.kind, tt.subject, got.Code, got.Status, tt.code, tt.status)
		}
	}
}

// TestRefusalNamesTheToken holds that whoever reads a refusal learns which token it was: its issuer, audience and subject, and
// nothing of the token itself.
func TestRefusalNamesTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	thief, err := oidc.NewSigner("RS256")
	must(t, err)
	tests := map[string]func(*oidc.ServiceAccountToken){
		"issuer":          func(r *oidc.ServiceAccountToken) { r.Issuer = "https://other.example" },
		"audience":        func(r *oidc.ServiceAccountToken) { r.Audiences = []string{"sts.amazonaws.com", "x"} },
		"expired":         func(r *oidc.ServiceAccountToken) { r.IssuedAt = time.Now().Add(-2 * time.Hour) },
		"not yet":         func(r *oidc.ServiceAccountToken) { r.IssuedAt = time.Now().Add(time.Hour) },
		"no pod":          func(r *oidc.ServiceAccountToken) { r.Kubernetes.Pod = "" },
		"no pod uid":      func(r *oidc.ServiceAccountToken) { r.Kubernetes.PodUID = "" },
		"no account uid":  func(r *oidc.ServiceAccountToken) { r.Kubernetes.ServiceAccountUID = "" },
		"no association":  func(r *oidc.ServiceAccountToken) { r.Kubernetes.ServiceAccount = "spy" },
		"other namespace": func(r *oidc.ServiceAccountToken) { r.Kubernetes.Namespace = "bank" },
		"signature":       nil,
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			token := w.token(t, change)
			if change == nil {
				own := w.signer
				w.signer = thief
				token = w.token(t, nil)
				w.signer = own
			}
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
			must(t, err)
			var claims struct {
				Issuer   string   `json:"iss"`
				Subject  string   `json:"sub"`
				Audience []string `json:"aud"`
			}
			must(t, json.Unmarshal(payload, &claims))
			_, err = w.exchange(t, w.admin, token)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, text := range append(claims.Audience, claims.Issuer, claims.Subject) {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("the refusal does not name %s: %v", text, err)
				}
			}
			record, marshalErr := json.Marshal(w.last())
			must(t, marshalErr)
			for part := range strings.SplitSeq(token, ".") {
				if bytes.Contains(record, []byte(part)) || strings.Contains(err.Error(), part) {
					t.Error("a part of the token is told")
				}
			}
			if !bytes.Contains(record, []byte(`"token":"HIDDEN_DUE_TO_SECURITY_REASONS"`)) {
				t.Errorf("the record does not say that there was a token: %s", record)
			}
		})
	}
}

// TestAnotherAccount holds that a cluster is the affair of its account: others do not learn that it is there.
func TestAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	_, err := w.iam.CreateUser(t.Context(), iam.User{Account: other, Name: "thief"})
	must(t, err)
	must(t, w.iam.PutUserPolicy(t.Context(), other, "thief", "p",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))
	key, err := w.iam.CreateAccessKey(t.Context(), other, "thief")
	must(t, err)
	_, err = w.exchange(t, w.client(key.ID, key.Secret, ""), w.token(t, nil))
	refused[*types.ResourceNotFoundException](t, err, "No cluster found for name: "+name+".")
}

// TestAgentOfAnotherCluster holds that nodes of the same name in two clusters are two nodes.
func TestAgentOfAnotherCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	role := w.role(t, account, "agent", podsTrust, `{"Effect":"Allow","Action":"eks-auth:*","Resource":"*"}`)
	for from, ok := range map[string]bool{clusterARN: true, clusterARN + "-2": false} {
		session, err := w.authorizer.Assume(authz.Assumption{
			Caller: authz.ServiceCaller("pods.eks.amazonaws.com"), Action: authz.AssumeRole, RoleARN: role, SessionName: "agent",
			Pod: &credential.Pod{ClusterARN: from, Node: "node-1"},
		})
		must(t, err)
		c, err := w.ring.Mint(t.Context(), session)
		must(t, err)
		_, err = w.exchange(t, w.client(c.AccessKeyID, c.SecretAccessKey, c.SessionToken), w.token(t, nil))
		if ok {
			must(t, err)
			continue
		}
		refused[*types.AccessDeniedException](t, err, from, `"node-1"`)
	}
}

// TestRevokedThisSecond holds that no session is handed out that is dead on arrival: sessions know the second in which they began.
func TestRevokedThisSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	revoke := func(at time.Time) {
		_, err := w.iam.UpdateRole(t.Context(), account, "app", func(r *iam.Role) error { r.RevokedBefore = at; return nil })
		must(t, err)
	}
	revoke(time.Now().Add(time.Minute).Truncate(time.Second))
	_, err := w.exchange(t, w.admin, w.token(t, nil))
	refused[*types.ServiceUnavailableException](t, err, "try again")
	revoke(time.Now().Add(-time.Minute).Truncate(time.Second))
	out, err := w.exchange(t, w.admin, w.token(t, nil))
	must(t, err)
	_, _, err = w.authorizer.Caller(t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	must(t, err)
}

// TestWire holds the bytes of an answer and of a refusal, and that what is not the model's is ignored.
func TestWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	path := "/clusters/" + name + "/assume-role-for-pod-identity"
	status, header, body := w.post(t, path, `{"token":"`+w.token(t, nil)+`","clusterName":"ghost","instanceId":"i-1","zone":"usw2-az1","future":{}}`)
	if status != http.StatusOK || header.Get("Content-Type") != "application/json" || len(header.Get("X-Amzn-Requestid")) != 36 {
		t.Errorf("status %d, %v: %s", status, header, body)
	}
	for _, mask := range [][2]string{
		{`a-[a-z0-9]{17}`, "ID"},
		{`ASIA[A-Z2-7]{16}`, "KEY"},
		{`AROA[A-Z0-9]{17}`, "AROA"},
		{`"secretAccessKey":"[A-Za-z0-9+/]{40}"`, `"secretAccessKey":"SECRET"`},
		{`"sessionToken":"[A-Za-z0-9+/=_-]+"`, `"sessionToken":"TOKEN"`},
		{`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`, "UUID"},
		{`"expiration":1[0-9]{9}\b`, `"expiration":SECONDS`},
	} {
		body = regexp.MustCompile(mask[0]).ReplaceAllString(body, mask[1])
	}
	want := `{"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/app/eks-eksworksho-cart-56b9f-UUID",` +
		`"assumeRoleId":"AROA:eks-eksworksho-cart-56b9f-UUID"},"audience":"pods.eks.amazonaws.com",` +
		`"credentials":{"accessKeyId":"KEY","expiration":SECONDS,"secretAccessKey":"SECRET","sessionToken":"TOKEN"},` +
		`"podIdentityAssociation":{"associationArn":"arn:aws:eks:us-west-2:111122223333:podidentityassociation/eksworkshop-eksctl/ID",` +
		`"associationId":"ID"},"subject":{"namespace":"shop","serviceAccount":"cart"}}`
	if diff := cmp.Diff(sorted(t, want), sorted(t, body)); diff != "" {
		t.Error(diff)
	}
	tests := []struct {
		name, path, body string
		status           int
		code, want       string
	}{
		{"no token", path, `{}`, 400, "InvalidParameterException", `{"message":"token is required"}`},
		{"an empty token", path, `{"token":""}`, 400, "InvalidParameterException", `{"message":"token is required"}`},
		{"no body", path, ``, 400, "InvalidParameterException", `{"message":"token is required"}`},
		{"a number", path, `{"token":7}`, 400, "SerializationException", ""},
		{"an oversized token", path, `{"token":"` + strings.Repeat("a", 30_000) + `"}`, 400, "InvalidParameterException", ""},
		{"a long node name", path, `{"token":"a.b.c","eksNodeName":"` + strings.Repeat("n", 254) + `"}`, 400, "InvalidParameterException", ""},
		{
			"a cluster that is not there", "/clusters/ghost/assume-role-for-pod-identity", `{"token":"a.b.c"}`, 404, "ResourceNotFoundException",
			`{"message":"No cluster found for name: ghost."}`,
		},
		{"another path", "/clusters/c", `{}`, 404, "UnknownOperationException", ""},
	}
	for _, tt := range tests {
		status, header, body := w.post(t, tt.path, tt.body)
		if status != tt.status || header.Get("X-Amzn-Errortype") != tt.code || tt.want != "" && body != tt.want || len(body) > 500 {
			t.Errorf("%s: status %d, %s: %s", tt.name, status, header.Get("X-Amzn-Errortype"), body)
		}
	}
}

// sorted is JSON with its members in order.
func sorted(t *testing.T, text string) string {
	t.Helper()
	var v any
	must(t, json.Unmarshal([]byte(strings.ReplaceAll(text, "SECONDS", `"SECONDS"`)), &v))
	out, err := json.Marshal(v)
	must(t, err)
	return string(out)
}

// post signs and sends a body.
func (w *world) post(t *testing.T, path, body string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	credentials, err := w.admin.Options().Credentials.Retrieve(t.Context())
	must(t, err)
	sum := sha256.Sum256([]byte(body))
	must(t, v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), "eks-auth", region, time.Now()))
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, resp.Header, string(text)
}
