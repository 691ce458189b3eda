package cluster_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
)

func TestSessionChoice(t *testing.T) {
	t.Parallel()
	six := cluster.SessionTagKeys[:]
	tests := []struct {
		name string
		tags map[string]string
		off  bool
		want cluster.SessionChoice
	}{
		{name: "none", want: cluster.SessionChoice{Tags: six}},
		{name: "other tags", tags: map[string]string{"team": "a"}, want: cluster.SessionChoice{Tags: six}},
		{
			name: "some", tags: map[string]string{cluster.TagSessionTags: "kubernetes-namespace  eks-cluster-name"},
			want: cluster.SessionChoice{Tags: []string{"kubernetes-namespace", "eks-cluster-name"}},
		},
		{name: "none of them", tags: map[string]string{cluster.TagSessionTags: "none"}, want: cluster.SessionChoice{}},
		{
			name: "further ones", tags: map[string]string{cluster.TagSessionTag + "team": "a", cluster.TagSessionTag + "cost/center": ""},
			want: cluster.SessionChoice{Tags: six, Static: map[string]string{"team": "a", "cost/center": ""}},
		},
		{name: "name", tags: map[string]string{cluster.TagSessionName: "@pod"}, want: cluster.SessionChoice{Tags: six, Name: "@pod"}},
		{name: "tags are off", tags: map[string]string{cluster.TagSessionName: "@pod"}, off: true, want: cluster.SessionChoice{Name: "@pod"}},
	}
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := association("sa")
			in.Tags, in.DisableSessionTags = tt.tags, tt.off
			a, err := r.CreateAssociation(ctx, in, "")
			must(t, err)
			got, err := a.Session()
			must(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			_, err = r.DeleteAssociation(ctx, account, "c", a.ID)
			must(t, err)
		})
	}
}

func TestSessionTagsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 250)
	tests := []struct {
		name string
		tags map[string]string
		off  bool
		text string
	}{
		{name: "misspelt", tags: map[string]string{"podid.io/session-tag": "x"}, text: "podid's own"},
		{name: "misspelt by case", tags: map[string]string{"Podid.io/session-tags": "none"}, text: "podid's own"},
		{name: "a cluster's", tags: map[string]string{cluster.TagPatterns: "true"}, text: "podid's own"},
		{name: "unknown key", tags: map[string]string{cluster.TagSessionTags: "kubernetes-node"}, text: `"kubernetes-node"`},
		{name: "none and another", tags: map[string]string{cluster.TagSessionTags: "none eks-cluster-arn"}, text: `"none"`},
		{name: "twice", tags: map[string]string{cluster.TagSessionTags: "eks-cluster-arn eks-cluster-arn"}, text: "twice"},
		{name: "empty", tags: map[string]string{cluster.TagSessionTags: " "}, text: "empty"},
		{name: "no key", tags: map[string]string{cluster.TagSessionTag: "x"}, text: "does not end"},
		{name: "what a pod is", tags: map[string]string{cluster.TagSessionTag + "Kubernetes-Namespace": "prod"}, text: "no association can choose"},
		{
			name: "what a pod is, left out", text: "no association can choose",
			tags: map[string]string{cluster.TagSessionTags: "none", cluster.TagSessionTag + "eks-cluster-arn": "x"},
		},
		{name: "a letter that looks alike", tags: map[string]string{cluster.TagSessionTag + "\u212aey": "x"}, text: "does not end"},
		{name: "reserved", tags: map[string]string{cluster.TagSessionTag + "AWS:x": "x"}, text: "reserved"},
		{name: "by case", tags: map[string]string{cluster.TagSessionTag + "a": "x", cluster.TagSessionTag + "A": "x"}, text: "differ by case"},
		{
			name: "too much", text: "has room for",
			tags: map[string]string{
				cluster.TagSessionTag + "a": long, cluster.TagSessionTag + "b": long, cluster.TagSessionTag + "c": long, cluster.TagSessionTag + "d": long,
			},
		},
		{name: "tags are off, some", tags: map[string]string{cluster.TagSessionTags: "none"}, off: true, text: "has no session tags"},
		{name: "tags are off, further", tags: map[string]string{cluster.TagSessionTag + "a": "x"}, off: true, text: "has no session tags"},
		{name: "no name", tags: map[string]string{cluster.TagSessionName: ""}, text: "empty"},
		{name: "name of one letter", tags: map[string]string{cluster.TagSessionName: "x"}, text: "at least 2"},
		{name: "unknown placeholder", tags: map[string]string{cluster.TagSessionName: "@cluster-@region"}, text: "an @ that begins none"},
		{name: "a placeholder that others make", tags: map[string]string{cluster.TagSessionName: "@po@clusterd"}, text: "an @ that begins none"},
		{name: "name", tags: map[string]string{cluster.TagSessionName: "@namespace/@pod"}, text: "letters, digits"},
	}
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := association("sa")
			in.Tags, in.DisableSessionTags = tt.tags, tt.off
			_, err := r.CreateAssociation(ctx, in, "")
			is(t, err, fault.Invalid, "tags", tt.text)
		})
	}
	c, _ := r.Find(account, "c")
	for _, bad := range []string{"podid.io/pattern-association", cluster.TagSessionTags} {
		err := r.Retag(ctx, account, c.ARN(), func(x *cluster.Tagged) error { x.Tags[bad] = "true"; return nil })
		is(t, err, fault.Invalid, "resource", "podid's own")
	}
}

