package eksauthapi

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/uuid"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

// AWS's sentences; what we saw follows them. spec: pod-identity.md 2.3
const (
	textNoAssociation = "The token included in the request has no service account role association for it."
	textNotAssumable  = "Unauthorized Exception! EKS does not have permissions to assume the associated role."
)

// Lifetimes of the session: with a target role both sessions last as long as a chained one may. spec: pod-identity.md 2.6
const (
	lifetime        = 6 * time.Hour
	chainedLifetime = time.Hour
)

// Lengths of what the caller says of its node. The model bounds none of them.
const (
	maxNodeName   = 253
	maxInstanceID = 255
	maxZone       = 63
)

// checkPlace validates what the caller says of its node: it goes into the records of requests. Instances are not only EC2's.
func checkPlace(member string, value *string, longest int, punctuation string) error {
	v := aws.ToString(value)
	for i := range len(v) {
		if c := v[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(punctuation, c) < 0 {
			return fault.New(fault.Invalid, "parameter", "%s has letters, digits and any of %s", member, punctuation)
		}
	}
	if len(v) > longest {
		return fault.New(fault.Invalid, "parameter", "%s has at most %d characters", member, longest)
	}
	return nil
}

// checkInput validates the request's syntax. What the token says is not looked at here.
func checkInput(in *AssumeRoleForPodIdentityInput) error {
	if err := cluster.CheckName(aws.ToString(in.ClusterName)); err != nil {
		return fault.New(fault.Invalid, "parameter", "%s", fault.Of(err).Public)
	}
	for _, err := range []error{
		checkPlace("eksNodeName", in.EksNodeName, maxNodeName, ".-"), checkPlace("instanceId", in.InstanceId, maxInstanceID, "._:/-"),
		checkPlace("zone", in.Zone, maxZone, "._-"),
	} {
		if err != nil {
			return err
		}
	}
	token := aws.ToString(in.Token)
	if token == "" {
		return fault.New(fault.Invalid, "parameter", "token is required")
	}
	if len(token) > oidc.MaxToken || !threeParts(token) {
		return fault.New(fault.Invalid, "parameter", "token must be a JSON Web Token of at most %d characters", oidc.MaxToken)
	}
	return nil
}

// threeParts is the model's pattern of a token. spec: pod-identity.md 2.2
func threeParts(token string) bool {
	parts := 0
	for part := range strings.SplitSeq(token, ".") {
		parts++
		if part == "" || strings.ContainsFunc(part, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_=", r)
		}) {
			return false
		}
	}
	return parts == 3
}

// assumeRoleForPodIdentity takes the steps of spec 2.3 in their order.
func (s *service) assumeRoleForPodIdentity(
	ctx context.Context, c *api.Call, in *AssumeRoleForPodIdentityInput,
) (*AssumeRoleForPodIdentityOutput, error) {
	home, err := s.Clusters.Get(ctx, c.Account(), *in.ClusterName)
	if err != nil {
		return nil, err
	}
	c.Record.Touch(home.ARN(), home.Account, "AWS::EKS::Cluster")
	claims, err := s.verify(ctx, home, *in.Token, c.Now)
	if err != nil {
		return nil, err
	}
	pod := &credential.Pod{
		ClusterARN: home.ARN(), Namespace: claims.Kubernetes.Namespace, ServiceAccount: claims.Kubernetes.ServiceAccount,
		PodName: claims.Kubernetes.Pod, PodUID: claims.Kubernetes.PodUID, Node: claims.Kubernetes.Node,
	}
	c.Record.AdditionalData.Pod = pod
	if err := sameNode(c, aws.ToString(in.EksNodeName), pod); err != nil {
		return nil, err
	}
	if s.Clusters.Ended(home, pod.PodUID) {
		return nil, fault.New(fault.Unauthenticated, "token", "The pod %s of namespace %s with uid %s has ended: its tokens are no longer accepted "+
			"(iss %q, aud %q, sub %q)", pod.PodName, pod.Namespace, pod.PodUID, claims.Issuer, claims.Audience, claims.Subject)
	}
	association, err := s.Clusters.Lookup(ctx, home.Account, home.Name, pod.Namespace, pod.ServiceAccount)
	if err != nil {
		return nil, noAssociation(err, claims)
	}
	pod.AssociationID = association.ID
	session, err := s.assume(c, home, association, pod)
	if err != nil {
		return nil, notAssumable(err)
	}
	if _, err := s.caller(session); err != nil { // an agent would keep a dead session for hours
		return nil, err
	}
	credentials, err := s.Ring.Mint(ctx, session)
	if err != nil {
		return nil, err
	}
	c.Record.AdditionalData.Credential = session.Principal.ARN
	return &AssumeRoleForPodIdentityOutput{
		Subject:                Subject{Namespace: pod.Namespace, ServiceAccount: pod.ServiceAccount},
		Audience:               Audience,
		PodIdentityAssociation: AssociationRef{AssociationArn: association.ARN(), AssociationId: association.ID},
		AssumedRoleUser:        AssumedRoleUser{Arn: session.Principal.ARN, AssumeRoleId: session.Principal.ID},
		Credentials: Credentials{
			AccessKeyId: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
			SessionToken: credentials.SessionToken, Expiration: credentials.Expiration,
		},
	}, nil
}

