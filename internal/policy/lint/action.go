package lint

import (
	"slices"
	"strings"

	"github.com/podid/podid/internal/policy"
)

// knownActions are the actions of the services whose list is short and settled, in lower case.
var knownActions = map[string][]string{
	"sts": strings.Fields(`assumerole assumerolewithsaml assumerolewithwebidentity assumeroot decodeauthorizationmessage getaccesskeyinfo
		getcalleridentity getdelegatedaccesstoken getfederationtoken getservicebearertoken getsessiontoken getwebidentitytoken setcontext
		setsourceidentity tagsession taggetwebidentitytoken`),
	"eks-auth": {"assumeroleforpodidentity"},
}

// The actions of S3 that are about one object, or about one bucket, in lower case. spec: iam-policy.md 11.2
var (
	objectActions = strings.Fields(`abortmultipartupload bypassgovernanceretention deleteobject deleteobjecttagging deleteobjectversion
		deleteobjectversiontagging getobject getobjectacl getobjectattributes getobjectlegalhold getobjectretention getobjecttagging
		getobjectversion getobjectversionacl getobjectversionattributes getobjectversiontagging listmultipartuploadparts putobject
		putobjectacl putobjectlegalhold putobjectretention putobjecttagging putobjectversionacl putobjectversiontagging restoreobject`)
	bucketActions = strings.Fields(`createbucket deletebucket deletebucketpolicy deletebucketwebsite getbucketacl getbucketcors
		getbucketlocation getbucketlogging getbucketnotification getbucketobjectlockconfiguration getbucketownershipcontrols
		getbucketpolicy getbucketpolicystatus getbucketpublicaccessblock getbucketrequestpayment getbuckettagging getbucketversioning
		getbucketwebsite getencryptionconfiguration getlifecycleconfiguration getreplicationconfiguration listbucket
		listbucketmultipartuploads listbucketversions putbucketacl putbucketcors putbucketlogging putbucketnotification
		putbucketobjectlockconfiguration putbucketownershipcontrols putbucketpolicy putbucketpublicaccessblock putbucketrequestpayment
		putbuckettagging putbucketversioning putbucketwebsite putencryptionconfiguration putlifecycleconfiguration
		putreplicationconfiguration`)
)

func (c *checker) actions(s *policy.Statement) {
	if s.Action == nil {
		return
	}
	for i := range s.Action.Values {
		a := &s.Action.Values[i]
		service, name, ok := strings.Cut(strings.ToLower(a.Value), ":")
		switch known, listed := knownActions[service]; {
		case !ok:
		case strings.ContainsAny(name, " \t\r\n"):
			c.add("blank-in-action", a.Offset, "%q has a blank in it", a.Value)
		case strings.ContainsAny(service, "*?"):
			c.add("wildcard-service", a.Offset, "%q covers actions of other services, and of those that do not exist yet", a.Value)
		case listed && !matchesAny(name, known):
			c.add("unknown-action", a.Offset, "%s has no action that %q matches", service, a.Value)
		case service == "s3" && !s.Action.Not && !strings.ContainsAny(name, "*?"):
			c.s3Action(s, a, name)
		}
	}
}

// s3Action compares an action of S3 with the resources of its statement: buckets have no slash in their ARN, objects have one.
func (c *checker) s3Action(s *policy.Statement, a *policy.Text, name string) {
	object, bucket := slices.Contains(objectActions, name), slices.Contains(bucketActions, name)
	if s.Resource == nil || s.Resource.Not || len(s.Resource.Values) == 0 || !object && !bucket {
		return
	}
	for _, r := range s.Resource.Values {
		rest, ok := strings.CutPrefix(r.Value, "arn:aws:s3:::")
		slash := strings.Contains(rest, "/")
		// A star or a variable may stand for a slash and what follows it.
		if !ok || object && (slash || strings.ContainsAny(rest, "*$")) || bucket && !slash {
			return
		}
	}
	if object {
		c.add("action-resource-mismatch", a.Offset, "%s is about objects, and the statement names buckets only: add BUCKET/*", a.Value)
	} else {
		c.add("action-resource-mismatch", a.Offset, "%s is about buckets, and the statement names objects only: add the bucket's ARN", a.Value)
	}
}

