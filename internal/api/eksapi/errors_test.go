package eksapi_test

import (
	"slices"
	"testing"

	"github.com/podid/podid/internal/api/eksapi"
	"github.com/podid/podid/internal/fault"
)

// failure is a kind and a subject of what package cluster, or the service itself, fails with.
type failure struct {
	kind    fault.Kind
	subject string
}

var (
	always = []failure{
		{fault.Internal, "request"},
		{fault.Unavailable, "store"},
		{fault.Limit, "store"},
	}
	noCluster  = failure{fault.NotFound, "cluster"}
	deleting   = failure{fault.Conflict, "deleting cluster"}
	badMember  = failure{fault.Invalid, "parameter"}
	badTags    = failure{fault.Invalid, "tags"}
	badName    = failure{fault.Invalid, "name"}
	badToken   = failure{fault.Invalid, "client request token"}
	goneToken  = failure{fault.Conflict, "client request token"}
	badRole    = failure{fault.Invalid, "role"}
	checked    = []failure{badName, badRole, {fault.Invalid, "target role"}, {fault.Invalid, "policy document"}, badTags}
	notDone    = failure{fault.Unsupported, "operation"}
	nothing    = failure{fault.NotFound, "thing"}
	noEntry    = failure{fault.NotFound, "access entry"}
	badEntry   = failure{fault.Invalid, "access entry"}
	noMode     = failure{fault.Conflict, "access entry"}
	badTagging = []failure{{fault.Invalid, "tagging"}, {fault.NotFound, "tagged resource"}}
)

