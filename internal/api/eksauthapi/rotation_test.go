package eksauthapi_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eksauth/types"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/oidc"
)

// A pod that starts right after its cluster's key was rotated has a token that nobody here can prove yet. It waits until the operator has
// told of the key.
func TestTokenOfANewKeyWaitsForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.associate(t, cluster.Association{RoleARN: w.role(t, account, "app", podsTrust, "")})
	rotated, err := oidc.NewSigner("RS256")
	must(t, err)
	old, before := w.signer, w.token(t, nil)
	w.signer = rotated
	token := w.token(t, nil)
	done := make(chan error, 1)
	go func() {
		_, err := w.exchange(t, w.admin, token)
		done <- err
	}()
	for range 3 { // what others ask meanwhile is answered
		_, err := w.exchange(t, w.admin, before)
		must(t, err)
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	w.report(t, rotated)
	must(t, <-done)

	// What is never told is refused, also where more come than may wait.
	w.report(t, old)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := w.exchange(t, w.admin, token)
			refused[*types.InvalidTokenException](t, err, "not in the key set")
			if err != nil && strings.Contains(err.Error(), token) {
				t.Error("the refusal quotes the token")
			}
		})
	}
	all.Wait()
}