// lists looks at the lists of a statement: empty ones, and entries that others cover.
func (c *checker) lists(s *policy.Statement) {
	if s.Sid != nil && s.Sid.Value == "" {
		c.add("empty-sid", s.Sid.Offset, "leave the Sid out")
	}
	for _, e := range [...]*policy.Element{s.Action, s.Resource} {
		if e == nil {
			continue
		}
		if len(e.Values) == 0 {
			c.add("empty-list", e.Offset, "the list has no entries")
		}
		c.covered(e.Values, e == s.Action)
	}
	if s.Resource != nil {
		for _, r := range s.Resource.Values {
			c.resource(r)
		}
	}
	if s.Principal != nil {
		for _, g := range s.Principal.Groups {
			c.principals(s, g)
		}
	}
}

func (c *checker) resource(r policy.Text) {
	f := strings.SplitN(r.Value, ":", 6)
	if len(f) == 6 && f[4] != "" && f[4] != "aws" && !strings.ContainsAny(f[4], "*?") && (len(f[4]) != 12 || strings.Trim(f[4], "0123456789") != "") {
		c.add("invalid-account", r.Offset, "%q is not an account id", f[4])
	}
	if !c.o.Variables() && strings.Contains(r.Value, "${") {
		c.add("variable-in-old-version", r.Offset, "%q is ordinary text in this version", r.Value)
	}
}

// maxList bounds the comparison of every entry of a list with every other.
const maxList = 500

// covered reports entries that another entry of the list covers.
func (c *checker) covered(values []policy.Text, fold bool) {
	if len(values) > maxList {
		return
	}
	for i := range values {
		for j := range values {
			a, b := values[i].Value, values[j].Value
			if fold {
				a, b = strings.ToLower(a), strings.ToLower(b)
			}
			if i == j || a == b && i < j || !covers(b, a) {
				continue
			}
			c.add("redundant-value", values[i].Offset, "%q is covered by %q", values[i].Value, values[j].Value)
			break
		}
	}
}

// covers reports whether pattern matches all that text, a pattern itself, matches. It knows patterns with one star, at the end.
func covers(pattern, text string) bool {
	if pattern == text || pattern == "*" {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, "*")
	return ok && !strings.ContainsAny(prefix, "*?$") && strings.HasPrefix(text, prefix) &&
		(!strings.HasPrefix(pattern, "arn:") || strings.Count(prefix, ":") >= 5)
}

func (c *checker) redundantValues(o operator, k *policy.ConditionKey) {
	if len(k.Values) > maxList {
		return
	}
	seen := map[string]bool{}
	for i := range k.Values {
		if seen[k.Values[i].Value] {
			c.add("redundant-value", k.Values[i].Offset, "%q stands in the list already", k.Values[i].Value)
		}
		seen[k.Values[i].Value] = true
	}
	if strings.HasSuffix(o.base, "like") && strings.HasPrefix(o.base, "string") && len(seen) == len(k.Values) {
		c.covered(k.Values, false)
	}
}

func (c *checker) principals(s *policy.Statement, g policy.PrincipalGroup) {
	if len(g.Values) == 0 {
		c.add("empty-list", s.Principal.Offset, "%s has no entries", g.Type)
	}
	for _, v := range g.Values {
		if g.Type == "AWS" && (strings.HasPrefix(v.Value, "AROA") || strings.HasPrefix(v.Value, "AIDA")) {
			c.add("unique-id-principal", v.Offset, "%s is the id of a user or role that was deleted; one of the same name does not get its access back", v.Value)
		}
		for _, w := range g.Values {
			if g.Type == "AWS" && !s.Principal.Not && coversPrincipal(w.Value, v.Value) {
				c.add("redundant-principal", v.Offset, "%s is covered by %s", v.Value, w.Value)
				break
			}
		}
	}
}

// coversPrincipal reports whether the role or the star names everybody whom the other names, more than it.
func coversPrincipal(wide, narrow string) bool {
	if wide == narrow {
		return false
	}
	if wide == "*" {
		return true
	}
	before, name, ok := strings.Cut(wide, ":role/")
	if !ok || strings.Contains(name, "/") {
		return false // the session's ARN has lost the path
	}
	return strings.HasPrefix(narrow, strings.Replace(before, ":iam:", ":sts:", 1)+":assumed-role/"+name+"/")
}

func matchesAny(pattern string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return match(pattern, n) })
}

// match is the wildcard match of actions. It returns to the last star only, so its cost is bounded by the product of the lengths.
func match(pattern, text string) bool {
	i, j, star, from := 0, 0, -1, 0
	for j < len(text) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, from = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == text[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
