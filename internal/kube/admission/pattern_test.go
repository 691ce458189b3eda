package admission_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/follow"
	"github.com/podid/podid/internal/kube/inject"
)

// TestHandler_byPattern holds that a pod gets the variables and the volume when its service account matches a pattern, and not otherwise.
func TestHandler_byPattern(t *testing.T) {
	t.Parallel()
	wanted := &client.Wanted{Revision: 1, Associations: []client.WantedAssociation{{Namespace: "sh*", ServiceAccount: "cart-*"}}}
	f := follow.New(follow.Config{
		Cluster: "c", Find: func(context.Context, string, string) (bool, error) { return false, nil },
		Watch: func(ctx context.Context, after int64, _ time.Duration) (*client.Wanted, error) {
			if after == wanted.Revision {
				<-ctx.Done()
			}
			return wanted, ctx.Err()
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() { defer close(followed); _ = f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-followed })
	for changed := f.Changed(); !f.Synced(); {
		<-changed
	}
	w := newWorld()
	w.accounts["shop/cart-7"] = map[string]string{}
	h, err := admission.New(admission.Config{Settings: inject.Defaults(), Associations: f, ServiceAccounts: w, Namespaces: w})
	if err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]bool{"cart-7": true, "plain": false} {
		review := post(t, h, admission.PathMutate, reviewOf("shop", podOf(account)))
		if !review.Response.Allowed || strings.Contains(string(review.Response.Patch), "AWS_CONTAINER_CREDENTIALS_FULL_URI") != want {
			t.Errorf("%s: %s", account, review.Response.Patch)
		}
	}
}
