package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sync/errgroup"
)

const (
	account   = "111122223333"
	cluster   = "local"
	podTrust  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	rootTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"sts:AssumeRole"}]}`
)

// TestKillDuringWrites kills a control plane while four clients make 1,000 writes, three times and at moments that chance
// chooses. A client repeats what was not answered and nothing else: so what is missing at the end was acknowledged and lost.
func TestKillDuringWrites(t *testing.T) {
	t.Parallel()
	const writers, each, kills = 4, 250, 3
	p := newPlane(t)
	c := patient(p.administrator())
	session := prepare(t, c)

	acknowledged := atomic.Int64{}
	moments := make(chan struct{}, writers*each)
	g, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		g.Go(func() error {
			for i := range each {
				if err := write(ctx, c, w, i); err != nil {
					return fmt.Errorf("write %d of client %d: %w", i, w, err)
				}
				acknowledged.Add(1)
				moments <- struct{}{}
			}
			return nil
		})
	}
	g.Go(func() error {
		for k := range kills {
			for range 100 + rand.IntN(writers*each/kills-100) {
				select {
				case <-moments:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			t.Logf("kill %d after %d writes", k+1, acknowledged.Load())
			p.restart()
			if err := who(ctx, session); err != nil {
				return fmt.Errorf("a session of before the restart: %w", err)
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	p.restart()
	if err := who(t.Context(), session); err != nil {
		t.Errorf("a session of before the restart: %v", err)
	}
	for w := range writers {
		for i := range each {
			if err := holds(t.Context(), c, w, i); err != nil {
				t.Errorf("write %d of client %d was acknowledged and is lost or half there: %v", i, w, err)
			}
		}
	}
}

// prepare makes a cluster, a bucket and a role, and returns a session of the role.
func prepare(t *testing.T, c aws.Config) aws.Config {
	t.Helper()
	ctx := t.Context()
	if _, err := eks.NewFromConfig(c).CreateCluster(ctx, &eks.CreateClusterInput{
		Name: aws.String(cluster), RoleArn: aws.String("arn:aws:iam::" + account + ":role/cluster"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s3.NewFromConfig(c).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("crash")}); err != nil {
		t.Fatal(err)
	}
	for name, trust := range map[string]string{"session": rootTrust, "app": podTrust} {
		if _, err := iam.NewFromConfig(c).CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sts.NewFromConfig(c).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/session"), RoleSessionName: aws.String("before"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Credentials = credentials.NewStaticCredentialsProvider(*s.Credentials.AccessKeyId, *s.Credentials.SecretAccessKey, *s.Credentials.SessionToken)
	return c
}

func who(ctx context.Context, c aws.Config) error {
	out, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
	if err == nil && !strings.HasSuffix(*out.Arn, ":assumed-role/session/before") {
		err = fmt.Errorf("it is of %s", *out.Arn)
	}
	return err
}

func name(w, i int) string { return fmt.Sprintf("w%d-%d", w, i) }

// content is what an object has: of 1 to 64 KiB, and nothing of another's.
func content(w, i int) string { return strings.Repeat(name(w, i)+"\n", 200*(1+i%50)) }

// write makes the i-th write of a client. One that was done before its answer was lost is there already when it is repeated.
func write(ctx context.Context, c aws.Config, w, i int) error {
	n := name(w, i)
	switch i % 3 {
	case 0:
		_, err := iam.NewFromConfig(c).CreateRole(ctx, &iam.CreateRoleInput{RoleName: &n, AssumeRolePolicyDocument: aws.String(podTrust), Description: &n})
		if _, ok := errors.AsType[*iamtypes.EntityAlreadyExistsException](err); ok {
			return nil
		}
		return err
	case 1:
		_, err := eks.NewFromConfig(c).CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
			ClusterName: aws.String(cluster), Namespace: aws.String("crash"), ServiceAccount: &n, RoleArn: aws.String("arn:aws:iam::" + account + ":role/app"),
		})
		if _, ok := errors.AsType[*ekstypes.ResourceInUseException](err); ok {
			return nil
		}
		return err
	default:
		_, err := s3.NewFromConfig(c).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("crash"), Key: &n, Body: strings.NewReader(content(w, i))})
		return err
	}
}

// holds checks that the i-th write of a client is there, whole.
func holds(ctx context.Context, c aws.Config, w, i int) error {
	n := name(w, i)
	switch i % 3 {
	case 0:
		r, err := iam.NewFromConfig(c).GetRole(ctx, &iam.GetRoleInput{RoleName: &n})
		if err == nil && (aws.ToString(r.Role.Description) != n || aws.ToString(r.Role.AssumeRolePolicyDocument) == "") {
			err = fmt.Errorf("got %v", r.Role)
		}
		return err
	case 1:
		e := eks.NewFromConfig(c)
		list, err := e.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{
			ClusterName: aws.String(cluster), Namespace: aws.String("crash"), ServiceAccount: &n,
		})
		if err != nil {
			return err
		}
		if len(list.Associations) != 1 {
			return fmt.Errorf("got %d associations", len(list.Associations))
		}
		_, err = e.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{
			ClusterName: aws.String(cluster), AssociationId: list.Associations[0].AssociationId,
		})
		return err
	default:
		o, err := s3.NewFromConfig(c).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("crash"), Key: &n})
		if err != nil {
			return err
		}
		defer o.Body.Close()
		b, err := io.ReadAll(o.Body)
		if err == nil && string(b) != content(w, i) {
			err = fmt.Errorf("the object has %d bytes that are not its own", len(b))
		}
		return err
	}
}
