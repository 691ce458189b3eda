package eksapi_test

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	smithy "github.com/aws/smithy-go"
)

// model is the structs of an operation, beside what the model says of them.
type model struct {
	operation, in, out *smithy.Schema
	input, output      any
}

func modelOf[In, Out any](operation, in, out *smithy.Schema) model {
	return model{operation, in, out, *new(In), *new(Out)}
}

// shapes are all operations, in the order of names.
var shapes = []model{
	modelOf[sdk.ActivateCertificateAuthorityInput, sdk.ActivateCertificateAuthorityOutput](schemas.ActivateCertificateAuthority, schemas.ActivateCertificateAuthorityRequest, schemas.ActivateCertificateAuthorityResponse),
	modelOf[sdk.AssociateAccessPolicyInput, sdk.AssociateAccessPolicyOutput](schemas.AssociateAccessPolicy, schemas.AssociateAccessPolicyRequest, schemas.AssociateAccessPolicyResponse),
	modelOf[sdk.AssociateEncryptionConfigInput, sdk.AssociateEncryptionConfigOutput](schemas.AssociateEncryptionConfig, schemas.AssociateEncryptionConfigRequest, schemas.AssociateEncryptionConfigResponse),
	modelOf[sdk.AssociateIdentityProviderConfigInput, sdk.AssociateIdentityProviderConfigOutput](schemas.AssociateIdentityProviderConfig, schemas.AssociateIdentityProviderConfigRequest, schemas.AssociateIdentityProviderConfigResponse),
	modelOf[sdk.CancelUpdateInput, sdk.CancelUpdateOutput](schemas.CancelUpdate, schemas.CancelUpdateRequest, schemas.CancelUpdateResponse),
	modelOf[sdk.CreateAccessEntryInput, sdk.CreateAccessEntryOutput](schemas.CreateAccessEntry, schemas.CreateAccessEntryRequest, schemas.CreateAccessEntryResponse),
	modelOf[sdk.CreateAddonInput, sdk.CreateAddonOutput](schemas.CreateAddon, schemas.CreateAddonRequest, schemas.CreateAddonResponse),
	modelOf[sdk.CreateCapabilityInput, sdk.CreateCapabilityOutput](schemas.CreateCapability, schemas.CreateCapabilityRequest, schemas.CreateCapabilityResponse),
	modelOf[sdk.CreateCertificateAuthorityInput, sdk.CreateCertificateAuthorityOutput](schemas.CreateCertificateAuthority, schemas.CreateCertificateAuthorityRequest, schemas.CreateCertificateAuthorityResponse),
	modelOf[sdk.CreateClusterInput, sdk.CreateClusterOutput](schemas.CreateCluster, schemas.CreateClusterRequest, schemas.CreateClusterResponse),
	modelOf[sdk.CreateEksAnywhereSubscriptionInput, sdk.CreateEksAnywhereSubscriptionOutput](schemas.CreateEksAnywhereSubscription, schemas.CreateEksAnywhereSubscriptionRequest, schemas.CreateEksAnywhereSubscriptionResponse),
	modelOf[sdk.CreateFargateProfileInput, sdk.CreateFargateProfileOutput](schemas.CreateFargateProfile, schemas.CreateFargateProfileRequest, schemas.CreateFargateProfileResponse),
	modelOf[sdk.CreateNodegroupInput, sdk.CreateNodegroupOutput](schemas.CreateNodegroup, schemas.CreateNodegroupRequest, schemas.CreateNodegroupResponse),
	modelOf[sdk.CreatePodIdentityAssociationInput, sdk.CreatePodIdentityAssociationOutput](schemas.CreatePodIdentityAssociation, schemas.CreatePodIdentityAssociationRequest, schemas.CreatePodIdentityAssociationResponse),
	modelOf[sdk.DeleteAccessEntryInput, sdk.DeleteAccessEntryOutput](schemas.DeleteAccessEntry, schemas.DeleteAccessEntryRequest, schemas.DeleteAccessEntryResponse),
	modelOf[sdk.DeleteAddonInput, sdk.DeleteAddonOutput](schemas.DeleteAddon, schemas.DeleteAddonRequest, schemas.DeleteAddonResponse),
	modelOf[sdk.DeleteCapabilityInput, sdk.DeleteCapabilityOutput](schemas.DeleteCapability, schemas.DeleteCapabilityRequest, schemas.DeleteCapabilityResponse),
	modelOf[sdk.DeleteCertificateAuthorityInput, sdk.DeleteCertificateAuthorityOutput](schemas.DeleteCertificateAuthority, schemas.DeleteCertificateAuthorityRequest, schemas.DeleteCertificateAuthorityResponse),
	modelOf[sdk.DeleteClusterInput, sdk.DeleteClusterOutput](schemas.DeleteCluster, schemas.DeleteClusterRequest, schemas.DeleteClusterResponse),
	modelOf[sdk.DeleteEksAnywhereSubscriptionInput, sdk.DeleteEksAnywhereSubscriptionOutput](schemas.DeleteEksAnywhereSubscription, schemas.DeleteEksAnywhereSubscriptionRequest, schemas.DeleteEksAnywhereSubscriptionResponse),
	modelOf[sdk.DeleteFargateProfileInput, sdk.DeleteFargateProfileOutput](schemas.DeleteFargateProfile, schemas.DeleteFargateProfileRequest, schemas.DeleteFargateProfileResponse),
	modelOf[sdk.DeleteNodegroupInput, sdk.DeleteNodegroupOutput](schemas.DeleteNodegroup, schemas.DeleteNodegroupRequest, schemas.DeleteNodegroupResponse),
	modelOf[sdk.DeletePodIdentityAssociationInput, sdk.DeletePodIdentityAssociationOutput](schemas.DeletePodIdentityAssociation, schemas.DeletePodIdentityAssociationRequest, schemas.DeletePodIdentityAssociationResponse),
	modelOf[sdk.DeregisterClusterInput, sdk.DeregisterClusterOutput](schemas.DeregisterCluster, schemas.DeregisterClusterRequest, schemas.DeregisterClusterResponse),
	modelOf[sdk.DescribeAccessEntryInput, sdk.DescribeAccessEntryOutput](schemas.DescribeAccessEntry, schemas.DescribeAccessEntryRequest, schemas.DescribeAccessEntryResponse),
	modelOf[sdk.DescribeAddonInput, sdk.DescribeAddonOutput](schemas.DescribeAddon, schemas.DescribeAddonRequest, schemas.DescribeAddonResponse),
	modelOf[sdk.DescribeAddonConfigurationInput, sdk.DescribeAddonConfigurationOutput](schemas.DescribeAddonConfiguration, schemas.DescribeAddonConfigurationRequest, schemas.DescribeAddonConfigurationResponse),
	modelOf[sdk.DescribeAddonVersionsInput, sdk.DescribeAddonVersionsOutput](schemas.DescribeAddonVersions, schemas.DescribeAddonVersionsRequest, schemas.DescribeAddonVersionsResponse),
	modelOf[sdk.DescribeCapabilityInput, sdk.DescribeCapabilityOutput](schemas.DescribeCapability, schemas.DescribeCapabilityRequest, schemas.DescribeCapabilityResponse),
	modelOf[sdk.DescribeCertificateAuthorityInput, sdk.DescribeCertificateAuthorityOutput](schemas.DescribeCertificateAuthority, schemas.DescribeCertificateAuthorityRequest, schemas.DescribeCertificateAuthorityResponse),
	modelOf[sdk.DescribeClusterInput, sdk.DescribeClusterOutput](schemas.DescribeCluster, schemas.DescribeClusterRequest, schemas.DescribeClusterResponse),
	modelOf[sdk.DescribeClusterVersionsInput, sdk.DescribeClusterVersionsOutput](schemas.DescribeClusterVersions, schemas.DescribeClusterVersionsRequest, schemas.DescribeClusterVersionsResponse),
	modelOf[sdk.DescribeEksAnywhereSubscriptionInput, sdk.DescribeEksAnywhereSubscriptionOutput](schemas.DescribeEksAnywhereSubscription, schemas.DescribeEksAnywhereSubscriptionRequest, schemas.DescribeEksAnywhereSubscriptionResponse),
	modelOf[sdk.DescribeFargateProfileInput, sdk.DescribeFargateProfileOutput](schemas.DescribeFargateProfile, schemas.DescribeFargateProfileRequest, schemas.DescribeFargateProfileResponse),
	modelOf[sdk.DescribeIdentityProviderConfigInput, sdk.DescribeIdentityProviderConfigOutput](schemas.DescribeIdentityProviderConfig, schemas.DescribeIdentityProviderConfigRequest, schemas.DescribeIdentityProviderConfigResponse),
	modelOf[sdk.DescribeInsightInput, sdk.DescribeInsightOutput](schemas.DescribeInsight, schemas.DescribeInsightRequest, schemas.DescribeInsightResponse),
	modelOf[sdk.DescribeInsightsRefreshInput, sdk.DescribeInsightsRefreshOutput](schemas.DescribeInsightsRefresh, schemas.DescribeInsightsRefreshRequest, schemas.DescribeInsightsRefreshResponse),
	modelOf[sdk.DescribeNodegroupInput, sdk.DescribeNodegroupOutput](schemas.DescribeNodegroup, schemas.DescribeNodegroupRequest, schemas.DescribeNodegroupResponse),
	modelOf[sdk.DescribePodIdentityAssociationInput, sdk.DescribePodIdentityAssociationOutput](schemas.DescribePodIdentityAssociation, schemas.DescribePodIdentityAssociationRequest, schemas.DescribePodIdentityAssociationResponse),
	modelOf[sdk.DescribeUpdateInput, sdk.DescribeUpdateOutput](schemas.DescribeUpdate, schemas.DescribeUpdateRequest, schemas.DescribeUpdateResponse),
	modelOf[sdk.DisassociateAccessPolicyInput, sdk.DisassociateAccessPolicyOutput](schemas.DisassociateAccessPolicy, schemas.DisassociateAccessPolicyRequest, schemas.DisassociateAccessPolicyResponse),
	modelOf[sdk.DisassociateIdentityProviderConfigInput, sdk.DisassociateIdentityProviderConfigOutput](schemas.DisassociateIdentityProviderConfig, schemas.DisassociateIdentityProviderConfigRequest, schemas.DisassociateIdentityProviderConfigResponse),
	modelOf[sdk.ListAccessEntriesInput, sdk.ListAccessEntriesOutput](schemas.ListAccessEntries, schemas.ListAccessEntriesRequest, schemas.ListAccessEntriesResponse),
	modelOf[sdk.ListAccessPoliciesInput, sdk.ListAccessPoliciesOutput](schemas.ListAccessPolicies, schemas.ListAccessPoliciesRequest, schemas.ListAccessPoliciesResponse),
	modelOf[sdk.ListAddonsInput, sdk.ListAddonsOutput](schemas.ListAddons, schemas.ListAddonsRequest, schemas.ListAddonsResponse),
	modelOf[sdk.ListAssociatedAccessPoliciesInput, sdk.ListAssociatedAccessPoliciesOutput](schemas.ListAssociatedAccessPolicies, schemas.ListAssociatedAccessPoliciesRequest, schemas.ListAssociatedAccessPoliciesResponse),
	modelOf[sdk.ListCapabilitiesInput, sdk.ListCapabilitiesOutput](schemas.ListCapabilities, schemas.ListCapabilitiesRequest, schemas.ListCapabilitiesResponse),
	modelOf[sdk.ListCertificateAuthoritiesInput, sdk.ListCertificateAuthoritiesOutput](schemas.ListCertificateAuthorities, schemas.ListCertificateAuthoritiesRequest, schemas.ListCertificateAuthoritiesResponse),
	modelOf[sdk.ListClustersInput, sdk.ListClustersOutput](schemas.ListClusters, schemas.ListClustersRequest, schemas.ListClustersResponse),
	modelOf[sdk.ListEksAnywhereSubscriptionsInput, sdk.ListEksAnywhereSubscriptionsOutput](schemas.ListEksAnywhereSubscriptions, schemas.ListEksAnywhereSubscriptionsRequest, schemas.ListEksAnywhereSubscriptionsResponse),
	modelOf[sdk.ListFargateProfilesInput, sdk.ListFargateProfilesOutput](schemas.ListFargateProfiles, schemas.ListFargateProfilesRequest, schemas.ListFargateProfilesResponse),
	modelOf[sdk.ListIdentityProviderConfigsInput, sdk.ListIdentityProviderConfigsOutput](schemas.ListIdentityProviderConfigs, schemas.ListIdentityProviderConfigsRequest, schemas.ListIdentityProviderConfigsResponse),
	modelOf[sdk.ListInsightsInput, sdk.ListInsightsOutput](schemas.ListInsights, schemas.ListInsightsRequest, schemas.ListInsightsResponse),
	modelOf[sdk.ListNodegroupsInput, sdk.ListNodegroupsOutput](schemas.ListNodegroups, schemas.ListNodegroupsRequest, schemas.ListNodegroupsResponse),
	modelOf[sdk.ListPodIdentityAssociationsInput, sdk.ListPodIdentityAssociationsOutput](schemas.ListPodIdentityAssociations, schemas.ListPodIdentityAssociationsRequest, schemas.ListPodIdentityAssociationsResponse),
	modelOf[sdk.ListTagsForResourceInput, sdk.ListTagsForResourceOutput](schemas.ListTagsForResource, schemas.ListTagsForResourceRequest, schemas.ListTagsForResourceResponse),
	modelOf[sdk.ListUpdatesInput, sdk.ListUpdatesOutput](schemas.ListUpdates, schemas.ListUpdatesRequest, schemas.ListUpdatesResponse),
	modelOf[sdk.RegisterClusterInput, sdk.RegisterClusterOutput](schemas.RegisterCluster, schemas.RegisterClusterRequest, schemas.RegisterClusterResponse),
	modelOf[sdk.StartInsightsRefreshInput, sdk.StartInsightsRefreshOutput](schemas.StartInsightsRefresh, schemas.StartInsightsRefreshRequest, schemas.StartInsightsRefreshResponse),
	modelOf[sdk.TagResourceInput, sdk.TagResourceOutput](schemas.TagResource, schemas.TagResourceRequest, schemas.TagResourceResponse),
	modelOf[sdk.UntagResourceInput, sdk.UntagResourceOutput](schemas.UntagResource, schemas.UntagResourceRequest, schemas.UntagResourceResponse),
	modelOf[sdk.UpdateAccessEntryInput, sdk.UpdateAccessEntryOutput](schemas.UpdateAccessEntry, schemas.UpdateAccessEntryRequest, schemas.UpdateAccessEntryResponse),
	modelOf[sdk.UpdateAddonInput, sdk.UpdateAddonOutput](schemas.UpdateAddon, schemas.UpdateAddonRequest, schemas.UpdateAddonResponse),
	modelOf[sdk.UpdateCapabilityInput, sdk.UpdateCapabilityOutput](schemas.UpdateCapability, schemas.UpdateCapabilityRequest, schemas.UpdateCapabilityResponse),
	modelOf[sdk.UpdateClusterConfigInput, sdk.UpdateClusterConfigOutput](schemas.UpdateClusterConfig, schemas.UpdateClusterConfigRequest, schemas.UpdateClusterConfigResponse),
	modelOf[sdk.UpdateClusterVersionInput, sdk.UpdateClusterVersionOutput](schemas.UpdateClusterVersion, schemas.UpdateClusterVersionRequest, schemas.UpdateClusterVersionResponse),
	modelOf[sdk.UpdateEksAnywhereSubscriptionInput, sdk.UpdateEksAnywhereSubscriptionOutput](schemas.UpdateEksAnywhereSubscription, schemas.UpdateEksAnywhereSubscriptionRequest, schemas.UpdateEksAnywhereSubscriptionResponse),
	modelOf[sdk.UpdateNodegroupConfigInput, sdk.UpdateNodegroupConfigOutput](schemas.UpdateNodegroupConfig, schemas.UpdateNodegroupConfigRequest, schemas.UpdateNodegroupConfigResponse),
	modelOf[sdk.UpdateNodegroupVersionInput, sdk.UpdateNodegroupVersionOutput](schemas.UpdateNodegroupVersion, schemas.UpdateNodegroupVersionRequest, schemas.UpdateNodegroupVersionResponse),
	modelOf[sdk.UpdatePodIdentityAssociationInput, sdk.UpdatePodIdentityAssociationOutput](schemas.UpdatePodIdentityAssociation, schemas.UpdatePodIdentityAssociationRequest, schemas.UpdatePodIdentityAssociationResponse),
}
