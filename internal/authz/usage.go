package authz

import (
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/iam"
)

// Used notes that a caller who was proven made a request, whatever became of it. A session counts as use of its role, so a role is
// used by what its sessions do and not by being assumed. It waits for nothing.
func (a *Authorizer) Used(c Caller, service, action, region string, at time.Time) {
	u := iam.Use{Account: c.Principal.Account, Service: service, Action: action, Region: region, At: at}
	switch c.Principal.Kind {
	case arn.RoleSession:
		u.EntityID = c.Principal.RoleID
	case arn.IAMUser:
		u.EntityID = c.Principal.ID
	case arn.RootUser:
	case arn.Anonymous, arn.FederatedUser, arn.Service, arn.WebIdentity:
		return
	}
	if strings.HasPrefix(c.AccessKeyID, "AKIA") {
		u.AccessKeyID = c.AccessKeyID
	}
	a.iam.Used(u)
}
