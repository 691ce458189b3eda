package cli

import (
	"fmt"
	"io"
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
	c := &cobra.Command{
		Use: "preview", Short: "Tell which association counts for a service account, or what a pattern would overlap",
		Long: "Of a service account, tell whose role its pods get, and which less specific associations match as well. Of a pattern, tell which\n" +
			"associations are more and which are less specific than one for it, and whether it could be made. Only associations are looked at:\n" +
			"podid does not know which service accounts a cluster has. It takes the permission podid:PreviewAssociation on the cluster.",
		Example: "  podid association preview --cluster prod --namespace team-a --service-account cart\n" +
			"  podid association preview --cluster prod --namespace 'team-*' --service-account '*'",
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
			_, err = io.WriteString(p.Stdout, describePreview(preview))
			return err
		},
	}
	c.Flags().StringVar(&profile, "profile", "podid", "AWS profile of the account that the cluster belongs to")
	c.Flags().StringVar(&awsConfig, "aws-config", p.awsConfig(), "AWS shared config file with the profile (AWS_CONFIG_FILE)")
	c.Flags().StringVar(&cluster, "cluster", "", "name of the cluster")
	c.Flags().StringVar(&namespace, "namespace", "", "namespace, or a pattern")
	c.Flags().StringVar(&serviceAccount, "service-account", "", "service account, or a pattern")
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
