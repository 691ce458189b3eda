package sigv4_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/api/sigv4"
	"github.com/podid/podid/internal/fault"
)

// refusal checks kind and subject of a failure, and that it holds no secret.
func refusal(t *testing.T, err error, kind fault.Kind, subject string) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Fatalf("error is %v, want a fault", err)
	}
	if f.Kind != kind || f.Subject != subject {
		t.Errorf("fault is %v %s, want %v %s: %s", f.Kind, f.Subject, kind, subject, f.Public)
	}
	if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, sessionToken) {
		t.Errorf("the refusal tells a secret: %s", text)
	}
	return f
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	edit := func(before, after string) func(*http.Request) {
		return func(r *http.Request) {
			h := r.Header.Get("Authorization")
			if !strings.Contains(h, before) {
				t.Errorf("%s is not in %s", before, h)
			}
			r.Header.Set("Authorization", strings.Replace(h, before, after, 1))
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	add := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Add(name, value) }
	}
	query := func(q string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = q } }
	const malformed, wrong = fault.Invalid, fault.Unauthenticated
	tests := map[string]struct {
		service string              // "s3" unless given
		before  func(*http.Request) // the signature
		after   func(*http.Request)
		kind    fault.Kind
	}{
		// what was signed is what is meant
		"another method":           {after: func(r *http.Request) { r.Method = "DELETE" }, kind: wrong},
		"another path":             {after: func(r *http.Request) { r.URL.Path = "/bucket/other" }, kind: wrong},
		"another host":             {after: func(r *http.Request) { r.Host = "other.example" }, kind: wrong},
		"a parameter more":         {after: query("acl"), kind: wrong},
		"a parameter's value":      {before: query("versionId=1"), after: query("versionId=2"), kind: wrong},
		"a parameter less":         {before: query("versionId=1"), after: query(""), kind: wrong},
		"a signed header's value":  {before: set("X-Amz-Acl", "private"), after: set("X-Amz-Acl", "public-read"), kind: wrong},
		"a signed header's loss":   {before: set("Range", "bytes=0-1"), after: func(r *http.Request) { r.Header.Del("Range") }, kind: wrong},
		"a signed header repeated": {before: set("X-Amz-Acl", "private"), after: add("X-Amz-Acl", "public-read"), kind: wrong},
		"another region":           {after: edit(region, "us-east-1"), kind: wrong},
		"another service":          {after: edit("/s3/", "/iam/"), kind: wrong},
		"another key":              {after: edit("Signature=", "Signature=0000"), kind: malformed},
		"another session token":    {after: set("X-Amz-Security-Token", "x"), kind: wrong},
		"no session token":         {after: func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }, kind: wrong},
		"another payload hash":     {after: set("X-Amz-Content-Sha256", emptySHA256), kind: wrong},
		"an unsigned payload":      {after: set("X-Amz-Content-Sha256", sigv4.UnsignedPayload), kind: wrong},
		"content length":           {before: func(r *http.Request) {}, after: func(r *http.Request) { r.ContentLength = 3 }, kind: wrong},
		"path of another service": {
			service: "eks", after: func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/tags/a", "" }, kind: wrong,
		},

		// the rules for what must be signed
		"an unsigned x-amz header":                {after: set("X-Amz-Acl", "public-read"), kind: malformed},
		"an unsigned x-amz header, other service": {service: "iam", after: set("X-Amz-Target", "x"), kind: malformed},
		"host is not signed":                      {after: edit("SignedHeaders=", "SignedHeaders=date;x-amz-date,X="), kind: malformed},
		"signed headers unsorted":                 {after: edit("host;x-amz-content-sha256", "x-amz-content-sha256;host"), kind: malformed},
		"signed headers repeated":                 {after: edit("host;", "host;host;"), kind: malformed},
		"signed headers upper case":               {after: edit("host;", "Host;"), kind: malformed},
		"signed headers empty name":               {after: edit("host;", ";host;"), kind: malformed},
		"too many signed headers":                 {after: edit("host;", strings.Repeat("a;", 200)+"host;"), kind: malformed},

		// one of each
		"two Authorization headers": {after: add("Authorization", "AWS4-HMAC-SHA256 x"), kind: malformed},
		"two dates":                 {after: add("X-Amz-Date", "20261124T120000Z"), kind: malformed},
		"two session tokens":        {after: add("X-Amz-Security-Token", sessionToken), kind: malformed},
		"two payload hashes":        {after: add("X-Amz-Content-Sha256", emptySHA256), kind: malformed},
		"header and query":          {before: query("X-Amz-Signature=0"), kind: malformed},
		"header and query token":    {before: query("X-Amz-Security-Token=0"), kind: malformed},
		"query in lower case":       {before: query("x-amz-signature=0"), kind: malformed},
		"a parameter twice":         {before: query("prefix=a&prefix=b"), kind: malformed},
		"an AWS parameter twice":    {service: "eks", before: query("X-Amz-User-Agent=a&X-Amz-User-Agent=b"), kind: malformed},

		// other signatures
		"SigV2":          {after: set("Authorization", "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="), kind: malformed},
		"SigV2 in query": {before: query("AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x&Expires=1"), kind: malformed},
		"SigV4A":         {after: edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), kind: malformed},
		"Bearer":         {after: set("Authorization", "Bearer x"), kind: malformed},
		"Basic":          {after: set("Authorization", "Basic x"), kind: malformed},
		"empty header":   {after: set("Authorization", ""), kind: malformed},

		// the header's grammar
		"lower-case algorithm":    {after: edit("AWS4-HMAC", "aws4-hmac"), kind: malformed},
		"no credential":           {after: edit("Credential=", "Credentiel="), kind: malformed},
		"two credentials":         {after: edit("Credential=", "Credential=a, Credential="), kind: malformed},
		"empty signature":         {after: edit("Signature=", "Signature=,X="), kind: malformed},
		"trailing comma":          {after: func(r *http.Request) { r.Header["Authorization"][0] += "," }, kind: malformed},
		"upper-case signature":    {after: func(r *http.Request) { upper(r) }, kind: malformed},
		"oversized":               {after: edit("Credential=", "Credential="+strings.Repeat("a", 10000)), kind: malformed},
		"long access key id":      {after: edit("Credential=", "Credential="+strings.Repeat("a", 200)), kind: malformed},
		"access key id with sign": {after: edit("Credential=", "Credential=%"), kind: malformed},
		"four scope elements":     {after: edit("/s3/", "/"), kind: malformed},
		"six scope elements":      {after: edit("/s3/", "/s3/s3/"), kind: malformed},
		"another terminator":      {after: edit("aws4_request", "aws5_request"), kind: malformed},
		"another day in scope":    {after: edit("/20261124/", "/20261123/"), kind: malformed},
		"empty region":            {after: edit(region, ""), kind: malformed},
		"empty service":           {after: edit("/s3/", "//"), kind: malformed},
		"a newline in the region": {after: edit(region, "a\nb"), kind: malformed},
		"no date":                 {after: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, kind: malformed},
		"bad date":                {after: set("X-Amz-Date", "2026-11-24T12:00:00Z"), kind: malformed},
		"fractions of a second":   {after: set("X-Amz-Date", "20261124T120000.0Z"), kind: malformed},
		"impossible date":         {after: set("X-Amz-Date", "20261324T120000Z"), kind: malformed},
		"oversized session token": {after: set("X-Amz-Security-Token", strings.Repeat("a", 9000)), kind: malformed},

		// the query's grammar
		"semicolon":         {after: query("a=1;b=2"), kind: malformed},
		"bad escape":        {after: query("a=%zz"), kind: malformed},
		"oversized query":   {before: query("a=" + strings.Repeat("a", 70000)), kind: malformed},
		"a thousand params": {before: query(strings.Repeat("a&", 2000)), kind: malformed},

		// payload hashes
		"S3 without payload hash": {before: func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, kind: malformed},
		"S3 with half a hash":     {before: set("X-Amz-Content-Sha256", emptySHA256[:32]), kind: malformed},
		"S3 with upper-case hash": {before: set("X-Amz-Content-Sha256", strings.ToUpper(emptySHA256)), kind: malformed},
		"unsigned outside S3":     {service: "iam", before: set("X-Amz-Content-Sha256", sigv4.UnsignedPayload), kind: malformed},
		"streaming outside S3":    {service: "iam", before: set("X-Amz-Content-Sha256", sigv4.StreamingSigned), kind: malformed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := test.service
			if service == "" {
				service = "s3"
			}
			r := request(t, service, "PUT", "/tags/arn%3Aaws%2Fx", "body", test.before)
			if test.after != nil {
				test.after(r)
			}
			refusal(t, prove(r, now), test.kind, "signature")
		})
	}
}

