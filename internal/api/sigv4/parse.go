package sigv4

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bounds of what Parse reads. A session token has up to 4,096 bytes and user metadata up to 2 KiB; both leave room here.
const (
	maxAuthorization = 8 << 10
	maxSessionToken  = 8 << 10
	maxSignedHeaders = 128
	maxHeaderName    = 256
	maxScopeField    = 64
	maxAccessKeyID   = 128
)

// Names that carry authentication in the query. They are spelled exactly like this; another spelling is refused rather than
// ignored, so that no two readers of a request can disagree.
const (
	queryAlgorithm     = "X-Amz-Algorithm"
	queryCredential    = "X-Amz-Credential"
	queryDate          = "X-Amz-Date"
	queryExpires       = "X-Amz-Expires"
	querySignedHeaders = "X-Amz-SignedHeaders"
	querySignature     = "X-Amz-Signature"
	querySessionToken  = "X-Amz-Security-Token"
	queryContentSHA256 = "X-Amz-Content-Sha256"
)

var queryNames = [...]string{
	queryAlgorithm, queryCredential, queryDate, queryExpires, querySignedHeaders, querySignature, querySessionToken,
}

// single lists the headers that a request may have once at most: two of them would let two readers pick different ones.
var single = [...]string{
	"Authorization", "Date", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Decoded-Content-Length",
	"X-Amz-Trailer",
}

// Parse reads the signature of a request, from its Authorization header or its query. It returns nil and no error for a
// request that carries none. Every failure is fault.Invalid, subject "signature".
func Parse(r *http.Request) (*Authorization, error) {
	for _, name := range single {
		if len(r.Header[name]) > 1 {
			return nil, malformed("The request has more than one %s header", name)
		}
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	inQuery, err := carriesAuthentication(query)
	if err != nil {
		return nil, err
	}
	header, inHeader := first(r.Header, "Authorization")
	var a *Authorization
	switch {
	case inHeader && inQuery:
		return nil, malformed("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, " +
			"Signature query string parameter or the Authorization header should be specified")
	case inHeader:
		a, err = parseHeader(r, header)
	case inQuery:
		a, err = parsePresigned(r, query)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := a.checkHeaders(r.Header); err != nil {
		return nil, err
	}
	if err := a.checkDuplicates(query); err != nil {
		return nil, err
	}
	return a, a.setPayload(r, query)
}

// carriesAuthentication reports whether any authentication parameter is in the query.
func carriesAuthentication(query []param) (bool, error) {
	found := false
	for _, p := range query {
		if p.name == "AWSAccessKeyId" {
			return false, errAlgorithm()
		}
		if !hasAmzPrefix(p.name) {
			continue
		}
		for _, name := range queryNames {
			if p.name == name {
				found = true
			} else if equalFold(p.name, name) {
				return false, malformed("The query parameter %s must be spelled %s", name, name)
			}
		}
	}
	return found, nil
}

func parseHeader(r *http.Request, text string) (*Authorization, error) {
	if len(text) > maxAuthorization {
		return nil, malformed("The Authorization header is longer than %d bytes", maxAuthorization)
	}
	scheme, rest, _ := strings.Cut(text, " ")
	if err := checkAlgorithm(scheme); err != nil {
		return nil, err
	}
	var credential, signedHeaders, signature string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.Trim(part, " \t"), "=")
		var field *string
		switch name {
		case "Credential":
			field = &credential
		case "SignedHeaders":
			field = &signedHeaders
		case "Signature":
			field = &signature
		}
		if !ok || field == nil || value == "" || *field != "" {
			return nil, malformed("The Authorization header is malformed: it has one Credential, one SignedHeaders and " +
				"one Signature, each as name=value, separated by commas")
		}
		*field = value
	}
	for _, p := range [...]param{{"Credential", credential}, {"SignedHeaders", signedHeaders}, {"Signature", signature}} {
		if p.value == "" {
			return nil, malformed("Authorization header requires '%s' parameter", p.name)
		}
	}
	a := &Authorization{}
	if err := a.setDate(requestDate(r.Header)); err != nil {
		return nil, err
	}
	a.SessionToken, _ = first(r.Header, "X-Amz-Security-Token")
	return a, a.set(credential, signedHeaders, signature)
}

func parsePresigned(r *http.Request, query []param) (*Authorization, error) {
	alg, credential, date := lookup(query, queryAlgorithm), lookup(query, queryCredential), lookup(query, queryDate)
	signedHeaders, signature := lookup(query, querySignedHeaders), lookup(query, querySignature)
	if alg != "" {
		if err := checkAlgorithm(alg); err != nil {
			return nil, err
		}
	}
	if alg == "" || credential == "" || date == "" || signedHeaders == "" || signature == "" {
		return nil, errIncompleteQuery()
	}
	a := &Authorization{Presigned: true, SessionToken: lookup(query, querySessionToken)}
	if header, ok := first(r.Header, "X-Amz-Security-Token"); ok {
		if a.SessionToken != "" {
			return nil, malformed("The session token is given twice, in the query and in a header")
		}
		a.SessionToken = header
	}
	if err := a.setDate(date, true); err != nil {
		return nil, err
	}
	if err := a.set(credential, signedHeaders, signature); err != nil {
		return nil, err
	}
	return a, a.setExpires(lookup(query, queryExpires))
}

// set fills in what header and query have in common.
func (a *Authorization) set(credential, signedHeaders, signature string) error {
	if len(a.SessionToken) > maxSessionToken {
		return malformed("The session token is longer than %d bytes", maxSessionToken)
	}
	if err := a.setCredential(credential); err != nil {
		return err
	}
	if err := a.setSignedHeaders(signedHeaders); err != nil {
		return err
	}
	if !isHash(signature) {
		return malformed("The signature must be 64 lower-case hexadecimal digits")
	}
	_, err := hex.Decode(a.signature[:], []byte(signature))
	return err
}

