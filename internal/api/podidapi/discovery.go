package podidapi

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/oidc"
)

// discoveryPath is the path of a hosted issuer's documents.
var discoveryPath = regexp.MustCompile(`^/id/([0-9A-F]{32})/(\.well-known/openid-configuration|keys)$`)

// discoveryCaching lets whoever verifies tokens keep the documents for a while. A cluster publishes a new key before its tokens reach
// most verifiers, and keeps the old one until the last token that it signed has expired; so a verifier that is late by this much, and
// does not ask again for a key that it does not know, refuses at worst the first tokens of a new key.
const discoveryCaching = "public, max-age=300"

// Discovery serves the discovery document and the key set of hosted issuers, to anyone: both are public. The document names the
// algorithms of the keys that are there.
//
// spec: pod-identity.md 6.1
func Discovery(clusters *cluster.Registry) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := discoveryPath.FindStringSubmatch(r.URL.Path)
		if m == nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			http.NotFound(w, r)
			return
		}
		c, ok := clusters.Hosted(m[1])
		if !ok {
			http.NotFound(w, r)
			return
		}
		var document any = c.Keys()
		if m[2] != "keys" {
			document = oidc.NewDiscovery(c.Issuer, c.Issuer+"/keys", c.Keys())
		}
		text, err := json.Marshal(document)
		if err != nil {
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", discoveryCaching)
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text) // the reader is gone: nothing is left to tell
	})
}
