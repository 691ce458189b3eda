package lint

import "strings"

// keyType is the type of a condition key's values.
type keyType string

const (
	typeString  keyType = "String"
	typeARN     keyType = "ARN"
	typeBool    keyType = "Bool"
	typeNumeric keyType = "Numeric"
	typeDate    keyType = "Date"
	typeEpoch   keyType = "Date or Numeric"
	typeIP      keyType = "IP address"
)

type conditionKey struct {
	name  string // a trailing slash stands for any name after it
	typ   keyType
	multi bool
}

// conditionKeys are the global condition keys and those of S3, STS and IAM. spec: iam-policy.md 10, 11.3
var conditionKeys = [...]conditionKey{
	{"aws:AssumedRoot", typeBool, false},
	{"aws:CalledVia", typeString, true},
	{"aws:CalledViaFirst", typeString, false},
	{"aws:CalledViaLast", typeString, false},
	{"aws:ChatbotSourceArn", typeARN, false},
	{"aws:CurrentTime", typeDate, false},
	{"aws:Ec2InstanceSourcePrivateIPv4", typeIP, false},
	{"aws:Ec2InstanceSourceVpc", typeString, false},
	{"aws:EpochTime", typeEpoch, false},
	{"aws:FederatedProvider", typeString, false},
	{"aws:MultiFactorAuthAge", typeNumeric, false},
	{"aws:MultiFactorAuthPresent", typeBool, false},
	{"aws:PrincipalAccount", typeString, false},
	{"aws:PrincipalArn", typeARN, false},
	{"aws:PrincipalIsAWSService", typeBool, false},
	{"aws:PrincipalOrgID", typeString, false},
	{"aws:PrincipalOrgPaths", typeString, true},
	{"aws:PrincipalServiceName", typeString, false},
	{"aws:PrincipalServiceNamesList", typeString, true},
	{"aws:PrincipalTag/", typeString, false},
	{"aws:PrincipalType", typeString, false},
	{"aws:RequestTag/", typeString, false},
	{"aws:RequestedRegion", typeString, false},
	{"aws:ResourceAccount", typeString, false},
	{"aws:ResourceOrgID", typeString, false},
	{"aws:ResourceOrgPaths", typeString, true},
	{"aws:ResourceTag/", typeString, false},
	{"aws:SecureTransport", typeBool, false},
	{"aws:SourceAccount", typeString, false},
	{"aws:SourceArn", typeARN, false},
	{"aws:SourceIdentity", typeString, false},
	{"aws:SourceIp", typeIP, false},
	{"aws:SourceOrgID", typeString, false},
	{"aws:SourceOrgPaths", typeString, true},
	{"aws:SourceOwner", typeString, false},
	{"aws:SourceVpc", typeString, false},
	{"aws:SourceVpcArn", typeARN, false},
	{"aws:SourceVpce", typeString, false},
	{"aws:TagKeys", typeString, true},
	{"aws:TokenIssueTime", typeDate, false},
	{"aws:UserAgent", typeString, false},
	{"aws:ViaAWSService", typeBool, false},
	{"aws:VpceAccount", typeString, false},
	{"aws:VpceOrgID", typeString, false},
	{"aws:VpceOrgPaths", typeString, true},
	{"aws:VpcSourceIp", typeIP, false},
	{"aws:referer", typeString, false},
	{"aws:userid", typeString, false},
	{"aws:username", typeString, false},

	{"iam:AssociatedResourceArn", typeARN, false},
	{"iam:AWSServiceName", typeString, false},
	{"iam:FIDO-certification", typeString, false},
	{"iam:FIDO-FIPS-140-2-certification", typeString, false},
	{"iam:FIDO-FIPS-140-3-certification", typeString, false},
	{"iam:OrganizationsPolicyId", typeString, false},
	{"iam:PassedToService", typeString, false},
	{"iam:PermissionsBoundary", typeARN, false},
	{"iam:PolicyARN", typeARN, false},
	{"iam:RegisterSecurityKey", typeString, false},
	{"iam:ResourceTag/", typeString, false},
	{"iam:ServiceSpecificCredentialAgeDays", typeNumeric, false},
	{"iam:ServiceSpecificCredentialServiceName", typeString, false},

	{"sts:AWSServiceName", typeString, false},
	{"sts:DurationSeconds", typeNumeric, false},
	{"sts:ExternalId", typeString, false},
	{"sts:RequestContext/", typeString, false},
	{"sts:RequestContextProviders", typeARN, true},
	{"sts:RoleSessionName", typeString, false},
	{"sts:SourceIdentity", typeString, false},
	{"sts:TaskPolicyArn", typeARN, false},
	{"sts:TransitiveTagKeys", typeString, true},

	{"s3:AccessGrantsInstanceArn", typeARN, false},
	{"s3:AccessPointNetworkOrigin", typeString, false},
	{"s3:BucketTag/", typeString, false},
	{"s3:DataAccessPointAccount", typeString, false},
	{"s3:DataAccessPointArn", typeARN, false},
	{"s3:ExistingObjectTag/", typeString, false},
	{"s3:InventoryAccessibleOptionalFields", typeString, true},
	{"s3:JobSuspendedCause", typeString, false},
	{"s3:LocationConstraint", typeString, false},
	{"s3:ObjectCreationOperation", typeBool, false},
	{"s3:RequestObjectTag/", typeString, false},
	{"s3:RequestObjectTagKeys", typeString, true},
	{"s3:ResourceAccount", typeString, false},
	{"s3:TlsVersion", typeNumeric, false},
	{"s3:VersionId", typeString, false},
	{"s3:authType", typeString, false},
	{"s3:delimiter", typeString, false},
	{"s3:if-match", typeString, false},
	{"s3:if-none-match", typeString, false},
	{"s3:locationconstraint", typeString, false},
	{"s3:max-keys", typeNumeric, false},
	{"s3:object-lock-legal-hold", typeString, false},
	{"s3:object-lock-mode", typeString, false},
	{"s3:object-lock-remaining-retention-days", typeNumeric, false},
	{"s3:object-lock-retain-until-date", typeDate, false},
	{"s3:prefix", typeString, false},
	{"s3:signatureAge", typeNumeric, false},
	{"s3:signatureversion", typeString, false},
	{"s3:versionid", typeString, false},
	{"s3:x-amz-acl", typeString, false},
	{"s3:x-amz-content-sha256", typeString, false},
	{"s3:x-amz-copy-source", typeString, false},
	{"s3:x-amz-grant-full-control", typeString, false},
	{"s3:x-amz-grant-read", typeString, false},
	{"s3:x-amz-grant-read-acp", typeString, false},
	{"s3:x-amz-grant-write", typeString, false},
	{"s3:x-amz-grant-write-acp", typeString, false},
	{"s3:x-amz-metadata-directive", typeString, false},
	{"s3:x-amz-object-ownership", typeString, false},
	{"s3:x-amz-server-side-encryption", typeString, false},
	{"s3:x-amz-server-side-encryption-aws-kms-key-id", typeARN, false},
	{"s3:x-amz-server-side-encryption-customer-algorithm", typeString, false},
	{"s3:x-amz-storage-class", typeString, false},
	{"s3:x-amz-website-redirect-location", typeString, false},
}

