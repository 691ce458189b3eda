package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/podid/podid/internal/fault"
)

// Identity is what an API server says of itself.
type Identity struct {
	Issuer  string
	JWKS    []byte
	Version string // "1.36"
}

// APIServer reads an API server's documents about itself.
type APIServer struct {
	REST rest.Interface // with a login that may read them: spec: pod-identity.md 6.1
}

// Identity reads issuer, key set and version.
func (s APIServer) Identity(ctx context.Context) (*Identity, error) {
	var discovery struct {
		Issuer string `json:"issuer"`
	}
	if err := s.get(ctx, "/.well-known/openid-configuration", &discovery); err != nil {
		return nil, err
	}
	if discovery.Issuer == "" {
		return nil, fault.New(fault.Invalid, "issuer", "the API server's discovery document names no issuer")
	}
	// The well-known path, not jwks_uri: that one may lead outside of the cluster, to a copy that is behind.
	jwks, err := s.REST.Get().AbsPath("/openid/v1/jwks").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API server's key set: %w", err)
	}
	var version struct {
		Major, Minor string
	}
	if err := s.get(ctx, "/version", &version); err != nil {
		return nil, err
	}
	// Some vendors write a plus sign after the minor version.
	return &Identity{Issuer: discovery.Issuer, JWKS: jwks, Version: version.Major + "." + strings.TrimRight(version.Minor, "+")}, nil
}

func (s APIServer) get(ctx context.Context, path string, into any) error {
	text, err := s.REST.Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("read %s of the API server: %w", path, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s of the API server: %w", path, err)
	}
	return nil
}
