package policy

import (
	"strconv"
	"strings"
)

// iamPaths are the beginnings of an IAM resource's sixth field.
var iamPaths = [...]string{
	"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/", "sms-mfa/",
	"saml-provider/", "oidc-provider/", "report/", "access-report/",
}

func (v *validator) resources(s *draftStatement) *SyntaxError {
	if v.kind == Trust {
		if s.hasResource {
			return v.fail(s.pos, textTrustResource, "a trust policy is about the role it is attached to")
		}
		return nil
	}
	for _, r := range s.resources {
		if err := v.resource(r); err != nil {
			if v.kind == Bucket {
				err.Detail, err.Message = err.Message, textBucketResource
			}
			return err
		}
	}
	return nil
}

// resource checks the shape of one Resource entry: the star, or an ARN with all six fields. spec: iam-policy.md 3.3, 12
func (v *validator) resource(r word) *SyntaxError {
	if r.text == "*" {
		return nil
	}
	f := strings.SplitN(r.text, ":", 6)
	if len(f) == 1 || f[0] != "arn" {
		return v.fail(r.pos, "Resource "+r.text+` must be in ARN format or "*".`, "")
	}
	if f[1] != "aws" && !strings.ContainsAny(f[1], "*?") {
		return v.fail(r.pos, partitionText(f), "")
	}
	if len(f) == 2 || v.why == writing && strings.ContainsAny(f[2], "*?") {
		return v.fail(r.pos, textVendor, strconv.Quote(r.text))
	}
	if len(f) < 6 {
		if f[2] == "s3" {
			return v.fail(r.pos, textLegacy, strconv.Quote(r.text)+" has fewer than six fields")
		}
		return v.fail(r.pos, "Resource "+r.text+` must be in ARN format or "*".`, "fewer than six fields")
	}
	switch f[2] {
	case "s3":
		if f[3] != "" && !strings.Contains(f[5], "accesspoint") && (v.why == writing || !strings.ContainsAny(f[3], "*?")) {
			return v.fail(r.pos, "Resource "+r.text+" can not contain region information.", "")
		}
	case "iam":
		if f[3] != "" && (v.why == writing || !strings.ContainsAny(f[3], "*?")) {
			return v.fail(r.pos, "IAM resource "+r.text+" cannot contain region information.", "")
		}
		return v.iamResource(r, f[5])
	}
	return nil
}

func (v *validator) iamResource(r word, path string) *SyntaxError {
	if path == "root" || strings.HasPrefix(path, "*") {
		return nil
	}
	literal := path
	if i := strings.IndexAny(path, "*?$"); i >= 0 {
		literal = path[:i]
	}
	for _, p := range iamPaths {
		if strings.HasPrefix(path, p) || len(literal) < len(path) && strings.HasPrefix(p, literal) {
			return nil
		}
	}
	return v.fail(r.pos, `IAM resource path must either be "*" or start with `+strings.Join(iamPaths[:], ", ")+".", strconv.Quote(r.text))
}

// partitionText echoes the ARN as AWS does: missing fields become stars.
func partitionText(f []string) string {
	rest := strings.Split(strings.Join(f[2:], ":"), ":")
	field := func(i int) string {
		if i >= len(rest) || i == 0 && rest[0] == "" && len(rest) == 1 {
			return "*"
		}
		return rest[i]
	}
	last := "*"
	if len(rest) > 3 {
		last = strings.Join(rest[3:], ":")
	}
	return `Partition "` + f[1] + `" is not valid for resource "arn:` + f[1] + ":" + field(0) + ":" + field(1) + ":" + field(2) + ":" + last + `".`
}
