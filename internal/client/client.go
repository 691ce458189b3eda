// Package client calls podid's own REST-JSON service (signing name "podid") as any outsider would: with signed requests.
//
// It is what the command line, the operator and the built-in cluster of the laptop mode use; for everything that AWS has a
// call for they use the AWS SDK. Its structs are the service's wire shapes: the server takes and returns the same ones.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/podid/podid/internal/fault"
)

// Config is what a Client needs; every field is required.
type Config struct {
	Endpoint    string // https://host:port, without a trailing slash
	Region      string
	Credentials aws.CredentialsProvider
	HTTP        *http.Client
	Now         func() time.Time
}

// Client signs and sends. It is safe for concurrent use.
type Client struct {
	c      Config
	signer *v4.Signer
}

// New makes a Client.
func New(c Config) *Client {
	c.Endpoint = strings.TrimSuffix(c.Endpoint, "/")
	return &Client{c: c, signer: v4.NewSigner()}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// Do sends in as the JSON body of a request and decodes the answer into out; either may be nil. An error answer becomes a
// fault whose text is the service's and names the request id, under which the service keeps the full record.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.c.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	credentials, err := c.c.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("get credentials for podid: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "podid", c.c.Region, c.c.Now()); err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	resp, err := c.c.HTTP.Do(req)
	if err != nil {
		return fault.New(fault.Unavailable, "control plane", "podid does not answer at %s; is \"podid serve\" or \"podid dev\" running there?", c.c.Endpoint).Because(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fault.New(fault.Unavailable, "control plane", "podid's answer ended early").Because(err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decode podid's answer: %w", err)
	}
	return nil
}

// refusal turns an error answer into a fault. The kind follows the status: callers need no more than "gone", "there
// already", "not allowed", "too many" and "try again".
func refusal(resp *http.Response, answer []byte) error {
	var m struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer, &m); err != nil || m.Message == "" {
		m.Message = http.StatusText(resp.StatusCode)
	}
	kind := fault.Internal
	switch resp.StatusCode {
	case http.StatusNotFound:
		kind = fault.NotFound
	case http.StatusConflict:
		kind = fault.Exists
	case http.StatusForbidden:
		kind = fault.Denied
	case http.StatusBadRequest:
		if kind = fault.Invalid; strings.HasPrefix(resp.Header.Get("X-Amzn-Errortype"), "ResourceLimitExceeded") {
			kind = fault.Limit
		}
	case http.StatusTooManyRequests:
		kind = fault.Throttled
	case http.StatusServiceUnavailable:
		kind = fault.Unavailable
	}
	return fault.New(kind, "request", "%s (%s, request id %s)", m.Message,
		resp.Header.Get("X-Amzn-Errortype"), resp.Header.Get("X-Amzn-Requestid"))
}
