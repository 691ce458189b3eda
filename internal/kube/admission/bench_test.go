package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/admission"
	"github.com/podid/podid/internal/kube/follow"
	"github.com/podid/podid/internal/kube/inject"
)

// manyAssociations is what a large cluster has.
const manyAssociations = 5000

// largeCluster serves a webhook as the operator does, over TLS and HTTP/2, with its associations followed.
func largeCluster(t testing.TB) *httptest.Server {
	t.Helper()
	wanted := &client.Wanted{Revision: 1}
	w := newWorld()
	for i := range manyAssociations {
		name := fmt.Sprint("account-", i)
		wanted.Associations = append(wanted.Associations, client.WantedAssociation{Namespace: "shop", ServiceAccount: name})
		w.accounts["shop/"+name] = map[string]string{}
	}
	f := follow.New(follow.Config{
		Cluster: "large",
		Watch: func(ctx context.Context, after int64, _ time.Duration) (*client.Wanted, error) {
			if after == wanted.Revision {
				<-ctx.Done()
			}
			return wanted, ctx.Err()
		},
		Find: func(context.Context, string, string) (bool, error) { return false, nil },
	})
	ctx, cancel := context.WithCancel(context.Background())
	followed := make(chan struct{})
	go func() { defer close(followed); _ = f.Run(ctx) }()
	for changed := f.Changed(); !f.Synced(); {
		<-changed
	}
	h, err := admission.New(admission.Config{Settings: inject.Defaults(), Associations: f, ServiceAccounts: w, Namespaces: w})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(func() { s.Close(); cancel(); <-followed })
	return s
}

func admit(s *httptest.Server, account string) (*admissionv1.AdmissionResponse, error) {
	resp, err := s.Client().Post(s.URL+admission.PathMutate, "application/json", bytes.NewReader(reviewOf("shop", podOf(account))))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%d %s: %w", resp.StatusCode, body, err)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, err
	}
	return review.Response, nil
}

func TestHandler_overTLSWithManyAssociations(t *testing.T) {
	t.Parallel()
	s := largeCluster(t)
	for i := range 100 {
		account := fmt.Sprint("account-", i*(manyAssociations/100))
		r, err := admit(s, account)
		if err != nil {
			t.Fatal(err)
		}
		if methodOf(t, podOf(account), r) != inject.PodIdentity {
			t.Errorf("%s: got %+v", account, r)
		}
	}
}

// BenchmarkAdmission is what the API server waits for: review, decision and patch over TLS on loopback.
func BenchmarkAdmission(b *testing.B) {
	s := largeCluster(b)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		r, err := admit(s, fmt.Sprint("account-", i%manyAssociations))
		took = append(took, time.Since(began))
		if err != nil || len(r.Patch) == 0 {
			b.Fatalf("%+v, %v", r, err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
