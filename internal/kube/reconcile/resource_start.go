package reconcile

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// starter starts the controllers of kinds once the cluster has them: a controller of a kind that is missing would end the manager,
// and with it all that does not need the kind.
type starter struct {
	r   *resources
	mgr manager.Manager
}

// kindsLook is how often the cluster is asked for kinds that it did not have.
const kindsLook = 10 * time.Second

// NeedLeaderElection is true: what it starts writes.
func (*starter) NeedLeaderElection() bool { return true }

// Start waits for podid's own kinds first, which ACK's are compared with.
func (s *starter) Start(ctx context.Context) error {
	own := v1alpha1.GroupVersion
	if !s.until(ctx, own.WithKind("PodIdentityAssociation"), own.WithKind("Role"), own.WithKind("Policy")) {
		return nil
	}
	err := errors.Join(s.r.setupAssociations(ctx, s.mgr), s.r.setupRoles(s.mgr), s.r.setupPolicies(s.mgr))
	if err != nil {
		return err
	}
	if !s.until(ctx, ackAssociation) {
		return nil
	}
	return s.r.setupACK(ctx, s.mgr)
}

// until returns true once the cluster has all kinds, false if ctx ends before.
func (s *starter) until(ctx context.Context, kinds ...schema.GroupVersionKind) bool {
	tick := time.NewTicker(min(kindsLook, s.r.Resync))
	defer tick.Stop()
	for told := false; ; told = true {
		err := s.missing(kinds)
		if err == nil {
			return true
		}
		switch {
		case !meta.IsNoMatchError(err):
			s.r.Logger.WarnContext(ctx, "the cluster's kinds cannot be read", "error", err)
		case !told:
			s.r.Logger.InfoContext(ctx, "the cluster does not have this kind, it is looked after once it does", "group", kinds[0].Group, "kind", kinds[0].Kind)
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// missing is an error if a kind is not in the cluster, or that cannot be known.
func (s *starter) missing(kinds []schema.GroupVersionKind) error {
	for _, k := range kinds {
		if _, err := s.mgr.GetRESTMapper().RESTMapping(k.GroupKind(), k.Version); err != nil {
			return err
		}
	}
	return nil
}
