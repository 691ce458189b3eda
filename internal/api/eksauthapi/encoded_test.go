package eksauthapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
)

// TestEncodedMessage holds that agents, who pass texts on to pods, get the reasons of a refusal beside the text.
func TestEncodedMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.ring.Mint(t.Context(), credential.Session{ // makes the first key
		Principal: arn.Principal{Kind: arn.RoleSession}, ExpiresAt: time.Now().Add(time.Hour),
	})
	must(t, err)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", strings.Replace(podsTrust, "pods.eks", "ec2", 1), "")})
	key, err := w.iam.CreateAccessKey(t.Context(), account, "")
	must(t, err)

	body, err := json.Marshal(map[string]string{"token": w.token(t, nil)})
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/clusters/"+name+"/assume-role-for-pod-identity", bytes.NewReader(body))
	must(t, err)
	sum := sha256.Sum256(body)
	signer := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	must(t, v4.NewSigner().SignHTTP(t.Context(), signer, r, hex.EncodeToString(sum[:]), "eks-auth", region, time.Now()))
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	var answer struct{ Message string }
	must(t, json.NewDecoder(resp.Body).Decode(&answer))
	if resp.Header.Get("X-Amzn-Errortype") != "AccessDeniedException" || strings.Contains(answer.Message, "Encoded") {
		t.Errorf("the answer is %+v", answer)
	}
	read, err := w.authorizer.Decode(t.Context(), account, resp.Header.Get("X-Podid-Encoded-Message"))
	if err != nil || !strings.Contains(read, `"aws:RequestTag/kubernetes-namespace"`) || !strings.Contains(read, "ec2.amazonaws.com") {
		t.Errorf("the account reads %s, %v", read, err)
	}
}