// verify proves a token with the keys that its cluster published. A key that is not among them may have been published a moment ago
// through another replica, so that refusal is made sure of first; or it may be new to the cluster itself, and about to be published.
func (s *service) verify(ctx context.Context, home *cluster.Cluster, token string, now time.Time) (*oidc.Claims, error) {
	claims, err := prove(home, token, now)
	if !errors.Is(err, oidc.ErrUnknownKey) {
		return claims, err
	}
	if err := s.Clusters.Sync(ctx); err != nil {
		return nil, err
	}
	if newer, ok := s.awaitKeys(ctx, home); ok {
		return prove(newer, token, now)
	}
	return nil, err
}

// awaitKeys waits for another key set of a cluster. The wait is over at once where there is one already, or where too many wait.
func (s *service) awaitKeys(ctx context.Context, home *cluster.Cluster) (*cluster.Cluster, bool) {
	select {
	case s.keyWaits <- struct{}{}:
		defer func() { <-s.keyWaits }()
		ctx, cancel := context.WithTimeout(ctx, s.KeyWait)
		defer cancel()
		return s.Clusters.AwaitKeys(ctx, home.Account, home.Name, home.JWKS)
	default:
		newer, ok := s.Clusters.Find(home.Account, home.Name)
		return newer, ok && newer.JWKS != home.JWKS
	}
}

func prove(home *cluster.Cluster, token string, now time.Time) (*oidc.Claims, error) {
	if home.Deleting {
		return nil, fault.New(fault.Unauthenticated, "token", "The cluster %s is being deleted: its tokens are no longer accepted", home.Name)
	}
	if home.Keys() == nil {
		return nil, fault.New(fault.Unavailable, "cluster",
			"The cluster %s has not published its key set yet, so no token of it can be verified", home.Name)
	}
	claims, err := oidc.Verify(token, home.Keys(), oidc.Expect{Issuer: home.Issuer, Audiences: []string{Audience}, Now: now})
	if err != nil {
		return nil, err
	}
	if err := claims.RequirePodBound(); err != nil {
		return nil, err
	}
	return claims, recent(claims, now)
}

// recent refuses a token that was issued so long ago that a running pod would have had another one from its kubelet since. How long an
// ended pod is remembered rests on it: no token may outlive the memory of its pod's end.
func recent(claims *oidc.Claims, now time.Time) error {
	if now.Sub(claims.IssuedAt) <= cluster.MaxTokenAge {
		return nil
	}
	issued := "does not say when it was issued"
	if !claims.IssuedAt.IsZero() {
		issued = "was issued at " + claims.IssuedAt.UTC().Format(time.RFC3339)
	}
	return fault.New(fault.Expired, "token", "The token %s: a pod's token is accepted for %d hours, as a kubelet replaces it after 24 hours at the latest "+
		"(iss %q, aud %q, sub %q)", issued, int(cluster.MaxTokenAge.Hours()), claims.Issuer, claims.Audience, claims.Subject)
}

// sameNode refuses a token that is used from another node than its pod's. Which node asks is known where the caller is an
// agent that signed in with its own projected token; a node name in the request is held to the token's as well. Tokens of
// Kubernetes before 1.30 do not name the node.
func sameNode(c *api.Call, said string, pod *credential.Pod) error {
	if pod.Node == "" {
		return nil
	}
	from := credential.Pod{ClusterARN: pod.ClusterARN, Node: said}
	if session := c.Caller.Session; session != nil && session.Pod != nil && (said == "" || said == pod.Node) {
		from = *session.Pod
	}
	if (from.ClusterARN == "" || from.ClusterARN == pod.ClusterARN) && (from.Node == "" || from.Node == pod.Node) {
		return nil
	}
	return fault.New(fault.Denied, "node", "The token is of a pod on node %q of cluster %s and was presented from node %q of cluster %s",
		pod.Node, pod.ClusterARN, from.Node, from.ClusterARN)
}

// noAssociation words the absence of an association: what was looked for, and the token it was looked for by. Other failures stay
// what they are.
func noAssociation(err error, claims *oidc.Claims) error {
	f := fault.Of(err)
	if f.Kind != fault.NotFound {
		return err
	}
	return fault.New(fault.NotFound, "association", "%s (%s; the token has iss %q, aud %q, sub %q)",
		textNoAssociation, f.Public, claims.Issuer, claims.Audience, claims.Subject).Because(err)
}

