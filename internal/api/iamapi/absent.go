package iamapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
)

// addAbsent serves the lists of what is not here. Tools read them, above all before they delete a user, and the truth is that there
// is nothing.
func (s *service) addAbsent(t *api.Typed) {
	mfa := call(s.listMFADevices, s.user)
	mfa.Differs = []string{"There are no MFA devices; the list is always empty."}
	virtual := call(s.listVirtualMFADevices, account)
	virtual.Differs = mfa.Differs
	ssh := call(s.listSSHPublicKeys, s.user)
	ssh.Differs = []string{"Users have no SSH keys; the list is always empty."}
	signing := call(s.listSigningCertificates, s.user)
	signing.Differs = []string{"Users have no signing certificates; the list is always empty."}
	specific := call(s.listServiceSpecificCredentials, s.user)
	specific.Differs = []string{"Users have no credentials for single services; the list is always empty."}
	server := call(s.listServerCertificates, account)
	server.Differs = []string{"There are no server certificates; the list is always empty."}
	saml := call(s.listSAMLProviders, account)
	saml.Differs = []string{"There are no SAML providers; the list is always empty."}
	t.Operations = append(t.Operations, api.Op(mfa), api.Op(virtual), api.Op(ssh), api.Op(signing), api.Op(specific), api.Op(server), api.Op(saml))
}

// known fails unless the user whom a list is about exists: the one that is named, else the caller. The root user does.
func (s *service) known(c *api.Call, user *string) error {
	name, err := userName(c, user)
	if err != nil || user == nil && name == "" {
		return err
	}
	_, err = s.iam.GetUser(c.Account(), name)
	return err
}

func (s *service) listMFADevices(_ context.Context, c *api.Call, in *sdk.ListMFADevicesInput) (*sdk.ListMFADevicesOutput, error) {
	return &sdk.ListMFADevicesOutput{MFADevices: []types.MFADevice{}}, s.known(c, in.UserName)
}

func (s *service) listVirtualMFADevices(
	context.Context, *api.Call, *sdk.ListVirtualMFADevicesInput,
) (*sdk.ListVirtualMFADevicesOutput, error) {
	return &sdk.ListVirtualMFADevicesOutput{VirtualMFADevices: []types.VirtualMFADevice{}}, nil
}

func (s *service) listSSHPublicKeys(_ context.Context, c *api.Call, in *sdk.ListSSHPublicKeysInput) (*sdk.ListSSHPublicKeysOutput, error) {
	return &sdk.ListSSHPublicKeysOutput{SSHPublicKeys: []types.SSHPublicKeyMetadata{}}, s.known(c, in.UserName)
}

func (s *service) listSigningCertificates(
	_ context.Context, c *api.Call, in *sdk.ListSigningCertificatesInput,
) (*sdk.ListSigningCertificatesOutput, error) {
	return &sdk.ListSigningCertificatesOutput{Certificates: []types.SigningCertificate{}}, s.known(c, in.UserName)
}

func (s *service) listServiceSpecificCredentials(
	_ context.Context, c *api.Call, in *sdk.ListServiceSpecificCredentialsInput,
) (*sdk.ListServiceSpecificCredentialsOutput, error) {
	out := &sdk.ListServiceSpecificCredentialsOutput{ServiceSpecificCredentials: []types.ServiceSpecificCredentialMetadata{}}
	if aws.ToBool(in.AllUsers) {
		return out, nil
	}
	return out, s.known(c, in.UserName)
}

func (s *service) listServerCertificates(
	context.Context, *api.Call, *sdk.ListServerCertificatesInput,
) (*sdk.ListServerCertificatesOutput, error) {
	return &sdk.ListServerCertificatesOutput{ServerCertificateMetadataList: []types.ServerCertificateMetadata{}}, nil
}

func (s *service) listSAMLProviders(context.Context, *api.Call, *sdk.ListSAMLProvidersInput) (*sdk.ListSAMLProvidersOutput, error) {
	return &sdk.ListSAMLProvidersOutput{SAMLProviderList: []types.SAMLProviderListEntry{}}, nil
}