// TestSessionTagsAndTheAssociation holds that neither of two calls can leave an association behind that the other would have refused.
func TestSessionTagsAndTheAssociation(t *testing.T) {
	t.Parallel()
	r, ctx := withCluster(t, quota.Set{}), t.Context()
	a, err := r.CreateAssociation(ctx, association("sa"), "")
	must(t, err)
	set := func(key, value string) error {
		return r.Retag(ctx, account, a.ARN(), func(x *cluster.Tagged) error {
			if x.RoleARN != role {
				t.Errorf("the role is %q", x.RoleARN)
			}
			x.Tags[key] = value
			return nil
		})
	}
	must(t, set(cluster.TagSessionTag+"team", "a"))
	off := func(a *cluster.Association) error { a.DisableSessionTags = true; return nil }
	_, err = r.UpdateAssociation(ctx, account, "c", a.ID, "", nil, off)
	is(t, err, fault.Invalid, "tags", "remove the tag")
	must(t, r.Retag(ctx, account, a.ARN(), func(x *cluster.Tagged) error { clear(x.Tags); return nil }))
	_, err = r.UpdateAssociation(ctx, account, "c", a.ID, "", nil, off)
	must(t, err)
	is(t, set(cluster.TagSessionTags, "none"), fault.Invalid, "resource", "disableSessionTags")
}

func TestSessionName(t *testing.T) {
	t.Parallel()
	pod := cluster.Identity{
		Cluster: "prod", Namespace: "shop", ServiceAccount: "cart", Pod: "cart-56b9f94b4-dvd5c", PodUID: "0c7d3f2e-1f7a-4c0e-8a52-6d8f8f0c3b11", Node: "n1",
	}
	long := pod
	long.Namespace = strings.Repeat("n", 63)
	other := long
	other.Pod = "cart-56b9f94b4-xxxxx"
	tests := []struct {
		template string
		pod      cluster.Identity
		want     string // a regular expression
	}{
		{"@cluster-@namespace-@service-account", pod, "prod-shop-cart"},
		{"@pod@@node", pod, "cart-56b9f94b4-dvd5c@n1"},
		{"@pod-uid", pod, pod.PodUID},
		{"@pod-", pod, pod.Pod + "-"},
		{"jobs", pod, "jobs"},
		{"@namespace-@pod", long, "n{47}-[a-z2-7]{16}"},
		{"@node", cluster.Identity{}, "-[a-z2-7]{16}"},
		{"@pod", cluster.Identity{Pod: "a:b/c é"}, "a-b-c----[a-z2-7]{16}"},
	}
	for _, tt := range tests {
		got := cluster.SessionName(tt.template, tt.pod)
		if !regexp.MustCompile("^"+tt.want+"$").MatchString(got) || got != cluster.SessionName(tt.template, tt.pod) {
			t.Errorf("%s: got %s, want %s", tt.template, got, tt.want)
		}
	}
	if a, b := cluster.SessionName("@namespace-@pod", long), cluster.SessionName("@namespace-@pod", other); a == b {
		t.Errorf("two pods are both %s", a)
	}
	// A pod of another namespace that is called what is left of a long name.
	victim := cluster.SessionName("@pod-@namespace", cluster.Identity{Namespace: "shop", Pod: strings.Repeat("p", 90)})
	at := strings.LastIndexByte(victim, '-')
	if evil := cluster.SessionName("@pod-@namespace", cluster.Identity{Namespace: victim[at+1:], Pod: victim[:at]}); evil == victim {
		t.Errorf("a pod of the namespace %s is %s", victim[at+1:], evil)
	}
}

