package iamapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"iter"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
)

func (s *service) addCredentialReport(t *api.Typed) {
	generate := call(s.generateCredentialReport, account)
	generate.Differs = []string{"A report is made when it is read, so that it is always as of now, and there is always one."}
	generate.ReadOnly = true
	get := call(s.getCredentialReport, account)
	get.Differs = generate.Differs
	t.Operations = append(t.Operations, api.Op(generate), api.Op(get))
}

func (s *service) generateCredentialReport(
	context.Context, *api.Call, *sdk.GenerateCredentialReportInput,
) (*sdk.GenerateCredentialReportOutput, error) {
	return &sdk.GenerateCredentialReportOutput{State: types.ReportStateTypeComplete}, nil
}

func (s *service) getCredentialReport(
	_ context.Context, c *api.Call, _ *sdk.GetCredentialReportInput,
) (*sdk.GetCredentialReportOutput, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for row := range s.credentialRows(c.Account()) {
		if err := w.Write(row); err != nil {
			return nil, fault.Of(err)
		}
	}
	w.Flush()
	return &sdk.GetCredentialReportOutput{
		Content: b.Bytes(), ReportFormat: types.ReportFormatTypeTextCsv, GeneratedTime: aws.Time(c.Now.UTC().Truncate(time.Second)),
	}, nil
}

// The columns of a credential report, and what stands where there is nothing to say.
var reportColumns = []string{
	"user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed", "password_next_rotation", "mfa_active",
	"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
	"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region", "access_key_2_last_used_service",
	"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
}

const (
	notApplicable = "N/A"
	notSupported  = "not_supported" // of the root user
	noInformation = "no_information"
)

// credentialRows yields the report: the names of the columns, the root user, the users in the order of their names.
func (s *service) credentialRows(account string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		a, ok := s.iam.FindAccount(account)
		if !ok || !yield(reportColumns) {
			return
		}
		// Of the root user AWS tells everything of a password as not supported but when it was last used, which readers take for a time.
		root := []string{"<root_account>", arn.Root(account), stamp(a.CreatedAt), notSupported, noInformation, notSupported, notSupported, "false"}
		if !yield(s.keyColumns(root, account, "")) {
			return
		}
		for u := range s.iam.AllUsers(account) {
			row := append([]string{u.Name, u.ARN(), stamp(u.CreatedAt)}, s.passwordColumns(a, u)...)
			if !yield(s.keyColumns(append(row, "false"), account, u.Name)) {
				return
			}
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (s *service) passwordColumns(a *iam.Account, u *iam.User) []string {
	p, err := s.iam.LoginProfile(u.Account, u.Name)
	if err != nil {
		return []string{"false", notApplicable, notApplicable, notApplicable}
	}
	rotation := notApplicable
	if a.PasswordPolicy != nil && a.PasswordPolicy.MaxAgeDays > 0 {
		rotation = stamp(p.ChangedAt.AddDate(0, 0, a.PasswordPolicy.MaxAgeDays))
	}
	return []string{"true", noInformation, stamp(p.ChangedAt), rotation}
}

// keyColumns adds the two access keys, oldest first, and the certificates, of which there are none.
func (s *service) keyColumns(row []string, account, user string) []string {
	keys, err := s.iam.AccessKeys(account, user)
	if err != nil {
		keys = nil // deleted since
	}
	for i := range 2 {
		if i >= len(keys) {
			row = append(row, "false", notApplicable, notApplicable, notApplicable, notApplicable)
			continue
		}
		key := keys[i]
		row = append(row, strconv.FormatBool(key.Active), stamp(key.CreatedAt))
		if service, m, ok := s.iam.AccessKeyLastUsed(account, key.ID); ok {
			row = append(row, stamp(m.At), m.Region, service)
		} else {
			row = append(row, notApplicable, notApplicable, notApplicable)
		}
	}
	return append(row, "false", notApplicable, "false", notApplicable)
}
