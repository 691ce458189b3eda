package eksapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/quota"
)

// answer is what is on the wire.
type answer struct {
	status int
	header http.Header
	body   string
}

// raw signs and sends a request as no SDK would make it. Ids and times in the answer become words.
func (w *world) raw(t *testing.T, method, path, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, bytes.NewReader([]byte(body)))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	credentials, err := w.admin.Options().Credentials.Retrieve(t.Context())
	must(t, err)
	sum := sha256.Sum256([]byte(body))
	must(t, v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), "eks", region, time.Now()))
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	masked := regexp.MustCompile(`a-[a-z0-9]{17}`).ReplaceAllString(string(text), "ID")
	masked = regexp.MustCompile(`:1[0-9]{9}(\.[0-9]{1,3})?\b`).ReplaceAllString(masked, ":SECONDS")
	return answer{resp.StatusCode, resp.Header, masked}
}

// TestWire holds the bytes: members in order of their names, times as numbers, tags and lists never null, no member without a value.
func TestWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quota.Set{})
	w.createCluster(t, "c")
	const (
		path        = "/clusters/c/pod-identity-associations"
		association = `{"association":{"associationArn":"arn:aws:eks:us-west-2:111122223333:podidentityassociation/c/ID","associationId":"ID",` +
			`"clusterName":"c","createdAt":SECONDS,"disableSessionTags":false,"modifiedAt":SECONDS,"namespace":"ns",` +
			`"roleArn":"arn:aws:iam::111122223333:role/pods/app","serviceAccount":"sa","tags":{}}}`
	)
	create := `{"namespace":"ns","serviceAccount":"sa","roleArn":"` + w.role + `","unknown":[1]}`
	tests := []struct {
		name, method, path, body string
		status                   int
		code, want               string
	}{
		{name: "none yet", method: "GET", path: path, status: 200, want: `{"associations":[]}`},
		{name: "create", method: "POST", path: path, body: create, status: 200, want: association},
		{
			name: "once more", method: "POST", path: path, body: create, status: 409, code: "ResourceInUseException",
			want: `{"clusterName":"c","message":"Association already exists: ID"}`,
		},
		{
			name: "list", method: "GET", path: path + "?namespace=ns&maxResults=1", status: 200,
			want: `{"associations":[{"associationArn":"arn:aws:eks:us-west-2:111122223333:podidentityassociation/c/ID","associationId":"ID",` +
				`"clusterName":"c","namespace":"ns","serviceAccount":"sa"}]}`,
		},
		{
			name: "no such cluster", method: "GET", path: "/clusters/ghost", status: 404, code: "ResourceNotFoundException",
			want: `{"clusterName":"ghost","message":"No cluster found for name: ghost."}`,
		},
		{
			name: "no such association", method: "DELETE", path: path + "/a-0", status: 404, code: "ResourceNotFoundException",
			want: `{"clusterName":"c","message":"No pod identity association \"a-0\" found in cluster: c"}`,
		},
		{name: "no node groups", method: "GET", path: "/clusters/c/node-groups", status: 200, want: `{"nodegroups":[]}`},
		{name: "no add-ons", method: "GET", path: "/clusters/c/addons", status: 200, want: `{"addons":[]}`},
		{
			name: "page", method: "GET", path: path + "?maxResults=0", status: 400, code: "InvalidParameterException",
			want: `{"message":"maxResults must be between 1 and 100, not 0"}`,
		},
		{
			name: "broken JSON", method: "POST", path: path, body: "{", status: 400, code: "SerializationException",
			want: `{"message":"The request body is not the JSON that this operation expects"}`,
		},
		{
			name: "another account's tags", method: "GET", path: "/tags/arn%3Aaws%3Aeks%3Aus-west-2%3A444455556666%3Acluster%2Fc", status: 403,
			code: "AccessDeniedException",
		},
		{
			name: "another region's tags", method: "GET", path: "/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A111122223333%3Acluster%2Fc", status: 404,
			code: "NotFoundException", want: `{"message":"No resource found for ARN: \"arn:aws:eks:us-east-1:111122223333:cluster/c\""}`,
		},
		{
			name: "no EKS resource", method: "GET", path: "/tags/arn%3Aaws%3As3%3A%3A%3Ac", status: 400, code: "BadRequestException",
			want: `{"message":"The ARN \"arn:aws:s3:::c\" does not name an EKS resource"}`,
		},
		{name: "tags", method: "GET", path: "/tags/arn%3Aaws%3Aeks%3Aus-west-2%3A111122223333%3Acluster%2Fc", status: 200, want: `{"tags":{"env":"test"}}`},
		{
			name: "a label in the query", method: "GET", path: "/clusters/ghost?name=c&name=c", status: 404, code: "ResourceNotFoundException",
			want: `{"clusterName":"ghost","message":"No cluster found for name: ghost."}`,
		},
		{
			name: "a member in the query", method: "POST", path: "/tags/arn%3Aaws%3Aeks%3Aus-west-2%3A111122223333%3Acluster%2Fc?tags=a&tags=b",
			body: `{"tags":{"k":"v"}}`, status: 200, want: `{}`,
		},
		{
			name: "a role of another account", method: "POST", path: "/clusters", status: 403, code: "AccessDeniedException",
			body: `{"name":"d","roleArn":"arn:aws:iam::444455556666:role/r","resourcesVpcConfig":{}}`,
		},
		{name: "no such operation", method: "PUT", path: path, status: 404, code: "UnknownOperationException"},
	}
	for _, tt := range tests { // in order: the later ones see what the earlier ones made
		got := w.raw(t, tt.method, tt.path, tt.body)
		if got.status != tt.status || got.header.Get("X-Amzn-Errortype") != tt.code || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: status %d, %q: %s", tt.name, got.status, got.header.Get("X-Amzn-Errortype"), got.body)
		}
		if len(got.header.Get("X-Amzn-Requestid")) != 36 {
			t.Errorf("%s: the request id is %q", tt.name, got.header.Get("X-Amzn-Requestid"))
		}
		if diff := cmp.Diff(tt.want, got.body); tt.want != "" && diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// TestLongNames holds that a refusal does not send back whatever it was sent.
func TestLongNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quota.Set{})
	w.createCluster(t, "c")
	long := strings.Repeat("x", 100_000)
	for path, body := range map[string]string{
		"/clusters":                             `{"name":"d","roleArn":"` + long + `","resourcesVpcConfig":{}}`,
		"/clusters/c/addons":                    `{"addonName":"` + long + `"}`,
		"/clusters/c/node-groups":               `{"nodegroupName":"` + long + `","nodeRole":"` + w.role + `","subnets":[]}`,
		"/clusters/c/pod-identity-associations": `{"namespace":"ns","serviceAccount":"sa","roleArn":"arn:aws:iam::111122223333:role/` + long + `"}`,
	} {
		if got := w.raw(t, http.MethodPost, path, body); got.status != http.StatusBadRequest || len(got.body) > 2000 {
			t.Errorf("%s: status %d and %d bytes", path, got.status, len(got.body))
		}
	}
	_, err := w.admin.CreatePodIdentityAssociation(t.Context(), func() *sdk.CreatePodIdentityAssociationInput {
		in, target := w.association("sa"), "arn:aws:iam::444455556666:role/"+long
		in.TargetRoleArn = &target
		return in
	}())
	if err == nil || len(err.Error()) > 2000 {
		t.Errorf("a target role with a name of %d characters: %.200v", len(long), err)
	}
}
