package server_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/issuer"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/server"
	"github.com/podid/podid/internal/store/storetest"
)

// TestKeysOfProviders holds whose keys count: those of the cluster of the provider's own account that has the issuer, before what the
// issuer publishes, and never those of another account's cluster. See docs/decisions/0006-whose-keys-count.md.
func TestKeysOfProviders(t *testing.T) {
	t.Parallel()
	const host = "127.0.0.1:1/id/A" // nobody answers there, and a fetch is refused
	clusters, err := cluster.New(cluster.Config{DB: storetest.New(t, cluster.Schema()...), Region: "us-east-1"})
	must(t, err)
	find := server.ProviderKeys(clusters, issuer.New(issuer.Config{}))
	own := &iam.Provider{Account: "111122223333", Host: host}
	signers := map[string]*oidc.Signer{}
	connect := func(account, name string) *oidc.KeySet {
		t.Helper()
		if _, ok := clusters.Find(account, name); !ok {
			_, err := clusters.Create(t.Context(), cluster.Cluster{Account: account, Name: name}, "")
			must(t, err)
		}
		signers[name], err = oidc.NewSigner("ES256")
		must(t, err)
		text, err := signers[name].KeySet().MarshalJSON()
		must(t, err)
		must(t, clusters.PutReport(t.Context(), account, name, cluster.Report{Issuer: "https://" + host, JWKS: string(text)}))
		return signers[name].KeySet()
	}
	refused := func(kind fault.Kind) {
		t.Helper()
		keys, err := find(t.Context(), own, nil)
		if keys != nil || !errors.Is(err, kind) || fault.Of(err).Subject != "provider" {
			t.Errorf("got %v, %v, want %v", keys, err, kind)
		}
	}

	connect("444455556666", "foreign")
	refused(fault.NotFound) // fetched from outside, where there is none

	want := connect(own.Account, "a")
	keys, err := find(t.Context(), own, nil)
	must(t, err)
	if diff := cmp.Diff(want.KeyIDs(), keys.KeyIDs()); diff != "" {
		t.Error(diff)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if same, err := find(impatient, own, keys); same != keys || err != nil {
		t.Errorf("without another set: got %v, %v", same, err)
	}
	// A token of a new key waits for the cluster to publish it.
	rotated := make(chan *oidc.KeySet)
	go func() {
		newer, err := find(t.Context(), own, keys)
		if err != nil {
			t.Error(err)
		}
		rotated <- newer
	}()
	want = connect(own.Account, "a")
	if diff := cmp.Diff(want.KeyIDs(), (<-rotated).KeyIDs()); diff != "" {
		t.Error(diff)
	}
	if newer, err := find(t.Context(), own, keys); err != nil || newer.KeyIDs()[0] != want.KeyIDs()[0] {
		t.Errorf("got %v, %v", newer, err)
	}

	connect(own.Account, "b")
	refused(fault.Unavailable)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
