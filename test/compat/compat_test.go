package compat

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eksauth"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api/eksapi"
	"github.com/podid/podid/internal/api/eksauthapi"
	"github.com/podid/podid/internal/api/iamapi"
	"github.com/podid/podid/internal/api/organizationsapi"
	"github.com/podid/podid/internal/api/podidapi"
	"github.com/podid/podid/internal/api/stsapi"
)

var update = flag.Bool("update", false, "write docs/compat")

// clients are AWS's SDK for Go: its methods are the operations that a service has on AWS.
var clients = map[string]any{
	"eks": &eks.Client{}, "eks-auth": &eksauth.Client{}, "iam": &iam.Client{}, "organizations": &organizations.Client{},
	"s3": &s3.Client{}, "sts": &sts.Client{},
}

func TestDocumentsAreTheTables(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"eks":           document("EKS", "internal/api/eksapi", eksapi.New(eksapi.Config{}), clients["eks"]),
		"eks-auth":      document("EKS Auth", "internal/api/eksauthapi", eksauthapi.New(eksauthapi.Config{}), clients["eks-auth"]),
		"iam":           document("IAM", "internal/api/iamapi", iamapi.New(iamapi.Config{}), clients["iam"]),
		"organizations": document("Organizations", "internal/api/organizationsapi", organizationsapi.New(organizationsapi.Config{}), clients["organizations"]),
		"sts":           document("STS", "internal/api/stsapi", stsapi.New(stsapi.Config{}), clients["sts"]),
		"podid":         document("podid's own service", "internal/api/podidapi", podidapi.New(podidapi.Config{}), nil),
		"s3":            objects(clients["s3"]),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("..", "..", "docs", "compat", name+".md")
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			kept, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(kept), text); diff != "" {
				t.Errorf("go test ./test/compat -update writes the new one: %s", diff)
			}
		})
	}
}
