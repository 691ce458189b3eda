package server_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/server"
)

// TestRun_remembersWhatWasUsed holds that a control plane that is stopped writes down what was used a moment before.
func TestRun_remembersWhatWasUsed(t *testing.T) {
	c := config(t, &clock{})
	ctx := t.Context()
	client := func(s server.Started) *iam.Client {
		admin := s.Administrators[0]
		return iam.New(iam.Options{
			Region: c.Region, BaseEndpoint: &s.Endpoint, Credentials: credentials.NewStaticCredentialsProvider(admin.ID, admin.Secret, ""),
		})
	}
	var id string
	run(t, c, func(s server.Started) {
		if _, err := client(s).CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("ann")}); err != nil {
			t.Fatal(err)
		}
		made, err := client(s).CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("ann")})
		if err != nil {
			t.Fatal(err)
		}
		id = *made.AccessKey.AccessKeyId
		ann := sts.New(sts.Options{
			Region: c.Region, BaseEndpoint: &s.Endpoint,
			Credentials: credentials.NewStaticCredentialsProvider(id, *made.AccessKey.SecretAccessKey, ""),
		})
		if _, err := ann.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil {
			t.Fatal(err)
		}
	})
	run(t, c, func(s server.Started) {
		out, err := client(s).GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &id})
		if err != nil {
			t.Fatal(err)
		}
		if u := out.AccessKeyLastUsed; u.LastUsedDate == nil || *u.ServiceName != "sts" || *u.Region != c.Region {
			t.Errorf("the key's last use is %+v", u)
		}
	})
}
