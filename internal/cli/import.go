package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/migration"
)

// importFlags are those of both sources: where to, and what it is called there.
type importFlags struct {
	profile, awsConfig string
	accounts           []string
	dryRun, yes        bool
}

func importCommand(p *Process) *cobra.Command {
	f := &importFlags{}
	c := &cobra.Command{
		Use: "import", Short: "Bring associations and roles from elsewhere",
		Long: "Read what is elsewhere, show what podid would be given, ask, and do it. Nothing is changed at the source, and nothing that podid has\n" +
			"besides is taken away. Running it again goes on where it stopped, and does nothing where nothing is left to do.",
		Example: "  podid import eks --dry-run\n  podid import irsa prod --kubeconfig prod.kubeconfig",
	}
	c.PersistentFlags().StringVar(&f.profile, "profile", "podid", "AWS profile of an administrator of the account in podid")
	c.PersistentFlags().StringVar(&f.awsConfig, "aws-config", p.awsConfig(), "AWS shared config file with that profile (AWS_CONFIG_FILE)")
	c.PersistentFlags().StringArrayVar(&f.accounts, "account", nil, "an account id that is another one in podid, FROM=TO; repeatable")
	c.PersistentFlags().BoolVar(&f.dryRun, "dry-run", false, "only show what would be done")
	c.PersistentFlags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	c.AddCommand(f.eksCommand(p), f.irsaCommand(p))
	return c
}

func (f *importFlags) eksCommand(p *Process) *cobra.Command {
	var profile, region, endpoint string
	var clusters []string
	c := &cobra.Command{
		Use: "eks [CLUSTER...]", Short: "Bring associations, roles and policies of an AWS account",
		Long: "Bring the pod identity associations of EKS clusters (all of the account, where none is named), the roles that they name, and the\n" +
			"policies of these. AWS is asked with the default chain of its SDK: variables, profiles, SSO, instance roles. The clusters must be\n" +
			"connected to podid before. Account ids, partitions and ARNs of clusters in policies are put into podid's terms; names of buckets\n" +
			"and other resources stay. AWS's managed policies that podid does not have are copied.",
		Example: "  podid import eks prod --from-profile production --from-region eu-central-1 --dry-run\n" +
			"  podid import eks prod --cluster prod=prod-onprem --account 444455556666=111122223333\n" +
			"  podid import eks --from-profile other-podid --from-endpoint https://podid.example.com",
		RunE: func(c *cobra.Command, args []string) error {
			admin, as, err := f.target(c.Context(), clusters)
			if err != nil {
				return err
			}
			from, err := source(c.Context(), profile, region, endpoint)
			if err != nil {
				return err
			}
			if from.BaseEndpoint != nil && *from.BaseEndpoint == admin.endpoint {
				return fmt.Errorf("the source is %s, as podid is: say where AWS's credentials are with --from-profile, or unset AWS_ENDPOINT_URL", admin.endpoint)
			}
			inventory, err := migration.Read(c.Context(), migration.NewAccount(from), args)
			if err != nil {
				return plain(err)
			}
			proposal, err := migration.Propose(c.Context(), inventory, migration.NewAccount(admin.aws), as)
			if err != nil {
				return plain(err)
			}
			return f.carryOut(c.Context(), p, proposal)
		},
	}
	c.Flags().StringVar(&profile, "from-profile", "", "AWS profile of the source (default: the SDK's default chain)")
	c.Flags().StringVar(&region, "from-region", "", "region of the source (default: that of the profile)")
	c.Flags().StringVar(&endpoint, "from-endpoint", "", "URL of the source, where it is not AWS itself")
	c.Flags().StringArrayVar(&clusters, "cluster", nil, "a cluster that has another name in podid, FROM=TO; repeatable")
	return c
}

func (f *importFlags) irsaCommand(p *Process) *cobra.Command {
	from := &accountSource{}
	c := &cobra.Command{
		Use: "irsa CLUSTER", Short: "Bring service accounts that use IAM roles by annotation",
		Long: "Read the service accounts with the annotation eks.amazonaws.com/role-arn, from a cluster or from manifests. For each that\n" +
			"the trust policy of its role lets in by web identity today, propose an association, and for the trust policy a statement that lets it\n" +
			"in from this cluster. What the trust policy says already stays, so both ways work side by side. An annotation alone grants nothing,\n" +
			"as whoever may write service accounts may write it. Nothing in the Kubernetes is changed.",
		Example: "  podid import irsa prod --kubeconfig prod.kubeconfig\n" +
			"  podid import irsa prod --filename manifests/ --dry-run\n  helm template chart | podid import irsa prod --filename - --yes",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if slices.Contains(from.files, "-") && !f.yes && !f.dryRun {
				return errors.New("manifests come from the standard input, where the answer would come from, too: say --dry-run or --yes")
			}
			admin, as, err := f.target(c.Context(), nil)
			if err != nil {
				return err
			}
			list, err := from.read(c.Context(), p)
			if err != nil {
				return plain(err)
			}
			list = slices.DeleteFunc(list, func(sa migration.ServiceAccount) bool { return sa.RoleARN == "" })
			proposal, err := migration.ProposeIRSA(c.Context(), list, migration.NewAccount(admin.aws), args[0], as)
			if err != nil {
				return plain(err)
			}
			return f.carryOut(c.Context(), p, proposal)
		},
	}
	from.flags(c)
	return c
}

// target signs in to podid and reads what is called otherwise there.
func (f *importFlags) target(ctx context.Context, clusters []string) (*signedIn, migration.Translation, error) {
	var as migration.Translation
	var err error
	if as.Accounts, err = pairs("--account", f.accounts); err != nil {
		return nil, as, err
	}
	for from, to := range as.Accounts {
		if err := errors.Join(arn.CheckAccount(from), arn.CheckAccount(to)); err != nil {
			return nil, as, fmt.Errorf("--account %s=%s: %w", from, to, err)
		}
	}
	if as.Clusters, err = pairs("--cluster", clusters); err != nil {
		return nil, as, err
	}
	admin, err := signIn(ctx, f.awsConfig, f.profile)
	return admin, as, err
}

// pairs reads FROM=TO.
func pairs(flag string, list []string) (map[string]string, error) {
	m := make(map[string]string, len(list))
	for _, pair := range list {
		from, to, ok := strings.Cut(pair, "=")
		if !ok || from == "" || to == "" {
			return nil, fmt.Errorf("%s %q is not FROM=TO", flag, pair)
		}
		m[from] = to
	}
	return m, nil
}

// source is the configuration of the source: AWS's default chain, and what the flags say.
func source(ctx context.Context, profile, region, endpoint string) (aws.Config, error) {
	var options []func(*config.LoadOptions) error
	if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if endpoint != "" {
		options = append(options, config.WithBaseEndpoint(endpoint))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("read the AWS configuration of the source: %w", err)
	}
	if c.Region == "" {
		return aws.Config{}, errors.New("the source has no region: say --from-region")
	}
	return c, nil
}

// carryOut shows a proposal, asks, and does it.
func (f *importFlags) carryOut(ctx context.Context, p *Process, proposal *migration.Proposal) error {
	proposal.Print(p.Stdout)
	if f.dryRun {
		return nil
	}
	if proposal.Plan.Empty() {
		_, err := fmt.Fprintln(p.Stdout, "nothing is to be done")
		return err
	}
	if goOn, err := confirm(p, f.yes); err != nil || !goOn {
		return err
	}
	if err := proposal.Plan.Execute(ctx); err != nil {
		return plain(err)
	}
	_, err := fmt.Fprintln(p.Stdout, "done")
	return err
}
