package oidc

// Discovery is the document at an issuer's /.well-known/openid-configuration.
//
// spec: pod-identity.md 6.1
type Discovery struct {
	Issuer                string   `json:"issuer"`
	JWKSURI               string   `json:"jwks_uri"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	Algorithms            []string `json:"id_token_signing_alg_values_supported"`
	Claims                []string `json:"claims_supported"`
}

// NewDiscovery makes the document of an issuer whose keys are served at jwksURI: ISSUER/keys on EKS, ISSUER/openid/v1/jwks by a
// kube-apiserver.
func NewDiscovery(issuer, jwksURI string, keys *KeySet) *Discovery {
	return &Discovery{
		Issuer:                issuer,
		JWKSURI:               jwksURI,
		AuthorizationEndpoint: "urn:kubernetes:programmatic_authorization",
		ResponseTypes:         []string{"id_token"},
		SubjectTypes:          []string{"public"},
		Algorithms:            keys.Algorithms(),
		Claims:                []string{"sub", "iss"},
	}
}
