package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/eksapi"
	"github.com/podid/podid/internal/api/eksauthapi"
	"github.com/podid/podid/internal/api/iamapi"
	"github.com/podid/podid/internal/api/organizationsapi"
	"github.com/podid/podid/internal/api/stsapi"
)

// services are the tables of the AWS-shaped services, by the names that boto3 has for them.
func services() map[string]*api.Typed {
	return map[string]*api.Typed{
		"eks":           eksapi.New(eksapi.Config{}),
		"eks-auth":      eksauthapi.New(eksauthapi.Config{}),
		"iam":           iamapi.New(iamapi.Config{}),
		"organizations": organizationsapi.New(organizationsapi.Config{}),
		"sts":           stsapi.New(stsapi.Config{}),
	}
}

// onlyRefused are the operations that have no other answer than an error, with the reason.
var onlyRefused = map[string]string{
	"eks:CreateFargateProfile":               "there are no Fargate profiles",
	"eks:DescribeFargateProfile":             "there are no Fargate profiles",
	"eks:DeleteFargateProfile":               "there are no Fargate profiles",
	"eks:AssociateIdentityProviderConfig":    "how people sign in to Kubernetes is the cluster's own affair",
	"eks:DescribeIdentityProviderConfig":     "how people sign in to Kubernetes is the cluster's own affair",
	"eks:DisassociateIdentityProviderConfig": "how people sign in to Kubernetes is the cluster's own affair",
	"eks:CreateCapability":                   "there are no EKS Capabilities",
	"eks:DescribeCapability":                 "there are no EKS Capabilities",
	"eks:UpdateCapability":                   "there are no EKS Capabilities",
	"eks:DeleteCapability":                   "there are no EKS Capabilities",
	"eks:DescribeInsight":                    "there are no insights",
	"eks:StartInsightsRefresh":               "there are no insights",
	"eks:DescribeInsightsRefresh":            "there are no insights",
	"eks:CreateEksAnywhereSubscription":      "there are no subscriptions",
	"eks:DescribeEksAnywhereSubscription":    "there are no subscriptions",
	"eks:UpdateEksAnywhereSubscription":      "there are no subscriptions",
	"eks:DeleteEksAnywhereSubscription":      "there are no subscriptions",
	"eks:CreateCertificateAuthority":         "the certificate authorities of Kubernetes are its own",
	"eks:ActivateCertificateAuthority":       "the certificate authorities of Kubernetes are its own",
	"eks:DescribeCertificateAuthority":       "the certificate authorities of Kubernetes are its own",
	"eks:DeleteCertificateAuthority":         "the certificate authorities of Kubernetes are its own",
	"eks:CancelUpdate":                       "an update of a cluster is over when it is answered",

	"organizations:CloseAccount":                    "accounts are not closed",
	"organizations:DescribeEffectivePolicy":         "no policy type is there that is merged into an effective policy",
	"organizations:DescribeResourcePolicy":          "organizations have no resource policy",
	"organizations:EnableAllFeatures":               "every organization has all features from the start",
	"organizations:ListDelegatedServicesForAccount": "no account administers the organization for others",

	"sts:AssumeRoot": "nobody acts as another account's root user",
}

// Every operation that podid has is called, and answers, in some scenario.
func TestEveryOperationHasAScenario(t *testing.T) {
	t.Parallel()
	list, err := scenarios()
	if err != nil {
		t.Fatal(err)
	}
	answered, refused := map[string]bool{}, map[string]bool{}
	for _, s := range list {
		for _, st := range s.Steps {
			answered[st.Call] = answered[st.Call] || st.Error == nil
			refused[st.Call] = refused[st.Call] || st.Error != nil
		}
	}
	for client, service := range services() {
		var missing []string
		for _, op := range service.Operations {
			name := client + ":" + op.Name
			if why, never := onlyRefused[name]; never {
				switch {
				case answered[name]:
					t.Errorf("%s answers in a scenario, and is listed as one that does not: %s", name, why)
				case !refused[name]:
					t.Errorf("%s is refused in no scenario", name)
				}
			} else if !answered[name] {
				missing = append(missing, op.Name)
			}
		}
		if slices.Sort(missing); len(missing) > 0 {
			t.Errorf("scenarios/%s: %d of %d operations answer in no scenario: %s", client, len(missing), len(service.Operations), strings.Join(missing, " "))
		}
	}
}
