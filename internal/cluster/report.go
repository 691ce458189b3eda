package cluster

import (
	"context"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/store"
)

// Bounds of a report. It is stored as one record, which etcd bounds to 1.5 MiB.
const (
	maxReportedNodes  = 5000
	maxReportedAddons = 200
	maxReportedName   = 253
	maxMessage        = 1024
	maxIssuer         = 255
	maxURL            = 2048
	maxCA             = 128 << 10
	maxVersion        = 64
)

// Report is what is true of a cluster, told by whoever runs it. It is the whole truth, not a change.
type Report struct {
	Issuer               string `json:"-"` // of the service account tokens; required
	JWKS                 string `json:"-"` // the issuer's public keys; required
	Endpoint             string `json:"-"` // of the Kubernetes API; empty: not told
	CertificateAuthority string `json:"-"` // base64 of PEM
	Version              string `json:"-"` // Kubernetes

	Nodes  []ReportedNode  `json:"nodes"`
	Addons []ReportedAddon `json:"addons"`

	// Since says from when on nodes of a group were reported without a gap. It is kept here and not reported.
	Since map[string]time.Time `json:"since,omitempty"`
}

// ReportedNode is a node of the cluster.
type ReportedNode struct {
	Name      string `json:"name"`
	Ready     bool   `json:"ready"`
	Nodegroup string `json:"nodegroup,omitempty"`
	Version   string `json:"version,omitempty"` // of the kubelet
	Zone      string `json:"zone,omitempty"`
}

// ReportedAddon is an add-on that runs in the cluster.
type ReportedAddon struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Healthy bool   `json:"healthy"`
	Message string `json:"message,omitempty"` // why it is not
}

func badReport(format string, args ...any) error {
	return fault.New(fault.Invalid, "report", format, args...)
}

// check holds the bounds, and puts what has no order into one, so that the same truth is the same record.
func (p *Report) check() error {
	if err := checkIssuer(p.Issuer); err != nil {
		return err
	}
	if _, err := oidc.ParseKeySet([]byte(p.JWKS)); err != nil {
		return badReport("%s", fault.Of(err).Public)
	}
	if u, err := url.Parse(p.Endpoint); p.Endpoint != "" && (err != nil || u.Scheme != "https" || u.Host == "" || len(p.Endpoint) > maxURL) {
		return badReport("The endpoint %s is not an https URL", quoted(p.Endpoint))
	}
	if _, err := base64.StdEncoding.DecodeString(p.CertificateAuthority); err != nil || len(p.CertificateAuthority) > maxCA {
		return badReport("The certificate authority is not base64 of at most %d characters", maxCA)
	}
	if len(p.Version) > maxVersion {
		return badReport("The Kubernetes version has more than %d characters", maxVersion)
	}
	if len(p.Nodes) > maxReportedNodes || len(p.Addons) > maxReportedAddons {
		return badReport("A report has at most %d nodes and %d add-ons", maxReportedNodes, maxReportedAddons)
	}
	p.Nodes, p.Addons = slices.Clone(p.Nodes), slices.Clone(p.Addons)
	for _, n := range p.Nodes {
		if n.Name == "" || max(len(n.Name), len(n.Nodegroup), len(n.Zone)) > maxReportedName {
			return badReport("The node %s has no name, or one of more than %d characters", quoted(n.Name), maxReportedName)
		}
		if len(n.Version) > maxVersion {
			return badReport("The version of the node %s has more than %d characters", quoted(n.Name), maxVersion)
		}
	}
	for i := range p.Addons {
		a := &p.Addons[i]
		if a.Name == "" || len(a.Name) > maxReportedName || len(a.Version) > maxReportedName {
			return badReport("The add-on %s has no name, or one of more than %d characters", quoted(a.Name), maxReportedName)
		}
		if len(a.Message) > maxMessage {
			a.Message = strings.ToValidUTF8(a.Message[:maxMessage], "")
		}
	}
	slices.SortFunc(p.Nodes, func(a, b ReportedNode) int {
		return strings.Compare(a.Name+"\x00"+a.Nodegroup, b.Name+"\x00"+b.Nodegroup)
	})
	slices.SortFunc(p.Addons, func(a, b ReportedAddon) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// checkIssuer holds what an issuer is: an https URL without query and fragment, compared byte for byte ever after.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || len(issuer) > maxIssuer || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#") {
		return badReport("The issuer %s is not valid: it is an https URL of at most %d characters, without a query", quoted(issuer), maxIssuer)
	}
	return nil
}