// failures are the ways to fail of each operation, as the doc comments of package cluster and the code here have them.
var failures = map[string][]failure{
	"CreateCluster": {
		badMember, badName, badTags, badEntry, {fault.Invalid, "cluster"}, badToken, goneToken, {fault.Exists, "cluster"}, {fault.Limit, "cluster"},
	},
	"DescribeCluster": {noCluster},
	"ListClusters":    {badMember},
	"DeleteCluster":   {noCluster, {fault.Conflict, "cluster"}, {fault.Conflict, "deletion protection"}},

	"UpdateClusterConfig": {
		badMember, noCluster, deleting, badToken, {fault.Invalid, "cluster"}, {fault.Conflict, "registered cluster"}, {fault.NotFound, "update"},
	},
	"UpdateClusterVersion": {
		badMember, noCluster, deleting, badToken, {fault.Unsupported, "version"}, {fault.Conflict, "registered cluster"}, {fault.NotFound, "update"},
	},
	"AssociateEncryptionConfig": {
		badMember, noCluster, deleting, badToken, {fault.Invalid, "cluster"}, {fault.Conflict, "registered cluster"}, {fault.NotFound, "update"},
	},
	"DescribeClusterVersions": {badMember},
	"RegisterCluster":         {badMember, badName, badTags, badToken, goneToken, {fault.Exists, "cluster"}, {fault.Limit, "cluster"}},
	"DeregisterCluster":       {noCluster, {fault.Conflict, "cluster"}, {fault.Conflict, "registration"}},

	"CreateAccessEntry": {
		badMember, noCluster, deleting, badToken, goneToken, badEntry, noMode, badTags, {fault.Exists, "access entry"}, {fault.Limit, "access entry"},
	},
	"DescribeAccessEntry":          {noCluster, noEntry},
	"ListAccessEntries":            {noCluster, badMember},
	"UpdateAccessEntry":            {noCluster, deleting, noEntry, badEntry, noMode},
	"DeleteAccessEntry":            {noCluster, deleting, noEntry, noMode},
	"AssociateAccessPolicy":        {badMember, noCluster, deleting, noEntry, badEntry, noMode, badName, {fault.NotFound, "access policy"}},
	"DisassociateAccessPolicy":     {noCluster, deleting, noEntry, noMode, {fault.NotFound, "access policy"}},
	"ListAssociatedAccessPolicies": {noCluster, noEntry, {fault.Conflict, "parameter"}},
	"ListAccessPolicies":           {{fault.Internal, "request"}},

	"UpdateNodegroupConfig": {
		badMember, noCluster, deleting, badToken,
		{fault.NotFound, "node group"},
		{fault.Invalid, "node group"},
		{fault.Conflict, "node group"},
		{fault.NotFound, "update"},
	},
	"UpdateNodegroupVersion": {
		badMember, noCluster, deleting, badToken,
		{fault.NotFound, "node group"},
		{fault.Invalid, "node group"},
		{fault.Conflict, "node group"},
		{fault.NotFound, "update"},
		{fault.Unsupported, "version"},
	},
	"CancelUpdate": {noCluster, {fault.NotFound, "update"}, {fault.Conflict, "update"}},

	"CreateFargateProfile":               {notDone},
	"DescribeFargateProfile":             {noCluster, nothing},
	"DeleteFargateProfile":               {noCluster, nothing},
	"ListFargateProfiles":                {noCluster, badMember},
	"AssociateIdentityProviderConfig":    {noCluster, notDone},
	"DescribeIdentityProviderConfig":     {badMember, noCluster, nothing},
	"DisassociateIdentityProviderConfig": {badMember, noCluster, nothing},
	"ListIdentityProviderConfigs":        {noCluster, badMember},
	"CreateCapability":                   {notDone},
	"DescribeCapability":                 {noCluster, nothing},
	"UpdateCapability":                   {noCluster, nothing},
	"DeleteCapability":                   {noCluster, nothing},
	"ListCapabilities":                   {badMember},
	"DescribeInsight":                    {noCluster, nothing},
	"ListInsights":                       {noCluster, badMember},
	"StartInsightsRefresh":               {noCluster, notDone},
	"DescribeInsightsRefresh":            {noCluster, nothing},
	"CreateEksAnywhereSubscription":      {badMember},
	"DescribeEksAnywhereSubscription":    {nothing},
	"UpdateEksAnywhereSubscription":      {nothing},
	"DeleteEksAnywhereSubscription":      {nothing},
	"ListEksAnywhereSubscriptions":       {badMember},
	"CreateCertificateAuthority":         {noCluster, badMember},
	"ActivateCertificateAuthority":       {noCluster, nothing},
	"DescribeCertificateAuthority":       {noCluster, nothing},
	"DeleteCertificateAuthority":         {noCluster, nothing},
	"ListCertificateAuthorities":         {noCluster, badMember},

	"CreateNodegroup": {
		badMember, noCluster, deleting, badName, badTags,
		{fault.Invalid, "node group"},
		badToken, goneToken,
		{fault.Exists, "node group"},
		{fault.Limit, "node group"},
	},
	"DescribeNodegroup": {noCluster, {fault.NotFound, "node group"}},
	"ListNodegroups":    {noCluster, badMember},
	"DeleteNodegroup":   {noCluster, {fault.NotFound, "node group"}, {fault.Invalid, "node group"}},

	"CreateAddon": append([]failure{
		badMember, noCluster, deleting,
		{fault.Invalid, "add-on"},
		badToken, goneToken,
		{fault.Exists, "add-on"},
		{fault.Exists, "association"},
		{fault.Conflict, "association"}, // the quota
	}, checked...),
	"DescribeAddon":         {noCluster, {fault.NotFound, "add-on"}},
	"ListAddons":            {noCluster, badMember},
	"DeleteAddon":           {noCluster, deleting, {fault.NotFound, "add-on"}},
	"DescribeAddonVersions": {badMember},
	"UpdateAddon": append([]failure{
		badMember, noCluster, deleting,
		{fault.NotFound, "add-on"},
		{fault.NotFound, "update"}, // of a request that is sent again
		{fault.Invalid, "add-on"},
		{fault.Conflict, "add-on"}, // it is being deleted
		badToken,
		{fault.Exists, "association"},
		{fault.Conflict, "association"}, // the quota
	}, checked...),
	"DescribeAddonConfiguration": {badMember, {fault.NotFound, "add-on"}},
	"DescribeUpdate":             {badMember, noCluster, {fault.NotFound, "add-on"}, {fault.NotFound, "node group"}, {fault.NotFound, "update"}},
	"ListUpdates":                {badMember, noCluster, {fault.NotFound, "add-on"}, {fault.NotFound, "node group"}},

	"CreatePodIdentityAssociation": append([]failure{
		badMember, noCluster, deleting, badToken, goneToken, {fault.Exists, "association"}, {fault.Limit, "association"},
	}, checked...),
	"ListPodIdentityAssociations":    {noCluster, badMember},
	"DescribePodIdentityAssociation": {{fault.NotFound, "association"}},
	"UpdatePodIdentityAssociation":   append([]failure{badMember, badToken, noCluster, deleting, {fault.NotFound, "association"}}, checked...),
	"DeletePodIdentityAssociation":   {noCluster, deleting, {fault.NotFound, "association"}},

	"TagResource":         badTagging,
	"UntagResource":       badTagging,
	"ListTagsForResource": badTagging,
}

// TestEveryFailureIsModelled holds that no operation answers with an error that its model does not list: an SDK would not know it.
func TestEveryFailureIsModelled(t *testing.T) {
	t.Parallel()
	for operation, shapes := range eksapi.Modelled {
		if len(failures[operation]) == 0 {
			t.Errorf("%s has no failures", operation)
		}
		for _, f := range slices.Concat(always, failures[operation]) {
			got := eksapi.Faults.Shape(fault.New(f.kind, f.subject, ""))
			if !slices.Contains(shapes, got.Code) {
				t.Errorf("%s: %v %s is %s, and the model has %v", operation, f.kind, f.subject, got.Code, shapes)
			}
			if f.kind == fault.Internal || f.kind == fault.Unavailable || f.kind == fault.Limit && f.subject == "store" {
				if got.Status != 500 {
					t.Errorf("%s: %v %s has status %d, which blames the caller", operation, f.kind, f.subject, got.Status)
				}
			}
		}
	}
	for operation := range failures {
		if eksapi.Modelled[operation] == nil {
			t.Errorf("%s is in no model", operation)
		}
	}
	for _, s := range shapes {
		if name := s.operation.ID().Name; eksapi.Modelled[name] == nil {
			t.Errorf("%s lists no errors", name)
		}
	}
	if len(shapes) != len(eksapi.Modelled) {
		t.Errorf("%d operations have a model, %d list errors", len(shapes), len(eksapi.Modelled))
	}
}