func upper(r *http.Request) {
	head, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	r.Header.Set("Authorization", head+"Signature="+strings.ToUpper(signature))
}

func TestSkew(t *testing.T) {
	t.Parallel()
	for offset, public := range map[time.Duration]string{
		0:             "",
		sigv4.Skew:    "",
		-sigv4.Skew:   "",
		2 * time.Hour: "Signature expired: 20261124T120000Z is now earlier than 20261124T134500Z (20261124T140000Z - 15 min.)",
		-2 * time.Hour: "Signature not yet current: 20261124T120000Z is still later than 20261124T101500Z " +
			"(20261124T100000Z + 15 min.)",
	} {
		for _, service := range []string{"s3", "sts"} {
			err := prove(request(t, service, "GET", "/", "", nil), now.Add(offset))
			if public == "" {
				if err != nil {
					t.Errorf("%s: %v", offset, err)
				}
			} else if f := refusal(t, err, fault.Expired, "signature"); f.Public != public {
				t.Errorf("got  %s\nwant %s", f.Public, public)
			}
		}
	}
}

func TestMismatchText(t *testing.T) {
	t.Parallel()
	r := request(t, "s3", "GET", "/b", "", nil)
	a, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " +
		"and signing method. Consult the service documentation for details."
	if f := refusal(t, a.Verify(r, "another secret", now), fault.Unauthenticated, "signature"); f.Public != want {
		t.Error(f.Public)
	}
}