// notAssumable words the refusal of a role. Where a rule of sessions is broken, it is by what the association asks for and not by
// the caller's parameters: that is fault.Conflict.
func notAssumable(err error) error {
	f := fault.Of(err)
	if f.Kind == fault.Denied {
		return fault.New(fault.Denied, "role", "%s (%s)", textNotAssumable, f.Public).Because(err)
	}
	if f.Kind == fault.Invalid || f.Kind == fault.Limit {
		return fault.New(fault.Conflict, "session", "The role of the association cannot be assumed as it asks: %s", f.Public).Because(err)
	}
	return err
}

// assume asks the association's role and then, with its session, the target role. Tags and session policy go where the
// matrix of spec 2.6 says.
func (s *service) assume(c *api.Call, home *cluster.Cluster, a *cluster.Association, pod *credential.Pod) (credential.Session, error) {
	choice, err := a.Session()
	if err != nil {
		return credential.Session{}, err
	}
	name := sessionName(home, pod, choice.Name)
	q := authz.Assumption{
		Caller: authz.ServiceCaller(ServicePrincipal), Action: authz.AssumeRole, RoleARN: a.RoleARN, SessionName: name, Duration: lifetime,
		SourceARN: home.ARN(), SourceAccount: home.Account, Pod: pod, Via: credential.ViaPodIdentity, Network: c.Network,
	}
	if q.Tags = sessionTags(home, pod, choice); len(q.Tags) > 0 {
		q.TransitiveTagKeys = append(slices.Clone(choice.Tags), slices.Sorted(maps.Keys(choice.Static))...)
	}
	if a.TargetRoleARN == "" {
		q.SessionPolicies = policies(a.Policy)
		return s.Authorizer.Assume(q)
	}
	q.Duration = chainedLifetime
	first, err := s.Authorizer.Assume(q)
	if err != nil {
		return credential.Session{}, err
	}
	caller, err := s.caller(first)
	if err != nil {
		return credential.Session{}, err
	}
	return s.Authorizer.Assume(authz.Assumption{
		Caller: caller, Action: authz.AssumeRole, RoleARN: a.TargetRoleARN, SessionName: name, Duration: chainedLifetime,
		ExternalID: a.ExternalIDOf(pod.Namespace, pod.ServiceAccount), SessionPolicies: policies(a.Policy), Pod: pod, Via: credential.ViaPodIdentity, Network: c.Network,
	})
}

// caller is who a new session is. Sessions know the second in which they began and no more: one that began in the second in which
// its role's sessions were revoked, or whose role was replaced meanwhile, would be refused wherever it is shown.
func (s *service) caller(session credential.Session) (authz.Caller, error) {
	c, err := s.Authorizer.SessionCaller(session)
	if err != nil {
		return authz.Caller{}, fault.New(fault.Unavailable, "session",
			"The role %s was replaced or its sessions were revoked just now: try again", session.Principal.RoleARN).Because(err)
	}
	return c, nil
}

func policies(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// sessionTags are those of the six that tell of a pod which its association chose, and those that it adds. Later sessions inherit all of them.
// spec: pod-identity.md 2.6
func sessionTags(home *cluster.Cluster, pod *credential.Pod, choice cluster.SessionChoice) map[string]string {
	if len(choice.Tags)+len(choice.Static) == 0 {
		return nil
	}
	told := [len(cluster.SessionTagKeys)]string{home.ARN(), home.Name, pod.Namespace, pod.ServiceAccount, pod.PodName, pod.PodUID}
	tags := make(map[string]string, len(choice.Tags)+len(choice.Static))
	for i, key := range cluster.SessionTagKeys {
		if slices.Contains(choice.Tags, key) {
			tags[key] = told[i]
		}
	}
	maps.Copy(tags, choice.Static)
	return tags
}

// sessionName is what the association's template makes of the pod. Without one it is eks-, 10 characters of the cluster's and 10 of the pod's
// name, and a uuid: at most 62 of the 64 that a session name may have. spec: pod-identity.md 2.6
func sessionName(home *cluster.Cluster, pod *credential.Pod, template string) string {
	if template != "" {
		return cluster.SessionName(template, cluster.Identity{
			Cluster: home.Name, Namespace: pod.Namespace, ServiceAccount: pod.ServiceAccount, Pod: pod.PodName, PodUID: pod.PodUID, Node: pod.Node,
		})
	}
	return "eks-" + first(home.Name, 10) + "-" + first(pod.PodName, 10) + "-" + uuid.NewString()
}

func first(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
