package follow_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/follow"
)

// TestAssociated_byPattern holds that what matches a pattern is known from the picture, and that the rest is asked for.
func TestAssociated_byPattern(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		asked := map[string]int{}
		f := follow.New(follow.Config{Cluster: "c", Watch: p.watch, Find: func(_ context.Context, namespace, serviceAccount string) (bool, error) {
			asked[namespace+"/"+serviceAccount]++
			return namespace == "new", nil // a pattern that the picture does not show yet
		}})
		p.wanted.Associations = []client.WantedAssociation{
			{Namespace: "team-*", ServiceAccount: "*"}, {Namespace: "shop", ServiceAccount: "cart-*"}, {Namespace: "shop", ServiceAccount: "till"},
		}
		first := f.Changed()
		run(t, f)
		<-first
		tests := []struct {
			namespace, account string
			want               bool
			asked              int
		}{
			{"team-a", "anything", true, 0},
			{"shop", "cart-7", true, 0},
			{"shop", "till", true, 0},
			{"shop", "cart", false, 1},
			{"steam-a", "anything", false, 1},
			{"new", "x", true, 1},
		}
		for _, tt := range tests {
			got, err := f.Associated(t.Context(), tt.namespace, tt.account)
			if err != nil || got != tt.want || asked[tt.namespace+"/"+tt.account] != tt.asked {
				t.Errorf("%s/%s: got %t, %v after %d questions", tt.namespace, tt.account, got, err, asked[tt.namespace+"/"+tt.account])
			}
		}
		changed := f.Changed()
		p.associate("*") // all of namespace n
		<-changed
		if ok, err := f.Associated(t.Context(), "n", "any"); !ok || err != nil {
			t.Errorf("a new pattern: got %t, %v", ok, err)
		}
		time.Sleep(time.Second)
	})
}
