package eksauthapi

import (
	"context"

	"github.com/podid/podid/internal/api"
)

// AssumeRoleForPodIdentity is the operation without its wire, for the benchmark.
func AssumeRoleForPodIdentity(
	ctx context.Context, c Config, call *api.Call, in *AssumeRoleForPodIdentityInput,
) (*AssumeRoleForPodIdentityOutput, error) {
	return newService(c).assumeRoleForPodIdentity(ctx, call, in)
}

// What the walk over the errors reads.
var (
	Faults   = faults
	Modelled = modelled
)
