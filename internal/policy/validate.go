package policy

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkText bounds the document before anything reads it. spec: iam-policy.md 1.1
func checkText(kind Kind, text string, why purpose) *SyntaxError {
	message := textSyntax
	if kind == Bucket {
		message = textBucketJSON
	}
	if len(text) > maxText {
		return syntaxAt(text, 0, message, "longer than "+strconv.Itoa(maxText)+" bytes")
	}
	if !utf8.ValidString(text) {
		return syntaxAt("", 0, message, "not UTF-8")
	}
	if why == reading {
		return nil
	}
	for i, r := range text {
		if r > 0xff {
			return syntaxAt(text, i, message, "character "+strconv.QuoteRune(r)+" beyond U+00FF")
		}
	}
	return nil
}

// bucketText is S3's word for a grammar failure.
func bucketText(err *SyntaxError) string {
	switch err.Detail {
	case "no Statement":
		return textBucketMissing + "Statement"
	case "Effect is Allow or Deny":
		return textBucketMissing + "Effect"
	}
	return textBucketJSON
}

// validator judges a draft in the order in which AWS does, so that of several faults the same one is reported.
// spec: iam-policy.md 12
type validator struct {
	kind Kind
	why  purpose
	d    *draft
}

func (v *validator) fail(pos int, message, detail string) *SyntaxError {
	return syntaxAt(v.d.text, pos, message, detail)
}

// identityLike reports whether the document is attached to a principal and so must not name one.
func (v *validator) identityLike() bool {
	return v.kind == Identity || v.kind == Boundary || v.kind == Session || v.kind == SCP
}

func (v *validator) validate() *SyntaxError {
	if v.why == writing && v.kind != Bucket && v.kind != Trust && v.d.version != version2012 {
		return v.fail(0, textVersion, "")
	}
	checks := [...]func(*draftStatement) *SyntaxError{v.effect, v.conditions, v.variables}
	for _, check := range checks {
		if err := v.each(check); err != nil {
			return err
		}
	}
	if err := v.sids(); err != nil {
		return err
	}
	checks = [...]func(*draftStatement) *SyntaxError{v.principal, v.hasActions, v.resources}
	for _, check := range checks {
		if err := v.each(check); err != nil {
			return err
		}
	}
	checks = [...]func(*draftStatement) *SyntaxError{v.actions, v.hasResources, v.bucketStatement}
	for _, check := range checks {
		if err := v.each(check); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) each(check func(*draftStatement) *SyntaxError) *SyntaxError {
	for i := range v.d.statements {
		if err := check(&v.d.statements[i]); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) effect(s *draftStatement) *SyntaxError {
	if e := s.effect.text; e != "Allow" && e != "Deny" {
		return v.fail(s.effect.pos, textLegacy, "the case of letters counts in Effect")
	}
	return nil
}

func (v *validator) conditions(s *draftStatement) *SyntaxError {
	for i := range s.conditions {
		c := &s.conditions[i]
		for _, value := range c.values {
			if c.operator.family == familyDate {
				if _, ok := parseInstant(value.text); !ok {
					return v.fail(value.pos, textLegacy, strconv.Quote(value.text)+" is not a date")
				}
			}
			if v.d.version == version2012 && !c.operator.takesVariables() && hasVariable(value.text) {
				return v.fail(value.pos, textLegacy, "no policy variables in the values of "+c.operator.name)
			}
		}
	}
	return nil
}

// variables checks the places where a policy variable may not stand, and the spelling of those that may.
func (v *validator) variables(s *draftStatement) *SyntaxError {
	for _, a := range s.actions {
		if hasVariable(a.text) {
			return v.fail(a.pos, textLegacy, "no policy variables in an action")
		}
	}
	if s.principal != nil {
		for _, e := range s.principal.entries {
			if hasVariable(e.text) {
				return v.fail(e.pos, textBadPrincipal, "no policy variables in a principal")
			}
		}
	}
	if v.d.version != version2012 {
		return nil
	}
	for _, r := range s.resources {
		if at := strings.Index(r.text, "${"); at >= 0 && strings.Count(r.text[:at], ":") < arnColons {
			return v.fail(r.pos, textLegacy, "policy variables only after the fifth colon of a resource")
		}
		if _, err := compilePattern(r.text, dialect{variables: true}); err != nil {
			return v.fail(r.pos, textLegacy, err.Error())
		}
	}
	return nil
}

func (v *validator) sids() *SyntaxError {
	seen := map[string]bool{}
	for i := range v.d.statements {
		sid := v.d.statements[i].sid
		if sid.text == "" {
			continue
		}
		if v.why == writing && v.kind != Bucket && strings.ContainsFunc(sid.text, notAlphanumeric) {
			return v.fail(sid.pos, textSidAlphabet, "")
		}
		if seen[sid.text] {
			return v.fail(sid.pos, textSid, strconv.Quote(sid.text)+" twice")
		}
		seen[sid.text] = true
	}
	return nil
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

func (v *validator) hasActions(s *draftStatement) *SyntaxError {
	if len(s.actions) > 0 {
		return nil
	}
	if v.kind == Bucket {
		return v.fail(s.pos, textBucketMissing+"Action", "")
	}
	return v.fail(s.pos, textNoAction, "")
}

func (v *validator) actions(s *draftStatement) *SyntaxError {
	for _, a := range s.actions {
		if err := v.action(a); err != nil {
			if v.kind == Bucket {
				err.Message = textBucketAction
			}
			return err
		}
		if v.kind == Trust && v.why == writing && !trustAction(a.text) {
			return v.fail(a.pos, textTrustAction, strconv.Quote(a.text)+" assumes no role")
		}
	}
	return nil
}

// action checks the shape service:name. spec: iam-policy.md 3.2
func (v *validator) action(a word) *SyntaxError {
	if a.text == "*" {
		return nil
	}
	vendor, name, ok := strings.Cut(a.text, ":")
	switch {
	case !ok:
		return v.fail(a.pos, textActionVendor, strconv.Quote(a.text)+" names no service")
	case strings.Contains(name, ":"):
		return v.fail(a.pos, textActionColon, strconv.Quote(a.text))
	case strings.ContainsFunc(vendor, notVendor) && (v.why != reading || !strings.ContainsAny(vendor, "*?")) && vendor != "*":
		return v.fail(a.pos, "Vendor "+vendor+" is not valid", "")
	}
	return nil
}

func notVendor(r rune) bool { return notAlphanumeric(r) && r != '.' && r != '-' }

// trustActions are the actions that a trust policy can be about.
var trustActions = [...]string{
	"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity",
}

// trustAction reports whether an action pattern of a trust policy means the STS actions that assume roles.
func trustAction(text string) bool {
	if _, ok := cutPrefixFold(text, "sts:"); !ok {
		return false
	}
	p := compileAction(word{text: text})
	for _, a := range trustActions {
		if p.match(a) {
			return true
		}
	}
	return false
}

func (v *validator) hasResources(s *draftStatement) *SyntaxError {
	switch {
	case v.kind == Trust || len(s.resources) > 0:
		return nil
	case v.kind == Bucket:
		return v.fail(s.pos, textBucketMissing+"Resource", "")
	}
	return v.fail(s.pos, textNoResource, "")
}