// TestSessionNamesOfPatterns holds that a template tells the service accounts of a pattern from one another.
func TestSessionNamesOfPatterns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		namespace, serviceAccount, template string
		ok                                  bool
	}{
		{"*", "*", "@cluster-@namespace-@pod", false},
		{"team-*", "app", "@pod.x.@namespace", false},
		{"*", "*", "@namespace@service-account", false},
		{"shop", "*", "@namespace-@service-account-@pod", false},
		{"*", "*", "@cluster-@namespace_@pod", true},
		{"*", "*", "@namespace+x-@service-account=@pod-@node", true},
		{"*", "*", "@namespace-@pod-uid", true},
		{"*", "*", "@pod-@node", true},
		{"*", "app", "@namespace.@cluster.@service-account", true},
		{"shop", "*", "@namespace-@cluster-@pod", true},
		{"shop", "cart", "@namespace-@service-account-@pod", true},
	} {
		a := &cluster.Association{
			Namespace: tt.namespace, ServiceAccount: tt.serviceAccount, Tags: map[string]string{cluster.TagSessionName: tt.template},
		}
		if err := cluster.CheckAssociationTags(a); (err == nil) != tt.ok {
			t.Errorf("%s of %s/%s: %v", tt.template, tt.namespace, tt.serviceAccount, err)
		}
	}
}

// FuzzSessionName holds that whatever a pod is called, its session has a name that STS takes.
func FuzzSessionName(f *testing.F) {
	f.Add("@cluster-@namespace-@pod-uid", "c", "ns", "pod", "uid")
	f.Add("@pod", "", "", "\x00\xff", "")
	valid := regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	f.Fuzz(func(t *testing.T, template, c, ns, pod, uid string) {
		if name := cluster.SessionName(template, cluster.Identity{Cluster: c, Namespace: ns, Pod: pod, PodUID: uid}); !valid.MatchString(name) {
			t.Errorf("the name is %q", name)
		}
	})
}

// FuzzSessionTags holds that whatever tags are let in, the session that they ask for is one that STS makes.
func FuzzSessionTags(f *testing.F) {
	f.Add("podid.io/session-tags", "eks-cluster-arn kubernetes-namespace", "podid.io/session-tag/team", "a", false)
	f.Add("podid.io/session-name", "@pod-@node", "podid.io/session-tag/aws:x", "", false)
	f.Add("podid.io/session-tag/a", "x", "podid.io/session-tag/A", "x", true)
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string, off bool) {
		a := &cluster.Association{Tags: map[string]string{key1: value1, key2: value2}, DisableSessionTags: off}
		if cluster.CheckAssociationTags(a) != nil {
			return
		}
		choice, err := a.Session()
		if err != nil {
			t.Fatalf("%q was let in: %v", a.Tags, err)
		}
		if off && len(choice.Tags)+len(choice.Static) > 0 {
			t.Errorf("there are session tags: %v", choice)
		}
		keys := choice.Tags
		for key, value := range choice.Static {
			for _, other := range cluster.SessionTagKeys {
				if strings.EqualFold(key, other) {
					t.Errorf("%q was let in", key)
				}
			}
			if key == "" || len([]rune(value)) > 256 || strings.HasPrefix(strings.ToLower(key), "aws:") {
				t.Errorf("%q=%q was let in", key, value)
			}
			for _, other := range keys {
				if strings.EqualFold(key, other) {
					t.Errorf("%q and %q were let in", key, other)
				}
			}
			keys = append(keys[:len(keys):len(keys)], key)
		}
	})
}
