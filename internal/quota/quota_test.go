package quota_test

import (
	"strings"
	"testing"

	"github.com/podid/podid/internal/quota"
)

func TestDefaultsAreAWSs(t *testing.T) {
	t.Parallel()
	var s quota.Set
	for _, q := range []quota.Quota{
		{Name: quota.AssociationsPerCluster, Default: 5000},
		{Name: quota.RolesPerAccount, Default: 1000},
		{Name: quota.TrustPolicySize, Default: 2048},
		{Name: "nonsense", Default: 0},
	} {
		if got := s.Of(q.Name); got != q.Default {
			t.Errorf("%s is %d, want %d", q.Name, got, q.Default)
		}
	}
	for _, q := range quota.All() {
		if q.About == "" || s.Of(q.Name) != q.Default {
			t.Errorf("%s has no text, or not its default", q.Name)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := quota.Parse([]string{"associations-per-cluster=20000", "roles-per-account=5", "roles-per-account=7"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Of(quota.AssociationsPerCluster) != 20000 || s.Of(quota.RolesPerAccount) != 7 || s.Of(quota.UsersPerAccount) != 5000 {
		t.Errorf("got %v", s)
	}
	if s.With(quota.RolesPerAccount, 1).Of(quota.RolesPerAccount) != 1 || s.Of(quota.RolesPerAccount) != 7 {
		t.Error("With changed the set it was made from, or not the new one")
	}
	for setting, text := range map[string]string{
		"roles": "NAME=NUMBER", "cats=9": "no quota", "roles-per-account=-1": "not a number", "roles-per-account=9999999999": "not a number",
	} {
		if _, err := quota.Parse([]string{setting}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v, want %q", setting, err, text)
		}
	}
}
