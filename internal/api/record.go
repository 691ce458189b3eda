package api

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/credential"
)

// Record is what is kept of one request: created on arrival, filled on the way, emitted once. Field names are CloudTrail's;
// what CloudTrail has no field for is in AdditionalEventData. It never holds a secret, a token or an object's bytes.
type Record struct {
	EventVersion       string         `json:"eventVersion"`
	UserIdentity       UserIdentity   `json:"userIdentity"`
	EventTime          time.Time      `json:"eventTime"`
	EventSource        string         `json:"eventSource"`
	EventName          string         `json:"eventName"`
	AWSRegion          string         `json:"awsRegion"`
	SourceIPAddress    string         `json:"sourceIPAddress"`
	UserAgent          string         `json:"userAgent,omitempty"`
	ErrorCode          string         `json:"errorCode,omitempty"`
	ErrorMessage       string         `json:"errorMessage,omitempty"`
	RequestParameters  map[string]any `json:"requestParameters,omitempty"`
	ResponseElements   map[string]any `json:"responseElements,omitempty"`
	AdditionalData     Additional     `json:"additionalEventData"`
	RequestID          string         `json:"requestID"`
	EventID            string         `json:"eventID"`
	ReadOnly           bool           `json:"readOnly"`
	Resources          []RecordARN    `json:"resources,omitempty"`
	EventType          string         `json:"eventType"`
	RecipientAccountID string         `json:"recipientAccountId,omitempty"`
}

// UserIdentity says who asked, in CloudTrail's words.
type UserIdentity struct {
	Type        string          `json:"type"`
	PrincipalID string          `json:"principalId,omitempty"`
	ARN         string          `json:"arn,omitempty"`
	AccountID   string          `json:"accountId,omitempty"`
	AccessKeyID string          `json:"accessKeyId,omitempty"`
	UserName    string          `json:"userName,omitempty"`
	InvokedBy   string          `json:"invokedBy,omitempty"`
	Session     *SessionContext `json:"sessionContext,omitempty"`
}

// SessionContext says where a session came from.
type SessionContext struct {
	Issuer     SessionIssuer `json:"sessionIssuer,omitzero"` // none for the sessions of users, which issue themselves
	Attributes struct {
		CreationDate time.Time `json:"creationDate"`
	} `json:"attributes"`
	SourceIdentity string `json:"sourceIdentity,omitempty"`
}

// SessionIssuer is the role whose session it is, or the user who made the federated user.
type SessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
}

// RecordARN is a resource that the request touched.
type RecordARN struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId,omitempty"`
	Type      string `json:"type,omitempty"`
}

// Additional is what CloudTrail has no field for: which pod it was, why the answer is what it is, and how long it took.
type Additional struct {
	Pod        *credential.Pod `json:"podIdentity,omitempty"`
	Status     int             `json:"httpStatus"`
	Duration   float64         `json:"durationMilliseconds"`
	FaultKind  string          `json:"faultKind,omitempty"`
	Cause      string          `json:"cause,omitempty"`    // for the operator; the caller never saw it
	Decision   any             `json:"decision,omitempty"` // the full trace of a refusal
	BytesIn    int64           `json:"bytesTransferredIn,omitempty"`
	BytesOut   int64           `json:"bytesTransferredOut,omitempty"`
	Credential string          `json:"assumedRole,omitempty"` // the session that the request created
}

// caller fills the record's identity.
func (r *Record) caller(c authz.Caller) {
	p := c.Principal
	r.UserIdentity = UserIdentity{
		Type: p.Kind.String(), PrincipalID: p.ID, ARN: p.ARN, AccountID: p.Account, AccessKeyID: c.AccessKeyID,
		UserName: p.UserName,
	}
	if p.Kind == arn.Service {
		r.UserIdentity.InvokedBy, r.UserIdentity.ARN = p.ARN, ""
	}
	if s := c.Session; s != nil {
		sc := &SessionContext{SourceIdentity: s.SourceIdentity}
		switch p.Kind {
		case arn.RoleSession:
			sc.Issuer = SessionIssuer{Type: "Role", PrincipalID: p.RoleID, ARN: p.RoleARN, AccountID: p.Account}
		case arn.FederatedUser:
			sc.Issuer = SessionIssuer{Type: arn.IAMUser.String(), ARN: p.UserARN, AccountID: p.Account}
			if p.UserARN == arn.Root(p.Account) {
				sc.Issuer.Type, sc.Issuer.PrincipalID = arn.RootUser.String(), p.Account
			}
		case arn.Anonymous, arn.RootUser, arn.IAMUser, arn.Service, arn.WebIdentity:
		}
		sc.Attributes.CreationDate = s.IssuedAt
		r.UserIdentity.Session = sc
		if r.AdditionalData.Pod == nil {
			r.AdditionalData.Pod = s.Pod
		}
	}
	if r.RecipientAccountID == "" {
		r.RecipientAccountID = p.Account
	}
}

// Touch names a resource that the request concerns.
func (r *Record) Touch(resource, account, kind string) {
	r.Resources = append(r.Resources, RecordARN{ARN: resource, AccountID: account, Type: kind})
}

// Records writes records as JSON lines. It is safe for concurrent use; a failed write is reported once through failed.
type Records struct {
	mu     sync.Mutex
	w      io.Writer
	failed func(error)
}

// NewRecords makes a sink that appends to w. Failed is told of a write that did not work.
func NewRecords(w io.Writer, failed func(error)) *Records { return &Records{w: w, failed: failed} }

// Emit writes one line.
func (s *Records) Emit(r *Record) {
	line, err := json.Marshal(r)
	if err == nil {
		s.mu.Lock()
		_, err = s.w.Write(append(line, '\n'))
		s.mu.Unlock()
	}
	if err != nil {
		s.failed(err)
	}
}
