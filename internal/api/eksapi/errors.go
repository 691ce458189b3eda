package eksapi

import (
	"net/http"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/fault"
)

// Codes of the error shapes. spec: pod-identity.md 1.2
const (
	shapeAccess      = "AccessDeniedException"
	shapeBadRequest  = "BadRequestException"
	shapeClient      = "ClientException"
	shapeInUse       = "ResourceInUseException"
	shapeLimit       = "ResourceLimitExceededException"
	shapeNotFound    = "ResourceNotFoundException"
	shapeParameter   = "InvalidParameterException"
	shapeRequest     = "InvalidRequestException"
	shapeServer      = "ServerException"
	shapeState       = "InvalidStateException"
	shapeThrottling  = "ThrottlingException"
	shapeTagMissing  = "NotFoundException"
	shapeUnavailable = "ServiceUnavailableException"
)

// faults words each way to fail as EKS does. A limit of the store is no quota of the caller's: it is ours to fix.
var faults = api.Faults{
	{Kind: fault.NotFound, Shape: api.Shape{Code: shapeNotFound, Status: http.StatusNotFound}},
	{Kind: fault.NotFound, Subject: "tagged resource", Shape: api.Shape{Code: shapeTagMissing, Status: http.StatusNotFound}},
	{Kind: fault.Invalid, Subject: "tagging", Shape: api.Shape{Code: shapeBadRequest, Status: http.StatusBadRequest}},
	{Kind: fault.Exists, Shape: api.Shape{Code: shapeInUse, Status: http.StatusConflict}},
	{Kind: fault.Conflict, Subject: "cluster", Shape: api.Shape{Code: shapeInUse, Status: http.StatusConflict}},
	{Kind: fault.Conflict, Subject: "client request token", Shape: api.Shape{Code: shapeParameter, Status: http.StatusBadRequest}},
	{Kind: fault.Conflict, Shape: api.Shape{Code: shapeRequest, Status: http.StatusBadRequest}},
	{Kind: fault.Conflict, Subject: "registration", Shape: api.Shape{Code: shapeClient, Status: http.StatusBadRequest}},
	{Kind: fault.Conflict, Subject: "update", Shape: api.Shape{Code: shapeState, Status: http.StatusBadRequest}},
	{Kind: fault.Unsupported, Shape: api.Shape{Code: shapeRequest, Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Shape: api.Shape{Code: shapeLimit, Status: http.StatusBadRequest}},
	{Kind: fault.Limit, Subject: "store", Shape: api.Shape{Code: shapeServer, Status: http.StatusInternalServerError}},
	{Kind: fault.Invalid, Shape: api.Shape{Code: shapeParameter, Status: http.StatusBadRequest}},
	{Kind: fault.Unavailable, Shape: api.Shape{Code: shapeServer, Status: http.StatusInternalServerError}},
	{Kind: fault.Internal, Shape: api.Shape{Code: shapeServer, Status: http.StatusInternalServerError}},
}

// modelled lists the error shapes of each operation. The tagging operations have no server error in the model; every service
// can fail, and a client then reads the status. spec: pod-identity.md 1.1
var modelled = map[string][]string{
	"CreateCluster":   {shapeServer, shapeInUse, shapeLimit, shapeParameter, shapeClient, shapeUnavailable},
	"DescribeCluster": {shapeServer, shapeNotFound, shapeClient, shapeUnavailable},
	"ListClusters":    {shapeServer, shapeParameter, shapeClient, shapeUnavailable},
	"DeleteCluster":   {shapeServer, shapeInUse, shapeNotFound, shapeClient, shapeUnavailable, shapeRequest},

	"UpdateClusterConfig": {
		shapeServer, shapeParameter, shapeClient, shapeInUse, shapeNotFound, shapeRequest, shapeThrottling,
	},
	"UpdateClusterVersion": {
		shapeServer, shapeParameter, shapeClient, shapeInUse, shapeNotFound, shapeRequest, shapeThrottling, shapeState,
	},
	"AssociateEncryptionConfig": {
		shapeServer, shapeParameter, shapeClient, shapeInUse, shapeNotFound, shapeRequest, shapeThrottling,
	},
	"DescribeClusterVersions": {shapeServer, shapeParameter, shapeRequest},
	"RegisterCluster": {
		shapeServer, shapeLimit, shapeParameter, shapeClient, shapeUnavailable, shapeAccess, shapeInUse,
	},
	"DeregisterCluster": {shapeServer, shapeInUse, shapeNotFound, shapeClient, shapeUnavailable, shapeAccess},

	"CreateAccessEntry":            {shapeServer, shapeNotFound, shapeRequest, shapeParameter, shapeLimit, shapeInUse},
	"DescribeAccessEntry":          {shapeServer, shapeNotFound, shapeRequest},
	"ListAccessEntries":            {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"UpdateAccessEntry":            {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"DeleteAccessEntry":            {shapeServer, shapeNotFound, shapeRequest},
	"AssociateAccessPolicy":        {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"DisassociateAccessPolicy":     {shapeServer, shapeNotFound, shapeRequest},
	"ListAssociatedAccessPolicies": {shapeServer, shapeNotFound, shapeRequest},
	"ListAccessPolicies":           {shapeServer},

	"UpdateNodegroupConfig":  {shapeServer, shapeParameter, shapeClient, shapeInUse, shapeNotFound, shapeRequest},
	"UpdateNodegroupVersion": {shapeServer, shapeParameter, shapeClient, shapeInUse, shapeNotFound, shapeRequest},
	"CancelUpdate":           {shapeServer, shapeParameter, shapeClient, shapeInUse, shapeNotFound, shapeRequest, shapeState, shapeThrottling},

	"CreateFargateProfile":   {shapeServer, shapeParameter, shapeRequest, shapeClient, shapeLimit},
	"DescribeFargateProfile": {shapeServer, shapeParameter, shapeClient, shapeNotFound},
	"DeleteFargateProfile":   {shapeServer, shapeParameter, shapeClient, shapeNotFound},
	"ListFargateProfiles":    {shapeServer, shapeParameter, shapeClient, shapeNotFound},

	"AssociateIdentityProviderConfig": {
		shapeServer, shapeParameter, shapeClient, shapeInUse, shapeNotFound, shapeRequest, shapeThrottling,
	},
	"DescribeIdentityProviderConfig": {shapeServer, shapeParameter, shapeNotFound, shapeClient, shapeUnavailable},
	"DisassociateIdentityProviderConfig": {
		shapeServer, shapeParameter, shapeClient, shapeInUse, shapeNotFound, shapeRequest, shapeThrottling,
	},
	"ListIdentityProviderConfigs": {shapeServer, shapeParameter, shapeClient, shapeUnavailable, shapeNotFound},

	"CreateCapability":   {shapeServer, shapeParameter, shapeRequest, shapeLimit, shapeInUse, shapeAccess, shapeThrottling},
	"DescribeCapability": {shapeServer, shapeParameter, shapeAccess, shapeNotFound},
	"UpdateCapability":   {shapeServer, shapeParameter, shapeAccess, shapeNotFound, shapeInUse},
	"DeleteCapability":   {shapeServer, shapeParameter, shapeAccess, shapeNotFound, shapeInUse},
	"ListCapabilities":   {shapeServer, shapeParameter},

	"DescribeInsight":         {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"ListInsights":            {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"StartInsightsRefresh":    {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"DescribeInsightsRefresh": {shapeServer, shapeNotFound, shapeRequest, shapeParameter},

	"CreateEksAnywhereSubscription":   {shapeServer, shapeLimit, shapeParameter, shapeClient, shapeUnavailable},
	"DescribeEksAnywhereSubscription": {shapeServer, shapeNotFound, shapeClient, shapeUnavailable},
	"UpdateEksAnywhereSubscription":   {shapeServer, shapeParameter, shapeClient, shapeNotFound, shapeRequest},
	"DeleteEksAnywhereSubscription":   {shapeServer, shapeNotFound, shapeClient, shapeRequest},
	"ListEksAnywhereSubscriptions":    {shapeServer, shapeParameter, shapeClient, shapeUnavailable},

	"CreateCertificateAuthority":   {shapeServer, shapeParameter, shapeInUse, shapeNotFound, shapeLimit, shapeUnavailable},
	"ActivateCertificateAuthority": {shapeServer, shapeParameter, shapeNotFound, shapeUnavailable},
	"DescribeCertificateAuthority": {shapeServer, shapeNotFound, shapeUnavailable},
	"DeleteCertificateAuthority":   {shapeServer, shapeParameter, shapeInUse, shapeNotFound, shapeUnavailable},
	"ListCertificateAuthorities":   {shapeServer, shapeParameter, shapeNotFound, shapeUnavailable},

	"CreateNodegroup": {
		shapeServer, shapeInUse, shapeLimit, shapeRequest, shapeParameter, shapeClient, shapeUnavailable, shapeNotFound,
	},
	"DescribeNodegroup": {shapeServer, shapeParameter, shapeNotFound, shapeClient, shapeUnavailable},
	"ListNodegroups":    {shapeServer, shapeParameter, shapeNotFound, shapeClient, shapeUnavailable},
	"DeleteNodegroup":   {shapeServer, shapeInUse, shapeNotFound, shapeParameter, shapeClient, shapeUnavailable},

	"CreateAddon":           {shapeServer, shapeParameter, shapeRequest, shapeNotFound, shapeInUse, shapeClient},
	"DescribeAddon":         {shapeServer, shapeParameter, shapeRequest, shapeNotFound, shapeClient},
	"ListAddons":            {shapeServer, shapeParameter, shapeRequest, shapeNotFound, shapeClient},
	"DeleteAddon":           {shapeServer, shapeParameter, shapeRequest, shapeNotFound, shapeClient},
	"UpdateAddon":           {shapeServer, shapeParameter, shapeRequest, shapeNotFound, shapeInUse, shapeClient},
	"DescribeAddonVersions": {shapeServer, shapeNotFound, shapeParameter},

	"DescribeAddonConfiguration": {shapeServer, shapeNotFound, shapeParameter},
	"DescribeUpdate":             {shapeServer, shapeParameter, shapeNotFound, shapeClient},
	"ListUpdates":                {shapeServer, shapeParameter, shapeNotFound, shapeClient},

	"CreatePodIdentityAssociation":   {shapeServer, shapeNotFound, shapeRequest, shapeParameter, shapeLimit, shapeInUse},
	"ListPodIdentityAssociations":    {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"DescribePodIdentityAssociation": {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"UpdatePodIdentityAssociation":   {shapeServer, shapeNotFound, shapeRequest, shapeParameter},
	"DeletePodIdentityAssociation":   {shapeServer, shapeNotFound, shapeRequest, shapeParameter},

	"TagResource":         {shapeServer, shapeBadRequest, shapeTagMissing},
	"UntagResource":       {shapeServer, shapeBadRequest, shapeTagMissing},
	"ListTagsForResource": {shapeServer, shapeBadRequest, shapeTagMissing},
}

// asRequest words a failure of a member as InvalidRequestException, for operations whose model has no InvalidParameterException.
func asRequest(err error) error {
	f := fault.Of(err)
	if f.Kind != fault.Invalid {
		return err
	}
	return fault.New(fault.Conflict, "parameter", "%s", f.Public).Because(err)
}