func TestPayloadHash(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("body"))
	r := request(t, "iam", "POST", "/", "body", nil)
	a, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(r, secret, now); err == nil {
		t.Error("a request was verified before its payload hash was known")
	}
	if _, err := a.Body(r, secret); err == nil {
		t.Error("a body was returned before its hash was known")
	}
	if err := a.SetPayloadHash(sum); err != nil {
		t.Error(err)
	}
	if err := a.Verify(r, secret, now); err != nil {
		t.Error(err)
	}
	if a, err = sigv4.Parse(r); err != nil {
		t.Fatal(err)
	}
	if err := a.SetPayloadHash(sha256.Sum256([]byte("another"))); err != nil {
		t.Error(err)
	}
	refusal(t, a.Verify(r, secret, now), fault.Unauthenticated, "signature")

	r = request(t, "iam", "POST", "/", "body", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", emptySHA256) })
	if a, err = sigv4.Parse(r); err != nil {
		t.Fatal(err)
	}
	refusal(t, a.SetPayloadHash(sum), fault.Invalid, "payload")
}

// TestSpecialHeaders signs the headers that net/http keeps out of the header map, or takes out.
func TestSpecialHeaders(t *testing.T) {
	t.Parallel()
	// The signature is computed over the headers as a map holds them; then they are moved as net/http moves them.
	r := request(t, "s3", "PUT", "/b/k", "body", func(r *http.Request) { r.Header.Set("Content-Type", "a  b   c") })
	if !strings.Contains(r.Header.Get("Authorization"), "content-length;content-type;host;") {
		t.Fatalf("not signed: %s", r.Header.Get("Authorization"))
	}
	if err := prove(r, now); err != nil {
		t.Error(err)
	}
	r = request(t, "s3", "PUT", "/b/k", "body", nil)
	r.ContentLength = -1
	refusal(t, prove(r, now), fault.Unauthenticated, "signature")
}

func TestNormalPath(t *testing.T) {
	t.Parallel()
	// Signed over the path on the left by a signer that normalises (botocore, JavaScript, Java), sent as on the right.
	for signed, sent := range map[string]string{
		"/":                 "//",
		"/a/b":              "/a//b",
		"/a/c":              "/a/b/../c",
		"/a/b/":             "/a/./b/",
		"/tags/arn%3Aa%2Fb": "/tags/./arn%3Aa%2Fb",
		"/x":                "/../../x",
	} {
		r := request(t, "eks", "GET", signed, "", nil)
		u, err := url.ParseRequestURI(sent)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
		if err := prove(r, now); err != nil {
			t.Errorf("%s sent as %s: %v", signed, sent, err)
		}
	}
}

// presigned makes a presigned request by hand, with any parameters.
func presigned(t testing.TB, method string, change func(url.Values)) *http.Request {
	t.Helper()
	q := url.Values{
		"X-Amz-Algorithm": {"AWS4-HMAC-SHA256"}, "X-Amz-Credential": {accessKeyID + "/20261124/" + region + "/s3/aws4_request"},
		"X-Amz-Date": {"20261124T120000Z"}, "X-Amz-Expires": {"60"}, "X-Amz-SignedHeaders": {"host"},
		"X-Amz-Security-Token": {sessionToken},
	}
	if change != nil {
		change(q)
	}
	encoded := strings.ReplaceAll(q.Encode(), "+", "%20")
	canonical := method + "\n/b/k\n" + encoded + "\nhost:example.com\n\nhost\n" + sigv4.UnsignedPayload
	sum := sha256.Sum256([]byte(canonical))
	key := sigv4.DeriveKey(secret, "20261124", region, "s3")
	signature := key.Sign("AWS4-HMAC-SHA256\n20261124T120000Z\n20261124/" + region + "/s3/aws4_request\n" + hexOf(sum[:]))
	return httptest.NewRequest(method, "/b/k?"+encoded+"&X-Amz-Signature="+signature, nil)
}

