package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/kube/operator"
)

// webhookFlags are those of AWS's webhook, and what podid's tells pods besides. spec: pod-identity.md 5.2
func (o *options) webhookFlags(c *cobra.Command) {
	f, s := c.Flags(), &o.Settings
	*s = operator.DefaultSettings()
	f.StringVar(&s.AnnotationPrefix, "annotation-prefix", s.AnnotationPrefix, "what the annotations of service accounts and pods begin with, for example eks.amazonaws.com")
	f.StringVar(&s.TokenAudience, "token-audience", s.TokenAudience, "audience of tokens for IAM roles for service accounts, for example sts.amazonaws.com")
	f.StringVar(&s.TokenMountPath, "token-mount-path", s.TokenMountPath, "where these tokens are mounted, for example /var/run/secrets/eks.amazonaws.com/serviceaccount")
	f.Int64Var(&s.TokenExpiration, "token-expiration", s.TokenExpiration, "seconds that tokens live, for example 86400")
	f.StringVar(&o.region, "aws-default-region", "", "region that pods are told, for example us-east-1; if left out, --region; empty: none")
	f.BoolVar(&s.STSRegionalEndpoint, "sts-regional-endpoint", s.STSRegionalEndpoint, "tell pods to use the STS of their region, for example --sts-regional-endpoint")
	f.StringVar(&s.ContainerCredentialsAudience, "container-credentials-audience", s.ContainerCredentialsAudience, "audience of tokens for pod identity, for example pods.eks.amazonaws.com")
	f.StringVar(&s.ContainerCredentialsTokenMountPath, "container-credentials-token-mount-path", s.ContainerCredentialsTokenMountPath,
		"where these tokens are mounted, for example /var/run/secrets/pods.eks.amazonaws.com/serviceaccount")
	f.StringVar(&s.ContainerCredentialsTokenVolumeName, "container-credentials-token-volume-name", s.ContainerCredentialsTokenVolumeName,
		"name of their volume, for example eks-pod-identity-token")
	f.StringVar(&s.ContainerCredentialsTokenPath, "container-credentials-token-path", s.ContainerCredentialsTokenPath, "their file in the volume, for example eks-pod-identity-token")
	f.StringVar(&s.ContainerCredentialsFullURI, "container-credentials-full-uri", s.ContainerCredentialsFullURI,
		"where pods ask for credentials, for example, in a cluster without IPv4, http://[fd00:ec2::23]/v1/credentials")
	f.DurationVar(&o.LookupGrace, "service-account-lookup-grace-period", operator.DefaultLookupGrace,
		"how long a service account is waited for that was made just now, for example 2s")
	f.DurationVar(&o.Resync, "resync-period", 10*time.Hour, "how often everything is looked at again though nothing changed, for example 10h")

	f.StringVar(&s.PodEndpointURL, "pod-endpoint-url", "", "URL that the AWS SDKs of pods are told instead of AWS's, for example https://podid.example.com; empty: none")
	f.StringVar(&o.PodCAFile, "pod-ca-file", "", "PEM file of the authority that pods are to trust, for example /etc/podid/ca.crt; empty: none")
}