func (p *Report) equal(q *Report) bool {
	return slices.Equal(p.Nodes, q.Nodes) && slices.Equal(p.Addons, q.Addons) && maps.EqualFunc(p.Since, q.Since, time.Time.Equal)
}

// since is from when on each group of the report has been there: as the report before says, or from now on.
func (p *Report) since(before *Report, now time.Time) map[string]time.Time {
	since := make(map[string]time.Time)
	for _, n := range p.Nodes {
		if n.Nodegroup == "" {
			continue
		}
		since[n.Nodegroup] = now
		if before != nil && !before.Since[n.Nodegroup].IsZero() {
			since[n.Nodegroup] = before.Since[n.Nodegroup]
		}
	}
	return since
}

// Report is what the cluster reported last; empty when it never did.
func (r *Registry) Report(account, cluster string) *Report {
	if p, ok := reports.Get(r.db.Snapshot(), store.Key{account, cluster}); ok {
		return p
	}
	return new(Report)
}

// PutReport takes a report over. A cluster is ACTIVE from its first report on; node groups and add-ons become what the report says,
// and those that are DELETING and no longer reported are gone. A report that says what the one before said costs no write.
func (r *Registry) PutReport(ctx context.Context, account, cluster string, p Report) error {
	if err := p.check(); err != nil {
		return err
	}
	return r.db.Update(ctx, func(tx *store.Tx) error {
		c, err := readCluster(tx, account, cluster)
		if err != nil {
			return err
		}
		if err := r.connect(tx, c, &p); err != nil {
			return err
		}
		old, ok, err := reports.Read(tx, c.key())
		if err != nil {
			return err
		}
		p.Since = p.since(old, r.clock())
		if !ok || !old.equal(&p) {
			reports.Put(tx, c.key(), &p)
		}
		for key, n := range nodegroups.AllTx(tx, c.key()) {
			switch {
			case n.Deleting && !slices.ContainsFunc(p.Nodes, func(node ReportedNode) bool { return node.Nodegroup == n.Name }):
				nodegroups.Delete(tx, key)
			case !n.WasActive && n.Status(&p) == Active:
				n.WasActive = true
				nodegroups.Put(tx, key, n)
			}
		}
		for key, a := range addons.AllTx(tx, c.key()) {
			switch _, running := a.Running(&p); {
			case a.Deleting && !running:
				addons.Delete(tx, key)
			case (!a.WasActive || a.updating()) && a.Status(&p) == Active:
				a.WasActive = true
				a.settle(Successful)
				addons.Put(tx, key, a)
			}
		}
		return nil
	})
}

// connect writes what the report says of the cluster itself, where that is new.
func (r *Registry) connect(tx *store.Tx, c *Cluster, p *Report) error {
	if c.Issuer == p.Issuer && c.JWKS == p.JWKS && c.Endpoint == p.Endpoint &&
		c.CertificateAuthority == p.CertificateAuthority && c.Version == p.Version {
		return nil
	}
	if c.Issuer != p.Issuer {
		release(tx, c)
		if err := r.claim(tx, c, p.Issuer); err != nil {
			return err
		}
	}
	c.Issuer, c.JWKS, c.Endpoint, c.CertificateAuthority, c.Version = p.Issuer, p.JWKS, p.Endpoint, p.CertificateAuthority, p.Version
	clusters.Put(tx, c.key(), c)
	return nil
}
