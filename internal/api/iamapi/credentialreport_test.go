package iamapi_test

import (
	"bytes"
	"encoding/csv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func TestCredentialReport(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.user(t, "ada", `[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]`)
	_, err := w.admin.CreateLoginProfile(ctx, &sdk.CreateLoginProfileInput{UserName: aws.String("ada"), Password: aws.String("correct-Horse 1")})
	must(t, err)
	state, err := w.admin.GenerateCredentialReport(ctx, &sdk.GenerateCredentialReportInput{})
	if got := ok(t, state, err).State; got != types.ReportStateTypeComplete {
		t.Errorf("the report is %s", got)
	}
	report, err := w.admin.GetCredentialReport(ctx, &sdk.GetCredentialReportInput{})
	must(t, err)
	rows, err := csv.NewReader(bytes.NewReader(report.Content)).ReadAll()
	must(t, err)
	if len(rows) != 4 || rows[1][0] != "<root_account>" {
		t.Fatalf("the report is %q", rows)
	}
	if p := rows[1]; p[3] != "not_supported" || p[4] != "no_information" || p[5] != "not_supported" || p[6] != "not_supported" {
		t.Errorf("of the root user's password the report says %q", p[3:7])
	}
	for i, want := range map[int]string{0: "ada", 1: "arn:aws:iam::111122223333:user/ada", 3: "true", 7: "false", 8: "true", 10: "N/A", 13: "false"} {
		if got := rows[2][i]; got != want {
			t.Errorf("%s is %q, want %q", rows[0][i], got, want)
		}
	}
}