// requestDate returns X-Amz-Date, or else Date; basic tells that only the ISO 8601 basic format will do.
func requestDate(h http.Header) (text string, basic bool) {
	if text, ok := first(h, "X-Amz-Date"); ok {
		return text, true
	}
	text, _ = first(h, "Date")
	return text, false
}

func (a *Authorization) setDate(text string, basic bool) error {
	var t time.Time
	var err error
	if basic || len(text) == len(timeLayout) {
		t, err = time.Parse(timeLayout, text)
	} else {
		t, err = http.ParseTime(text)
	}
	if err != nil || basic && len(text) != len(timeLayout) || t.Year() < 1 { // time.Parse allows fractions
		return malformed("The request's date must be a valid X-Amz-Date of the form YYYYMMDD'T'HHMMSS'Z' or a valid Date header")
	}
	a.Date = t.UTC()
	a.stamp = a.Date.Format(timeLayout)
	return nil
}

func (a *Authorization) setExpires(text string) error {
	if text == "" {
		if a.s3() {
			return errIncompleteQuery()
		}
		a.Expires = defaultExpires
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return malformed("X-Amz-Expires should be a number")
	}
	if a.Expires = time.Duration(seconds) * time.Second; seconds == 0 {
		return malformed("X-Amz-Expires must be at least 1 second")
	}
	if a.Expires > maxExpires {
		return malformed("X-Amz-Expires must be less than a week (in seconds) that is 604800")
	}
	return nil
}

func (a *Authorization) setCredential(text string) error {
	f := strings.SplitN(text, "/", 6)
	if len(f) != 5 {
		return malformed("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term")
	}
	key, date, region, service := f[0], f[1], f[2], f[3]
	switch {
	case !isName(key, maxAccessKeyID):
		return malformed("The access key id of the credential is malformed")
	case !isName(region, maxScopeField):
		return malformed("The region of the credential scope is malformed")
	case !isName(service, maxScopeField):
		return malformed("The service of the credential scope is malformed")
	case f[4] != terminator:
		return malformed("Credential should be scoped with a valid terminator: '%s'", terminator)
	case date != a.stamp[:8]:
		return malformed("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "+
			"%.16q != '%s', from '%s'", date, a.stamp[:8], a.stamp)
	}
	a.AccessKeyID, a.Region, a.Service = key, region, service
	a.scope = text[len(key)+1:]
	return nil
}

func (a *Authorization) setSignedHeaders(text string) error {
	names := strings.Split(text, ";")
	if len(names) > maxSignedHeaders {
		return malformed("SignedHeaders names more than %d headers", maxSignedHeaders)
	}
	for i, name := range names {
		if !isHeaderName(name) || i > 0 && names[i-1] >= name {
			return malformed("SignedHeaders must name each header once, in lower case and ascending order, separated by semicolons")
		}
	}
	a.SignedHeaders = names
	return nil
}

// checkHeaders holds that what gives a request its meaning is signed.
func (a *Authorization) checkHeaders(h http.Header) error {
	if !a.signed("host") {
		return malformed("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range h {
		if hasAmzPrefix(name) && !a.signed(name) {
			return malformed("There were headers present in the request which were not signed: %.100s", strings.ToLower(name))
		}
	}
	return nil
}

// checkDuplicates refuses repeated parameters: all of them for S3, which has no list parameters, and otherwise those of AWS's own
// name space (EKS repeats tagKeys).
func (a *Authorization) checkDuplicates(query []param) error {
	for i := 1; i < len(query); i++ {
		if name := query[i].name; name == query[i-1].name && (a.s3() || hasAmzPrefix(name)) {
			return malformed("The query parameter %.100q appears more than once", name)
		}
	}
	return nil
}

// setPayload decides what stands for the payload in the canonical request.
func (a *Authorization) setPayload(r *http.Request, query []param) error {
	declared, ok := first(r.Header, "X-Amz-Content-Sha256")
	if !ok && a.Presigned {
		declared = lookup(query, queryContentSHA256)
	}
	if !a.s3() {
		if declared != "" && !isHash(declared) {
			return malformed("x-amz-content-sha256 must be a valid sha256 value.")
		}
		a.declared = declared
		return nil
	}
	if declared == "" && a.Presigned {
		declared = UnsignedPayload
	}
	switch declared {
	case "":
		return malformed("Missing required header for this request: x-amz-content-sha256")
	case UnsignedPayload:
	case StreamingSigned, StreamingSignedTrailer, StreamingUnsignedTrailer:
		if a.Presigned {
			return malformed("A presigned request cannot stream its payload in chunks")
		}
	default:
		if !isHash(declared) {
			return malformed("x-amz-content-sha256 must be %s, %s, %s, %s or a valid sha256 value.",
				UnsignedPayload, StreamingUnsignedTrailer, StreamingSigned, StreamingSignedTrailer)
		}
	}
	a.PayloadHash = declared
	return nil
}

func checkAlgorithm(name string) error {
	switch {
	case name == algorithm:
		return nil
	case name == "AWS", strings.HasPrefix(name, "AWS3"), strings.HasPrefix(name, "AWS4-"):
		return errAlgorithm() // SigV2, its relative for Route 53, SigV4A
	}
	return malformed("Unsupported Authorization Type")
}

func errAlgorithm() error {
	return malformed("The authorization mechanism you have provided is not supported. Please use %s.", algorithm)
}

func errIncompleteQuery() error {
	return malformed("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, " +
		"X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
}
