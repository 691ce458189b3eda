package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Report is what whoever runs a cluster tells about it: the operator, or the built-in cluster of the laptop mode. It is the
// whole truth each time, not a change.
type Report struct {
	Issuer               string        `json:"issuer"` // of the service account tokens
	JWKS                 string        `json:"jwks"`   // the issuer's public keys, a JSON Web Key Set
	Endpoint             string        `json:"endpoint,omitempty"`
	CertificateAuthority string        `json:"certificateAuthority,omitempty"` // base64 of PEM
	Version              string        `json:"version,omitempty"`              // Kubernetes, "1.36"
	Nodes                []ReportNode  `json:"nodes"`
	Addons               []ReportAddon `json:"addons"`
}

// ReportNode is a node of the cluster. A node group that nobody created and that nodes are reported of exists by that, until none is.
type ReportNode struct {
	Name      string `json:"name"`
	Ready     bool   `json:"ready"`
	Nodegroup string `json:"nodegroup,omitempty"`
	Version   string `json:"version,omitempty"` // of the kubelet, "v1.36.2"
	Zone      string `json:"zone,omitempty"`
}

// ReportAddon is an add-on that runs in the cluster.
type ReportAddon struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Healthy bool   `json:"healthy"`
	Message string `json:"message,omitempty"`
}

// Wanted is what the control plane wants of a cluster. Revision is a fingerprint of the rest: the same revision, the same
// content. It has no order.
type Wanted struct {
	Revision     int64               `json:"revision"`
	Addons       []WantedAddon       `json:"addons"`
	Nodegroups   []WantedNodegroup   `json:"nodegroups"`
	Associations []WantedAssociation `json:"associations"`
}

// WantedAddon is an add-on that the cluster is to run; one that is DELETING it is to stop running.
type WantedAddon struct {
	Name                string `json:"name"`
	Version             string `json:"version"`
	Namespace           string `json:"namespace"`
	ConfigurationValues string `json:"configurationValues,omitempty"`
	Status              string `json:"status"`
}

// WantedNodegroup is a node group that the cluster is to report nodes of.
type WantedNodegroup struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

// WantedAssociation is a service account whose pods get credentials, or a pattern of service accounts: a * in either name stands for any
// number of characters.
type WantedAssociation struct {
	AssociationID  string `json:"associationId"`
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
}

func clusterPath(name, sub string) string { return "/clusters/" + url.PathEscape(name) + "/" + sub }

// PutClusterReport replaces what is known about a cluster.
func (c *Client) PutClusterReport(ctx context.Context, name string, r Report) error {
	return c.Do(ctx, http.MethodPut, clusterPath(name, "report"), r, nil)
}

// WatchCluster returns what is wanted of a cluster once that differs from the revision after, or after wait (at most 30 s) in any case.
func (c *Client) WatchCluster(ctx context.Context, name string, after int64, wait time.Duration) (*Wanted, error) {
	query := url.Values{"after": {strconv.FormatInt(after, 10)}, "waitSeconds": {strconv.Itoa(int(wait / time.Second))}}
	var w Wanted
	if err := c.Do(ctx, http.MethodGet, clusterPath(name, "watch")+"?"+query.Encode(), nil, &w); err != nil {
		return nil, err
	}
	return &w, nil
}

// MaxEndedPods bounds how many pods one call reports.
const MaxEndedPods = 100

// ReportEndedPods tells that pods have ended, by their UIDs, 1 to [MaxEndedPods]: whatever still has a token of theirs gets no
// credentials for it. Telling it again changes nothing.
func (c *Client) ReportEndedPods(ctx context.Context, name string, uids []string) error {
	in := struct {
		PodUIDs []string `json:"podUids"`
	}{uids}
	return c.Do(ctx, http.MethodPost, clusterPath(name, "ended-pods"), in, nil)
}
