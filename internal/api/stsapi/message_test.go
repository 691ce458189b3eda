package stsapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/oidc"
)

// encoded is the message at the end of a refusal's text.
func encoded(t *testing.T, err error) string {
	t.Helper()
	failure, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("%v is no answer", err)
	}
	text, message, found := strings.Cut(failure.ErrorMessage(), ") Encoded authorization failure message: ")
	if !found || text == "" || message == "" || strings.ContainsAny(message, " .") {
		t.Fatalf("the text %s has no message", failure.ErrorMessage())
	}
	return message
}

// TestDecodeAuthorizationMessage holds the way of a refusal from one caller to one who may know why.
func TestDecodeAuthorizationMessage(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	open := w.role(t, "open", trustAccount)
	_, err := w.admin.AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: &open, RoleSessionName: aws.String("s1")}) // makes the ring's first key
	must(t, err)
	closed := w.role(t, "closed", nobody)
	plain, _ := w.user(t, "plain", strings.Replace(allowSTS, "sts:*", "sts:AssumeRole", 1))
	_, err = plain.AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: &closed, RoleSessionName: aws.String("s1"), ExternalId: aws.String("x-1")})
	message := encoded(t, err)
	refusal := w.Last()
	if strings.Contains(refusal.ErrorMessage, "Encoded") || !strings.HasSuffix(refusal.ErrorMessage, ")") {
		t.Errorf("the record says %s", refusal.ErrorMessage)
	}

	in := &sdk.DecodeAuthorizationMessageInput{EncodedMessage: &message}
	out, err := w.admin.DecodeAuthorizationMessage(ctx, in)
	must(t, err)
	var d struct {
		Allowed bool
		Context struct {
			Action, Resource string
			Principal        struct{ ARN string }
		}
		Podid struct{ RequestID, Layer string }
	}
	must(t, json.Unmarshal([]byte(*out.DecodedMessage), &d))
	if d.Allowed || d.Context.Action != "sts:AssumeRole" || d.Context.Resource != closed || !strings.HasSuffix(d.Context.Principal.ARN, ":user/plain") ||
		d.Podid.Layer != "trust" || d.Podid.RequestID != refusal.RequestID {
		t.Errorf("decoded %s", *out.DecodedMessage)
	}
	if !strings.Contains(*out.DecodedMessage, `{"key":"sts:ExternalId","values":{"items":[{"value":"x-1"}]}}`) {
		t.Errorf("decoded %s", *out.DecodedMessage)
	}
	_, err = plain.DecodeAuthorizationMessage(ctx, in)
	apitest.Refused(t, err, "AccessDenied", http.StatusForbidden)
	refused := func(c *sdk.Client, message, code string) {
		t.Helper()
		_, err := c.DecodeAuthorizationMessage(ctx, &sdk.DecodeAuthorizationMessageInput{EncodedMessage: &message})
		apitest.Refused(t, err, code, http.StatusBadRequest)
	}
	refused(w.admin, message[1:], "InvalidAuthorizationMessageException")
	refused(w.admin, "bm90IGEgbWVzc2FnZQ", "InvalidAuthorizationMessageException")
	refused(w.admin, strings.Repeat("A", 10241), "ValidationError")
	key, err := w.IAM.Bootstrap(ctx, other, "other")
	must(t, err)
	stranger := w.client(key.ID, key.Secret, "")
	refused(stranger, message, "InvalidAuthorizationMessageException")

	// A stranger's refusal can be decoded on both sides; each reads its own.
	_, err = stranger.AssumeRole(ctx, &sdk.AssumeRoleInput{RoleArn: &closed, RoleSessionName: aws.String("s1")})
	message = encoded(t, err)
	in.EncodedMessage = &message
	theirs, err := stranger.DecodeAuthorizationMessage(ctx, in)
	must(t, err)
	ours, err := w.admin.DecodeAuthorizationMessage(ctx, in)
	must(t, err)
	if *theirs.DecodedMessage == *ours.DecodedMessage || strings.Contains(*theirs.DecodedMessage, "ec2.amazonaws.com") ||
		!strings.Contains(*ours.DecodedMessage, "ec2.amazonaws.com") {
		t.Errorf("they read %s\nwe read %s", *theirs.DecodedMessage, *ours.DecodedMessage)
	}
	pod := w.role(t, "pod", irsa(cart))
	_, err = w.assume(t, pod, w.token(t, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Namespace = "other" }))
	response, ok := errors.AsType[*awshttp.ResponseError](err) // what a pod shows of it is the text, which stays short
	if !ok || strings.Contains(err.Error(), "Encoded") {
		t.Fatalf("got %v", err)
	}
	message = response.Response.Header.Get("X-Podid-Encoded-Message")
	out, err = w.admin.DecodeAuthorizationMessage(ctx, in)
	must(t, err)
	if !strings.Contains(*out.DecodedMessage, "system:serviceaccount:other:cart") {
		t.Errorf("decoded %s", *out.DecodedMessage)
	}
}
