package cluster

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/pattern"
)

// Tags of an association that say what the sessions of its pods are like. They are tags so that every client of EKS can set them.
const (
	// TagSessionTags names the session tags that pods get, of [SessionTagKeys], with spaces between them; "none": none. Without it, all.
	TagSessionTags = ownTags + "session-tags"
	// TagSessionTag and a key is a session tag that all pods of the association get, with this value.
	TagSessionTag = ownTags + "session-tag/"
	// TagSessionName is the name of a pod's session, in which placeholders stand for what is the pod's: @cluster, @namespace,
	// @service-account, @pod, @pod-uid and @node. A pod keeps the name in all its sessions. Without it, the name is EKS's, another one each time.
	TagSessionName = ownTags + "session-name"

	ownTags   = "podid.io/"
	noneOfSix = "none"
)

// SessionTagKeys are the session tags that tell of a pod, in EKS's order. spec: pod-identity.md 2.6
var SessionTagKeys = [...]string{
	"eks-cluster-arn", "eks-cluster-name", "kubernetes-namespace", "kubernetes-service-account", "kubernetes-pod-name", "kubernetes-pod-uid",
}

// SessionChoice is what an association chose of its pods' sessions.
type SessionChoice struct {
	Tags   []string          // of SessionTagKeys
	Static map[string]string // further session tags
	Name   string            // a template; empty: EKS's name
}

const (
	maxSessionTags = 50
	// maxStatic is how many bytes static tags have together. With the six of the longest names they stay below what a session may have.
	maxStatic = 900
)

// Session is what the association's tags say of its pods' sessions.
func (a *Association) Session() (SessionChoice, error) {
	if a.DisableSessionTags {
		return SessionChoice{Name: a.Tags[TagSessionName]}, nil
	}
	choice := SessionChoice{Tags: SessionTagKeys[:], Name: a.Tags[TagSessionName]}
	for key, value := range a.Tags {
		if name, ok := strings.CutPrefix(key, TagSessionTag); ok {
			if choice.Static == nil {
				choice.Static = map[string]string{}
			}
			choice.Static[name] = value
		}
	}
	named, ok := a.Tags[TagSessionTags]
	if !ok {
		return choice, nil
	}
	choice.Tags = nil
	if named == noneOfSix {
		return choice, nil
	}
	for key := range strings.FieldsSeq(named) {
		switch {
		case !slices.Contains(SessionTagKeys[:], key):
			return SessionChoice{}, invalidTag("The tag %s names %s: it has %s, or any of %s with spaces between them",
				TagSessionTags, quoted(key), noneOfSix, strings.Join(SessionTagKeys[:], ", "))
		case slices.Contains(choice.Tags, key):
			return SessionChoice{}, invalidTag("The tag %s names %s twice", TagSessionTags, key)
		}
		choice.Tags = append(choice.Tags, key)
	}
	if choice.Tags == nil {
		return SessionChoice{}, invalidTag("The tag %s is empty: to give pods none of the session tags, write %s", TagSessionTags, noneOfSix)
	}
	return choice, nil
}

func invalidTag(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, subjectTags, format, args...)
}

// checkTags holds the rules for an association's tags, with those that are about sessions.
func (a *Association) checkTags() error {
	if err := checkTags(a.Tags, TagSessionTags, TagSessionTag, TagSessionName); err != nil {
		return err
	}
	if a.DisableSessionTags {
		for key := range a.Tags {
			if key == TagSessionTags || strings.HasPrefix(key, TagSessionTag) {
				return invalidTag("The association has no session tags, so it cannot have the tag %s: "+
					"remove the tag, or set disableSessionTags to false", quoted(key))
			}
		}
	}
	choice, err := a.Session()
	if err != nil {
		return err
	}
	if err := choice.checkStatic(); err != nil {
		return err
	}
	if _, ok := a.Tags[TagSessionName]; ok {
		if err := checkTemplate(choice.Name); err != nil {
			return err
		}
		return a.checkApart(choice.Name)
	}
	return nil
}

// lookalikes are letters that some comparisons take for an ASCII letter: session tags cannot have them in their keys.
const lookalikes = "\u017f\u212a"

func (s *SessionChoice) checkStatic() error {
	if n := len(s.Tags) + len(s.Static); n > maxSessionTags {
		return invalidTag("A session has at most %d session tags, not %d", maxSessionTags, n)
	}
	size := 0
	keys := make([]string, 0, len(s.Static))
	for key, value := range s.Static {
		size += len(key) + len(value)
		is := func(other string) bool { return strings.EqualFold(key, other) }
		switch {
		case key == "" || strings.ContainsAny(key, lookalikes):
			return invalidTag("The tag %s does not end with the key of a session tag", quoted(TagSessionTag+key))
		case len(key) >= len("aws:") && strings.EqualFold(key[:len("aws:")], "aws:"):
			return invalidTag("The session tag %s is not valid: the prefix aws: is reserved", quoted(key))
		case slices.ContainsFunc(SessionTagKeys[:], is):
			return invalidTag("The session tag %s tells what a pod is, which no association can choose", quoted(key))
		case slices.ContainsFunc(keys, is):
			return invalidTag("The session tag %s is there twice: keys of session tags do not differ by case", quoted(key))
		}
		keys = append(keys, key)
	}
	if size > maxStatic {
		return invalidTag("The tags %s... have keys and values of %d bytes together: a session has room for %d beside the tags that tell of the pod",
			TagSessionTag, size, maxStatic)
	}
	return nil
}