// findKey looks a key up. Complete says whether every key of its service is known, so that an unknown one does not exist.
func findKey(name string) (key conditionKey, found, complete bool) {
	for _, k := range conditionKeys {
		if prefix, open := strings.CutSuffix(k.name, "/"); open {
			head, tail, ok := strings.Cut(name, "/")
			if ok && tail != "" && strings.EqualFold(head, prefix) {
				return k, true, true
			}
		} else if strings.EqualFold(name, k.name) {
			return k, true, true
		}
	}
	service, _, ok := strings.Cut(name, ":")
	switch strings.ToLower(service) {
	case "aws", "iam", "sts", "s3":
		return conditionKey{}, false, true
	}
	return conditionKey{}, false, !ok
}

// fits reports whether an operator, by its base name, compares values of the type. Strings compare ARNs too.
func (t keyType) fits(operator string) bool {
	is := func(prefix string) bool { return strings.HasPrefix(operator, prefix) }
	switch t {
	case typeString:
		return is("string") || is("binary")
	case typeARN:
		return is("string") || is("arn")
	case typeBool:
		return is("bool")
	case typeNumeric:
		return is("numeric")
	case typeDate:
		return is("date")
	case typeEpoch:
		return is("date") || is("numeric")
	case typeIP:
		return is("ipaddress") || is("notipaddress")
	}
	return true
}
