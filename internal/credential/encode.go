package credential

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/podid/podid/internal/arn"
)

// sealed is the form of a session inside its token. Its member names are part of the token's version: they are short because
// the token travels in a header of every request.
type sealed struct {
	Principal         sealedPrincipal   `json:"p"`
	SessionPolicies   []string          `json:"sp,omitempty"`
	SessionTags       map[string]string `json:"st,omitempty"`
	TransitiveTagKeys []string          `json:"tk,omitempty"`
	SourceIdentity    string            `json:"si,omitempty"`
	IssuedAt          int64             `json:"i"` // Unix seconds
	ExpiresAt         int64             `json:"e"`
	Pod               *sealedPod        `json:"pd,omitempty"`
	Via               string            `json:"v,omitempty"`
	FederatedProvider string            `json:"fp,omitempty"`
	PolicyARNs        []string          `json:"mp,omitempty"`
	SourceKeyID       string            `json:"ak,omitempty"`
}

type sealedPrincipal struct {
	Kind     arn.Kind          `json:"k"`
	Account  string            `json:"a,omitempty"`
	ARN      string            `json:"n,omitempty"`
	ID       string            `json:"d,omitempty"`
	UserName string            `json:"u,omitempty"`
	RoleARN  string            `json:"r,omitempty"`
	RoleID   string            `json:"q,omitempty"`
	UserARN  string            `json:"f,omitempty"`
	Tags     map[string]string `json:"t,omitempty"`
}

type sealedPod struct {
	ClusterARN     string `json:"c,omitempty"`
	Namespace      string `json:"n,omitempty"`
	ServiceAccount string `json:"s,omitempty"`
	PodName        string `json:"p,omitempty"`
	PodUID         string `json:"u,omitempty"`
	Node           string `json:"o,omitempty"`
	AssociationID  string `json:"a,omitempty"`
}

// The first byte of an encoded session tells how the rest is to be read.
const (
	plainJSON    = 0
	deflatedJSON = 1
)

// maxEncoded bounds what a token may inflate to. Deflate shrinks a thousandfold at best, and a token is short, so this is
// reached by nothing that Mint made.
const maxEncoded = 64 << 10

var errEncoding = errors.New("not an encoded session")

// encode writes s as JSON, deflated where that is shorter.
func (c *codec) encode(s Session) ([]byte, error) {
	text, err := json.Marshal(sealed{
		Principal:         sealedPrincipal(s.Principal),
		SessionPolicies:   s.SessionPolicies,
		SessionTags:       s.SessionTags,
		TransitiveTagKeys: s.TransitiveTagKeys,
		SourceIdentity:    s.SourceIdentity,
		IssuedAt:          s.IssuedAt.Unix(),
		ExpiresAt:         s.ExpiresAt.Unix(),
		Pod:               (*sealedPod)(s.Pod),
		Via:               s.Via,
		FederatedProvider: s.FederatedProvider,
		PolicyARNs:        s.PolicyARNs,
		SourceKeyID:       s.SourceKeyID,
	})
	if err != nil {
		return nil, err
	}
	if len(text) > maxEncoded {
		return nil, errTooLong
	}
	var small bytes.Buffer
	small.WriteByte(deflatedJSON)
	if err := c.deflate(&small, text); err != nil {
		return nil, err
	}
	if small.Len() <= len(text) {
		return small.Bytes(), nil
	}
	return append([]byte{plainJSON}, text...), nil
}

// decode is the inverse of encode, for bytes that were proven to be ours. It bounds them all the same.
func (c *codec) decode(data []byte) (Session, error) {
	if len(data) == 0 {
		return Session{}, errEncoding
	}
	text := data[1:]
	switch data[0] {
	case plainJSON:
	case deflatedJSON:
		var err error
		if text, err = c.inflate(text); err != nil {
			return Session{}, err
		}
	default:
		return Session{}, errEncoding
	}
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil {
		return Session{}, err
	}
	return Session{
		Principal:         arn.Principal(s.Principal),
		SessionPolicies:   s.SessionPolicies,
		SessionTags:       s.SessionTags,
		TransitiveTagKeys: s.TransitiveTagKeys,
		SourceIdentity:    s.SourceIdentity,
		IssuedAt:          time.Unix(s.IssuedAt, 0).UTC(),
		ExpiresAt:         time.Unix(s.ExpiresAt, 0).UTC(),
		Pod:               (*Pod)(s.Pod),
		Via:               s.Via,
		FederatedProvider: s.FederatedProvider,
		PolicyARNs:        s.PolicyARNs,
		SourceKeyID:       s.SourceKeyID,
	}, nil
}

// codec keeps the machinery of deflate, which is large, for the next session. Its zero value is ready.
type codec struct {
	writers sync.Pool // of *flate.Writer
	readers sync.Pool // of io.ReadCloser that are flate.Resetters
}

func (c *codec) deflate(dst io.Writer, text []byte) error {
	w, ok := c.writers.Get().(*flate.Writer)
	if ok {
		w.Reset(dst)
	} else {
		var err error
		if w, err = flate.NewWriterDict(dst, flate.DefaultCompression, []byte(dictionary)); err != nil {
			return err
		}
	}
	defer c.writers.Put(w)
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Close()
}

func (c *codec) inflate(data []byte) ([]byte, error) {
	r, ok := c.readers.Get().(io.ReadCloser)
	if !ok {
		r = flate.NewReaderDict(nil, nil)
	}
	defer c.readers.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(data), []byte(dictionary)); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, maxEncoded+1))
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	if len(text) > maxEncoded {
		return nil, errTooLong
	}
	return text, nil
}

// dictionary is what deflate may point back to from the first byte on: the words of nearly every session, the commonest last.
// It is part of the token's version.
const dictionary = `"fp":"arn:aws:iam::":oidc-provider/"sp":["{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",` +
	`\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::"}]}"],"si":"` +
	`"v":"WebIdentity"}"v":"AssumeRole"}"v":"PodIdentity"}{"p":{"k":3,"a":"000000000000","n":"arn:aws:sts::assumed-role/eks-` +
	`","d":"AROA:eks-","r":"arn:aws:iam::role/","q":"AROA","t":{"eks-cluster-arn":"arn:aws:eks:us-east-1:` +
	`:cluster/","eks-cluster-name":"","kubernetes-namespace":"default","kubernetes-pod-name":"",` +
	`"kubernetes-pod-uid":"","kubernetes-service-account":""}},"st":{"eks-cluster-arn":"arn:aws:eks:` +
	`"tk":["eks-cluster-arn","eks-cluster-name","kubernetes-namespace","kubernetes-service-account",` +
	`"kubernetes-pod-name","kubernetes-pod-uid"],"i":17,"e":17,"pd":{"c":"arn:aws:eks:","n":"","s":"","p":"","u":"","o":"","a":"a-`
