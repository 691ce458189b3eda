package eksauthapi_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eksauth/types"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/oidc"
)

// TestEndedPod holds that the token of a pod that has ended is good for nothing, however long it would live, and that other pods of
// the service account are not affected.
func TestEndedPod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	_, err := w.exchange(t, w.admin, w.token(t, nil))
	must(t, err)
	must(t, w.clusters.EndPods(t.Context(), account, name, []string{"u2"}))
	_, err = w.exchange(t, w.admin, w.token(t, nil))
	refused[*types.InvalidTokenException](t, err, "The pod cart-56b9f94b4-dvd5c of namespace shop with uid u2 has ended", issuer)
	if r := w.last(); r.AdditionalData.Status != 400 || r.AdditionalData.Pod == nil || r.AdditionalData.Pod.PodUID != "u2" {
		t.Errorf("the record is %+v", r.AdditionalData)
	}
	_, err = w.exchange(t, w.admin, w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.PodUID = "u4" }))
	must(t, err)
	// Whether the service account still has an association does not matter: the pod has ended.
	_, err = w.exchange(t, w.admin, w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.ServiceAccount = "spy" }))
	refused[*types.InvalidTokenException](t, err, "has ended")
}

// TestOldToken holds what the memory of ended pods rests on: a token that a kubelet would have replaced is not accepted.
func TestOldToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	aged := func(age time.Duration) string {
		return w.token(t, func(r *oidc.ServiceAccountToken) {
			r.IssuedAt, r.Lifetime = time.Now().Add(-age), 365*24*time.Hour
		})
	}
	_, err := w.exchange(t, w.admin, aged(cluster.MaxTokenAge-time.Minute))
	must(t, err)
	_, err = w.exchange(t, w.admin, aged(cluster.MaxTokenAge+time.Minute))
	refused[*types.ExpiredTokenException](t, err, "was issued at", "accepted for 25 hours", issuer)
}