func TestPresigned(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(url.Values) { return func(q url.Values) { q.Set(name, value) } }
	del := func(name string) func(url.Values) { return func(q url.Values) { q.Del(name) } }
	at := func(d time.Duration) time.Time { return now.Add(d) }
	tests := map[string]struct {
		change func(url.Values)
		after  func(*http.Request)
		at     time.Time
		kind   fault.Kind // Internal: no failure
	}{
		"good":               {at: now},
		"at its end":         {at: at(time.Minute)},
		"past its end":       {at: at(time.Minute + time.Second), kind: fault.Expired},
		"early":              {at: at(-sigv4.Skew)},
		"too early":          {at: at(-sigv4.Skew - time.Second), kind: fault.Expired},
		"a second":           {change: set("X-Amz-Expires", "1"), at: at(time.Second)},
		"a week":             {change: set("X-Amz-Expires", "604800"), at: at(7 * 24 * time.Hour)},
		"over a week":        {change: set("X-Amz-Expires", "604801"), at: now, kind: fault.Invalid},
		"no time at all":     {change: set("X-Amz-Expires", "0"), at: now, kind: fault.Invalid},
		"negative time":      {change: set("X-Amz-Expires", "-1"), at: now, kind: fault.Invalid},
		"time in words":      {change: set("X-Amz-Expires", "soon"), at: now, kind: fault.Invalid},
		"no expiry":          {change: del("X-Amz-Expires"), at: now, kind: fault.Invalid},
		"no date":            {change: del("X-Amz-Date"), at: now, kind: fault.Invalid},
		"no algorithm":       {change: del("X-Amz-Algorithm"), at: now, kind: fault.Invalid},
		"SigV4A":             {change: set("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), at: now, kind: fault.Invalid},
		"no signed headers":  {change: del("X-Amz-SignedHeaders"), at: now, kind: fault.Invalid},
		"no session token":   {change: del("X-Amz-Security-Token"), at: now},
		"streaming":          {change: set("X-Amz-Content-Sha256", sigv4.StreamingSigned), at: now, kind: fault.Invalid},
		"HTTP date":          {change: set("X-Amz-Date", "Tue, 24 Nov 2026 12:00:00 GMT"), at: now, kind: fault.Invalid},
		"parameter repeated": {change: func(q url.Values) { q.Add("X-Amz-Expires", "61") }, at: now, kind: fault.Invalid},
		"parameter added":    {after: func(r *http.Request) { r.URL.RawQuery += "&acl" }, at: now, kind: fault.Unauthenticated},
		"longer life": {
			after: func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "Expires=60", "Expires=61", 1) },
			at:    now, kind: fault.Unauthenticated,
		},
		"unsigned header":   {after: func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, at: now, kind: fault.Invalid},
		"token in a header": {after: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, at: now, kind: fault.Invalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := presigned(t, "GET", test.change)
			if test.after != nil {
				test.after(r)
			}
			err := prove(r, test.at)
			if test.kind == fault.Internal {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refusal(t, err, test.kind, "signature")
		})
	}
}

func TestHashedBody(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("b", 100_000)
	for name, test := range map[string]struct {
		signed, sent string
		length       int64
		err          bool
	}{
		"right":                 {body, body, 0, false},
		"right, unknown length": {body, body, -1, false},
		"empty":                 {"", "", 0, false},
		"changed":               {body, body[1:] + "c", 0, true},
		"changed, unknown":      {body, body[1:] + "c", -1, true},
		"short":                 {body, body[1:], -1, true},
		"not empty":             {"", "x", 0, true},
		"empty, not signed so":  {body, "", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(t, "s3", "PUT", "/b/k", test.signed, func(r *http.Request) { r.ContentLength = -1 })
			a, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(test.sent)), int64(len(test.sent))
			if test.length < 0 {
				r.ContentLength = -1
			}
			b, err := a.Body(r, secret)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(b)
			if !test.err {
				if err != nil || string(got) != test.sent {
					t.Errorf("read %d bytes: %v", len(got), err)
				}
				return
			}
			refusal(t, err, fault.Invalid, "payload")
			if test.length == 0 && len(test.sent) > 0 && len(got) >= len(test.sent) {
				t.Error("the last byte of an unproven body was released")
			}
			if _, again := b.Read(make([]byte, 1)); !errors.Is(again, err) {
				t.Errorf("after %v a read returned %v", err, again)
			}
		})
	}
}
