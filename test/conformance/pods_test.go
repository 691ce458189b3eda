package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// What the pods have: one role, which two ways lead to. The service account "stranger" is led nowhere.
const (
	podNamespace, podAccount, stranger = "conformance", "pods", "stranger"
	podRole, podBucket                 = "conformance-pods", "conformance-pods"
)

// A way is how a pod gets credentials.
type way string

const (
	podIdentity way = "Pod Identity"
	irsa        way = "IRSA"
)

// refusedBy is podid's text for a pod that is led nowhere.
var refusedBy = map[way]string{
	podIdentity: "The token included in the request has no service account role association for it.",
	irsa:        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
}

// A podCell is one client that gets credentials in one way: what it got, and what a stranger got.
type podCell struct {
	client *podClient
	way    way
	play   func() podResult
}

// podResult says of each claim what is wrong with it; nothing is well.
type podResult struct {
	missing, broken             error // the client is not on this machine; there is no control plane
	credentials, signed, refuse error
}

// podCells are all clients and ways. Each is played once, whoever asks first.
var podCells = func() []*podCell {
	var cells []*podCell
	for _, c := range podClients {
		for _, w := range []way{podIdentity, irsa} {
			cells = append(cells, &podCell{c, w, sync.OnceValue(func() podResult { return c.play(w) })})
		}
	}
	return cells
}()

// podWorld is the control plane of the pods, with the role, the bucket and the association. The laptop mode made the provider.
var podWorld = sync.OnceValues(func() (*plane, error) {
	p, err := newPlane()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	c, err := p.config(ctx, profile1)
	if err != nil {
		return nil, err
	}
	v, err := p.variables(ctx, "pods")
	if err != nil {
		return nil, err
	}
	i := iam.NewFromConfig(c)
	trust := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]},
		{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::%s:oidc-provider/%s"}, "Action": "sts:AssumeRoleWithWebIdentity",
		 "Condition": {"StringEquals": {"%[2]s:aud": "sts.amazonaws.com", "%[2]s:sub": "system:serviceaccount:%[3]s:%[4]s"}}}]}`,
		account1, v["issuerName"], podNamespace, podAccount)
	role, err := i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String(podRole), AssumeRolePolicyDocument: &trust})
	if err != nil {
		return nil, err
	}
	_, err = i.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(podRole), PolicyName: aws.String("put"), PolicyDocument: aws.String(`{"Version": "2012-10-17", "Statement":
			{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::` + podBucket + `/*"}}`),
	})
	if err != nil {
		return nil, err
	}
	if _, err := s3.NewFromConfig(c).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(podBucket)}); err != nil {
		return nil, err
	}
	_, err = eks.NewFromConfig(c).CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String(v["cluster"].(string)), Namespace: aws.String(podNamespace), ServiceAccount: aws.String(podAccount), RoleArn: role.Role.Arn,
	})
	return p, err
})

// play runs the client's program as a pod of the service account that has a role, and as one of the stranger.
func (c *podClient) play(w way) (r podResult) {
	command, err := c.command()
	if err != nil {
		return podResult{missing: err}
	}
	p, err := podWorld()
	if err != nil {
		return podResult{broken: err}
	}
	key := strings.ReplaceAll(c.name+"/"+string(w), " ", "-")
	out, said, err := p.pod(w, podAccount, append(command, podBucket, key)...)
	var me struct{ Arn string }
	if text, _, _ := strings.Cut(out, "}"); json.Unmarshal([]byte(text+"}"), &me) != nil {
		r.credentials = errors.Join(err, fmt.Errorf("the program did not say who it is: %s%s", out, said))
	} else if !strings.HasPrefix(me.Arn, "arn:aws:sts::"+account1+":assumed-role/"+podRole+"/") {
		r.credentials = fmt.Errorf("the program is %s", me.Arn)
	}
	if r.signed = err; err == nil {
		r.signed = p.holds(key)
	} else {
		r.signed = fmt.Errorf("%w\n%s%s", err, out, said)
	}
	want := refusedBy[w]
	if w == podIdentity && c.shows != "" {
		want = c.shows
	}
	switch out, said, err = p.pod(w, stranger, command...); {
	case err == nil:
		r.refuse = fmt.Errorf("a stranger got credentials: %s", out)
	case !strings.Contains(said, want):
		r.refuse = fmt.Errorf("the program's error does not hold %q: %s%s", want, out, said)
	}
	return r
}

// pod runs a program as a pod, with podid run.
func (p *plane) pod(w way, serviceAccount string, command ...string) (out, said string, err error) {
	args := []string{"run", "--data", p.data(), "--service-account", podNamespace + "/" + serviceAccount}
	if w == irsa {
		args = append(args, "--role-arn", "arn:aws:iam::"+account1+":role/"+podRole)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], append(append(args, "--"), command...)...)
	var o, e strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = append(p.environment(), asPodid+"=1"), &o, &e
	if python, err := pythonClients(); err == nil {
		cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(python)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	err = cmd.Run()
	return o.String(), e.String(), err
}

// holds checks that the bucket has an object.
func (p *plane) holds(key string) error {
	ctx := context.Background()
	c, err := p.config(ctx, profile1)
	if err != nil {
		return err
	}
	o, err := s3.NewFromConfig(c).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(podBucket), Key: &key})
	if err != nil {
		return fmt.Errorf("the object is not there: %w", err)
	}
	defer o.Body.Close()
	text, err := io.ReadAll(o.Body)
	if err == nil && len(text) == 0 {
		err = errors.New("the object is empty")
	}
	return err
}

// TestPods runs a program of each client as a pod, with its default credential chain and what the webhook injects.
func TestPods(t *testing.T) {
	t.Parallel()
	for _, cell := range podCells {
		t.Run(cell.client.name+"/"+string(cell.way), func(t *testing.T) {
			t.Parallel()
			r := cell.play()
			if r.missing != nil {
				t.Skip(r.missing)
			}
			if r.broken != nil {
				t.Fatal(r.broken)
			}
			for claim, err := range map[string]error{"gets credentials": r.credentials, "puts an object": r.signed, "shows a refusal": r.refuse} {
				if err != nil {
					t.Errorf("%s: %v", claim, err)
				}
			}
		})
	}
}