// placeholders of a session's name; one that begins like another comes after it.
var (
	placeholders        = []string{"@cluster", "@namespace", "@service-account", "@pod-uid", "@pod", "@node"}
	withoutPlaceholders = strings.NewReplacer("@cluster", "", "@namespace", "", "@service-account", "", "@pod-uid", "", "@pod", "", "@node", "")
)

func checkTemplate(template string) error {
	rest := withoutPlaceholders.Replace(template)
	switch {
	case template == "":
		return invalidTag("The tag %s is empty: remove it, or give the sessions a name", TagSessionName)
	case strings.Contains(rest, "@"):
		return invalidTag("The tag %s has an @ that begins none of %s", TagSessionName, strings.Join(placeholders, ", "))
	case !sessionText(rest):
		return invalidTag("The tag %s is not valid: besides placeholders the name of a session has letters, digits and _+=,.-", TagSessionName)
	case rest == template && len(template) < minSessionName:
		return invalidTag("The tag %s is not valid: the name of a session has at least %d characters", TagSessionName, minSessionName)
	}
	return nil
}

// apart are the characters that no name of Kubernetes has, and that a tag and a session's name may have.
const apart = "_+="

// checkApart holds that a session's name tells the service accounts of a pattern from one another: between names that run together nobody
// could tell the pod x of the namespace team-a from the pod a-x of the namespace team. A pod's uid is as long as every other.
func (a *Association) checkApart(template string) error {
	differ := map[string]bool{"@namespace": pattern.Is(a.Namespace), "@service-account": pattern.Is(a.ServiceAccount)}
	last, between := "", ""
	for rest := template; rest != ""; {
		i := slices.IndexFunc(placeholders, func(p string) bool { return strings.HasPrefix(rest, p) })
		if i < 0 {
			between, rest = between+rest[:1], rest[1:]
			continue
		}
		name := placeholders[i]
		rest = rest[len(name):]
		if same, known := differ[name]; name == "@cluster" || known && !same {
			continue
		}
		if last != "" && last != "@pod-uid" && name != "@pod-uid" && (differ[last] || differ[name]) && !strings.ContainsAny(between, apart) {
			return invalidTag("The tag %s has %s and %s with none of %s between them: service accounts that match the pattern could look like one another",
				TagSessionName, last, name, apart)
		}
		last, between = name, ""
	}
	return nil
}

// Lengths of a session's name, and of what marks one that is not as its template says. spec: pod-identity.md 2.6
const (
	minSessionName = 2
	maxSessionName = 64
	nameMark       = 16
)

// Identity is what a session's name may be made of.
type Identity struct{ Cluster, Namespace, ServiceAccount, Pod, PodUID, Node string }

// SessionName fills a template in. A name that is too long, too short or has characters that a session's name cannot have is made to fit, and
// then ends with a mark that is made of the whole, so that two pods still have two names. One that looks as if it had a mark gets one, too:
// nobody can call a pod what another's session is called.
func SessionName(template string, of Identity) string {
	whole := strings.NewReplacer(
		"@cluster", of.Cluster, "@namespace", of.Namespace, "@service-account", of.ServiceAccount,
		"@pod-uid", of.PodUID, "@pod", of.Pod, "@node", of.Node,
	).Replace(template)
	if len(whole) >= minSessionName && len(whole) <= maxSessionName && sessionText(whole) && !marked(whole) {
		return whole
	}
	fit := []byte(whole[:min(len(whole), maxSessionName-nameMark-1)])
	for i, c := range fit {
		if !sessionCharacter(c) {
			fit[i] = '-'
		}
	}
	return string(fit) + "-" + mark(whole)
}

// marked tells whether a name ends as those with a mark do.
func marked(name string) bool {
	at := len(name) - nameMark
	return at > 0 && name[at-1] == '-' && strings.Trim(name[at:], "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// mark is 80 bits of a text's hash: to find another text with the same is beyond whoever may make pods.
func mark(text string) string {
	sum := sha256.Sum256([]byte(text))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:nameMark])
}

func sessionText(s string) bool {
	for i := range len(s) {
		if !sessionCharacter(s[i]) {
			return false
		}
	}
	return true
}

func sessionCharacter(c byte) bool { return alphanumeric(c) || strings.IndexByte("_+=,.@-", c) >= 0 }
