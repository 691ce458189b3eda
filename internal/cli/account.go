package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/client"
)

func accountCommand(p *Process) *cobra.Command {
	c := &cobra.Command{
		Use: "account", Short: "Make and list accounts",
		Long: "Accounts are what buckets, roles and clusters belong to. The first account, which the first start made, manages\n" +
			"the others: these commands are made with a profile of its administrator.",
		Example: "  podid account create 444455556666 --name data\n  podid account list",
	}
	var profile, awsConfig, name string
	c.PersistentFlags().StringVar(&profile, "profile", "podid", "AWS profile of an administrator of the first account")
	c.PersistentFlags().StringVar(&awsConfig, "aws-config", p.awsConfig(), "AWS shared config file with the profile (AWS_CONFIG_FILE)")
	create := &cobra.Command{
		Use: "create ACCOUNT-ID", Short: "Make an account and its administrator",
		Long:    "Make an account with an administrator, and write the administrator's AWS profile, named podid-ACCOUNT-ID.",
		Example: "  podid account create 444455556666 --name data\n  AWS_PROFILE=podid-444455556666 aws s3 mb s3://drop",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			admin, err := signIn(c.Context(), awsConfig, profile)
			if err != nil {
				return err
			}
			made, err := admin.CreateAccount(c.Context(), client.NewAccount{AccountID: args[0], Name: name})
			if err != nil {
				return err
			}
			next := Profile{
				Name: "podid-" + made.AccountID, Region: admin.region, Endpoint: admin.endpoint,
				AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey, CABundle: admin.caBundle,
			}
			if err := writeProfiles(awsConfig, "account "+made.AccountID, []Profile{next}); err != nil {
				return errors.Join(fmt.Errorf("the account was made with the access key %s, but its profile was not written; "+
					"make its administrator another key with iam:CreateAccessKey", made.AccessKeyID), err)
			}
			_, err = fmt.Fprintf(p.Stdout, "account %s made; profile %s written to %s\n", made.AccountID, next.Name, awsConfig)
			return err
		},
	}
	create.Flags().StringVar(&name, "name", "", "a name for people")
	list := &cobra.Command{
		Use: "list", Short: "List the accounts", Example: "  podid account list", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			admin, err := signIn(c.Context(), awsConfig, profile)
			if err != nil {
				return err
			}
			accounts, err := admin.ListAccounts(c.Context())
			if err != nil {
				return err
			}
			for _, a := range accounts {
				if _, err := fmt.Fprintf(p.Stdout, "%s  %s\n", a.AccountID, a.Name); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.AddCommand(create, list)
	return c
}

// signedIn is a client of the podid service with what its profile says.
type signedIn struct {
	*client.Client

	aws      aws.Config // the same, for AWS's own clients
	region   string
	endpoint string
	caBundle string
}

// signIn reads an AWS profile as any AWS client does.
func signIn(ctx context.Context, awsConfig, profile string) (*signedIn, error) {
	shared, err := config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles = []string{awsConfig}
	})
	if err != nil {
		return nil, fmt.Errorf("read the AWS profile %q: %w; \"podid serve\" and \"podid dev\" write it", profile, err)
	}
	if shared.BaseEndpoint == "" {
		return nil, fmt.Errorf("the AWS profile %q has no endpoint_url: it is not one of podid's", profile)
	}
	loaded, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigFiles([]string{awsConfig}), config.WithSharedConfigProfile(profile))
	if err != nil {
		return nil, fmt.Errorf("read the AWS profile %q: %w", profile, err)
	}
	h, err := trusting(shared.CustomCABundle)
	if err != nil {
		return nil, err
	}
	loaded.BaseEndpoint, loaded.HTTPClient = &shared.BaseEndpoint, h
	return &signedIn{
		aws:    loaded,
		Client: client.New(client.Config{Endpoint: shared.BaseEndpoint, Region: shared.Region, Credentials: loaded.Credentials, HTTP: h, Now: time.Now}),
		region: shared.Region, endpoint: shared.BaseEndpoint, caBundle: shared.CustomCABundle,
	}, nil
}

// trusting is an HTTP client that trusts the authorities of a file, if one is given, and otherwise the system's.
func trusting(bundle string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if bundle != "" {
		text, err := os.ReadFile(bundle)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", bundle)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t, Timeout: time.Minute}, nil
}
