package organization

import (
	"context"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/podid/podid/internal/store"
)

// Limits of tags. spec: iam-policy.md 2
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// tagSet is the tags of the root, a unit, an account or a policy.
type tagSet struct {
	Tags map[string]string `json:"tags"`
}

// Tags are those of something in an organization, by its id. The map is shared.
func (d *Directory) Tags(o *Organization, id string) map[string]string {
	t, ok := tagSets.Get(d.db.Snapshot(), store.Key{o.ID, id})
	if !ok {
		return nil
	}
	return t.Tags
}

// Tag adds tags, over those of the same keys.
func (d *Directory) Tag(ctx context.Context, account, id string, tags map[string]string) error {
	return d.retag(ctx, account, id, func(old map[string]string) map[string]string {
		maps.Copy(old, tags)
		return old
	})
}

// Untag removes tags. A key that is not there is no failure.
func (d *Directory) Untag(ctx context.Context, account, id string, keys []string) error {
	return d.retag(ctx, account, id, func(old map[string]string) map[string]string {
		for _, key := range keys {
			delete(old, key)
		}
		return old
	})
}

func (d *Directory) retag(ctx context.Context, account, id string, f func(map[string]string) map[string]string) error {
	return d.change(ctx, account, func(tx *store.Tx, o *Organization) error {
		if !o.Taggable(id) {
			return noTarget()
		}
		t, ok, err := tagSets.Read(tx, store.Key{o.ID, id})
		if err != nil {
			return err
		}
		if !ok || t.Tags == nil {
			t = &tagSet{Tags: map[string]string{}}
		}
		return putTags(tx, o.ID, id, f(t.Tags))
	})
}

// Taggable reports whether an id is one of something that can have tags: the root, a unit, an account, or one of the organization's own
// policies.
func (o *Organization) Taggable(id string) bool {
	_, isPolicy := o.Policies[id]
	return id == o.RootID || o.Units[id] != nil || o.Accounts[id] != nil || isPolicy
}

func putTags(tx *store.Tx, organization, id string, tags map[string]string) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	if len(tags) == 0 {
		tagSets.Delete(tx, store.Key{organization, id})
		return nil
	}
	tagSets.Put(tx, store.Key{organization, id}, &tagSet{Tags: tags})
	return nil
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return constraint("MAX_TAG_LIMIT_EXCEEDED", "You have exceeded the number of tags allowed on this resource: %d.", maxTags)
	}
	for key, value := range tags {
		switch {
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return invalid("INVALID_SYSTEM_TAGS_PARAMETER", "You specified a tag key that is a system tag. You can't add, edit, or delete system tag keys.")
		case key == "":
			return invalid("MIN_LENGTH_EXCEEDED", "You provided a tag key that is shorter than 1 character.")
		case utf8.RuneCountInString(key) > maxTagKey, utf8.RuneCountInString(value) > maxTagValue:
			return invalid("MAX_LENGTH_EXCEEDED", "You provided a tag whose key is longer than %d or whose value is longer than %d characters.",
				maxTagKey, maxTagValue)
		case !tagText(key), !tagText(value):
			return invalid("INVALID_PATTERN", "You provided a tag that has characters which are not allowed.")
		}
	}
	return nil
}

func tagText(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.In(r, unicode.Z) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return utf8.ValidString(s)
}
