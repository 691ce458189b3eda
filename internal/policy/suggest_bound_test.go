package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/podid/podid/internal/policy"
)

// TestSuggestIsBounded: a document of many statements, each of which nearly allows, does not make the search long.
func TestSuggestIsBounded(t *testing.T) {
	t.Parallel()
	var statements []string
	for i := range 900 {
		statements = append(statements, fmt.Sprintf(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b%d/*"}`, i))
	}
	text := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	s := &policy.Set{Identity: docs(t, policy.Identity, text), Boundary: docs(t, policy.Boundary, text)[0]}
	s.SCP = [][]*policy.Document{docs(t, policy.SCP, text), docs(t, policy.SCP, text)}
	start := time.Now()
	got := policy.Suggest(roleRequest("s3:GetObject", "arn:aws:s3:::data/x"), s)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	if len(got) == 0 {
		t.Error("no suggestion")
	}
	for _, suggestion := range got {
		if len(suggestion.Edits) != 4 {
			t.Errorf("got %+v", suggestion)
		}
	}
	t.Logf("%d suggestions in %v", len(got), time.Since(start))
}
