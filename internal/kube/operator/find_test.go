package operator_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/operator"
)

// TestFind holds that the operator asks which association counts, that where it may not or cannot it asks for the service account's own, and
// that what cannot be known is an error.
func TestFind(t *testing.T) {
	t.Parallel()
	const one, none = `{"associations":[{"associationId":"a-1"}]}`, `{"associations":[]}`
	tests := []struct {
		name    string
		status  int    // of the preview
		preview string // its body
		list    string // the list's; empty: it fails
		want    bool
		fails   bool
	}{
		{name: "a pattern counts", status: 200, preview: `{"winner":{"associationId":"a-1","namespace":"*","serviceAccount":"*"}}`, want: true},
		{name: "none counts", status: 200, preview: `{}`, list: one},
		{name: "it may not ask, and there is one", status: 403, preview: `{"message":"no"}`, list: one, want: true},
		{name: "it may not ask, and there is none", status: 403, preview: `{"message":"no"}`, list: none},
		{name: "an older control plane", status: 404, preview: `{"message":"no operation"}`, list: one, want: true},
		{name: "nobody says", status: 503, preview: `{"message":"later"}`, list: one, fails: true},
		{name: "it may not ask anything", status: 403, preview: `{"message":"no"}`, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				switch {
				case strings.HasSuffix(r.URL.Path, "/association-preview"):
					w.WriteHeader(tt.status)
					fmt.Fprint(w, tt.preview)
				case tt.list == "":
					w.WriteHeader(http.StatusForbidden)
				default:
					fmt.Fprint(w, tt.list)
				}
			}))
			defer s.Close()
			c := operator.Config{
				Cluster: "c", Endpoint: s.URL, Region: "us-east-1", Now: time.Now, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
			}
			got, err := c.Find(t.Context(), "shop", "cart")
			if got != tt.want || (err != nil) != tt.fails || tt.fails && !errors.Is(err, fault.Unavailable) {
				t.Errorf("got %t, %v", got, err)
			}
		})
	}
}
