package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/client"
)

func associationCommand(p *Process) *cobra.Command {
	c := &cobra.Command{
		Use: "association", Short: "Tell which association counts for whom",
		Long: "Associations are made, listed and deleted with any client of EKS, for example \"aws eks create-pod-identity-association\". Where a\n" +
			"cluster has the tag podid.io/pattern-associations=true, namespace and service account may be patterns, in which * stands for any\n" +
			"number of characters. Of those that match a service account the most specific counts: the namespace is compared before the service\n" +
			"account, a name without * comes before a pattern, and the pattern with more other characters before one with fewer.",
		Example: "  podid association preview --cluster prod --namespace team-a --service-account cart",
	}
	c.AddCommand(previewCommand(p))
	return c
}

func previewCommand(p *Process) *cobra.Command {
	var profile, awsConfig, cluster, namespace, serviceAccount string
	from := &accountSource{}
	c := &cobra.Command{
		Use: "preview", Short: "Tell which association counts for a service account, or what a pattern would overlap",
		Long: "Of a service account, tell whose role its pods get, and which less specific associations match as well. Of a pattern, tell which\n" +
			"associations are more and which are less specific than one for it, and whether it could be made.\n\n" +
			"podid does not know which service accounts a cluster has. With --kubeconfig, --context or --filename those of the cluster, or of\n" +
			"manifests, are read, and each that matches is listed. It takes the permission podid:PreviewAssociation on the cluster.",
		Example: "  podid association preview --cluster prod --namespace team-a --service-account cart\n" +
			"  podid association preview --cluster prod --namespace 'team-*' --service-account '*'\n" +
			"  podid association preview --cluster prod --namespace 'team-*' --service-account '*' --kubeconfig prod.kubeconfig",
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			caller, err := signIn(c.Context(), awsConfig, profile)
			if err != nil {
				return err
			}
			preview, err := caller.PreviewAssociation(c.Context(), cluster, namespace, serviceAccount)
			if err != nil {
				return err
			}
			text := describePreview(preview)
			if from.asked() {
				matched, err := matchedIdentities(c.Context(), p, caller.Client, cluster, client.Identity{Namespace: namespace, ServiceAccount: serviceAccount}, from)
				if err != nil {
					return plain(err)
				}
				text += describeMatched(matched)
			}
			_, err = io.WriteString(p.Stdout, text)
			return err
		},
	}
	c.Flags().StringVar(&profile, "profile", "podid", "AWS profile of the account that the cluster belongs to")
	c.Flags().StringVar(&awsConfig, "aws-config", p.awsConfig(), "AWS shared config file with the profile (AWS_CONFIG_FILE)")
	c.Flags().StringVar(&cluster, "cluster", "", "name of the cluster")
	c.Flags().StringVar(&namespace, "namespace", "", "namespace, or a pattern")
	c.Flags().StringVar(&serviceAccount, "service-account", "", "service account, or a pattern")
	from.flags(c)
	for _, name := range []string{"cluster", "namespace", "service-account"} {
		_ = c.MarkFlagRequired(name) // the flag is there: it was made above
	}
	return c
}

// describePreview words a preview for people.
func describePreview(v *client.AssociationPreview) string {
	var out strings.Builder
	list := func(title string, associations []client.PreviewedAssociation) {
		if len(associations) == 0 {
			return
		}
		fmt.Fprintf(&out, "%s:\n", title)
		for _, a := range associations {
			fmt.Fprintf(&out, "  %s  %s/%s  %s\n", a.AssociationID, a.Namespace, a.ServiceAccount, a.RoleARN)
		}
	}
	name := v.Namespace + "/" + v.ServiceAccount
	switch w := v.Winner; {
	case strings.Contains(name, "*"):
		if len(v.Before)+len(v.After) == 0 {
			fmt.Fprintf(&out, "%s overlaps no more and no less specific association\n", name)
		}
		list("more specific than "+name+", and so before it", v.Before)
		list("less specific than "+name+", and so after it", v.After)
		if v.Refusal != "" {
			fmt.Fprintf(&out, "an association for %s cannot be made: %s\n", name, v.Refusal)
		} else {
			fmt.Fprintf(&out, "nothing stands against an association for %s\n", name)
		}
	case w == nil:
		fmt.Fprintf(&out, "no association counts for %s: its pods get no credentials\n", name)
	default:
		fmt.Fprintf(&out, "pods of %s get %s, by the association %s for %s/%s\n", name, w.RoleARN, w.AssociationID, w.Namespace, w.ServiceAccount)
		list("it also matches these, which are less specific", v.After)
	}
	if v.LeftOut > 0 {
		fmt.Fprintf(&out, "%d further associations are not listed\n", v.LeftOut)
	}
	return out.String()
}

// perQuestion is how many identities one question to podid has.
const perQuestion = 1000

// matchedIdentities are the service accounts of a source that a pattern matches.
func matchedIdentities(
	ctx context.Context, p *Process, podid *client.Client, cluster string, of client.Identity, from *accountSource,
) ([]client.MatchedIdentity, error) {
	list, err := from.read(ctx, p)
	if err != nil {
		return nil, err
	}
	identities := make([]client.Identity, len(list))
	for i, sa := range list {
		identities[i] = client.Identity{Namespace: sa.Namespace, ServiceAccount: sa.Name}
	}
	var matched []client.MatchedIdentity
	for part := range slices.Chunk(identities, perQuestion) {
		some, err := podid.PreviewIdentities(ctx, cluster, client.IdentityPreview{
			Namespace: of.Namespace, ServiceAccount: of.ServiceAccount, Identities: part,
		})
		if err != nil {
			return nil, err
		}
		matched = append(matched, some...)
	}
	return matched, nil
}

// describeMatched words the service accounts that match for people.
func describeMatched(list []client.MatchedIdentity) string {
	if len(list) == 0 {
		return "no service account matches\n"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "service accounts that match: %d\n", len(list))
	for _, m := range list {
		counts := "counts"
		if !m.Counts {
			counts = "does not count"
		}
		now := "no association now"
		if m.Winner != nil {
			now = "now " + m.Winner.RoleARN + " by " + m.Winner.AssociationID
		}
		fmt.Fprintf(&out, "  %s/%s  it %s; %s\n", m.Namespace, m.ServiceAccount, counts, now)
	}
	return out.String()
}
