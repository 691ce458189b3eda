// Package migration brings what is elsewhere to podid: associations, roles and policies of an AWS account, and service accounts that use
// IAM roles by annotation.
//
// It is a client of public APIs alone. It reads the source and never writes there; it reads podid, compares, and proposes a [plan.Plan]
// that a person sees before anything is done. Everything compares by meaning and not by bytes, so that a second run proposes nothing.
// What cannot be brought is said with the reason ([Proposal].LeftOut), and nothing that depends on it is brought either.
//
// It adds and updates; it never takes away what podid has besides: a policy that the source does not have stays attached.
//
// spec: pod-identity.md 1, 3, 6.3
package migration

import (
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithy "github.com/aws/smithy-go"

	"github.com/podid/podid/internal/plan"
)

// Account is an AWS-shaped account as its clients see it: on AWS, or on podid.
type Account struct {
	Region string
	EKS    *eks.Client
	IAM    *iam.Client
	STS    *sts.Client
}

// NewAccount makes the clients of an account.
func NewAccount(c aws.Config) Account {
	return Account{Region: c.Region, EKS: eks.NewFromConfig(c), IAM: iam.NewFromConfig(c), STS: sts.NewFromConfig(c)}
}

// Proposal is what would be done, and what would not.
type Proposal struct {
	Plan    plan.Plan
	LeftOut []string // what is not brought, and why
	Notes   []string // what else a person should know
}

// Print shows a proposal to a person.
func (p *Proposal) Print(w io.Writer) {
	p.Plan.Print(w)
	for _, text := range p.LeftOut {
		fmt.Fprintf(w, "  %-10s %s\n", "left out", text)
	}
	for _, text := range p.Notes {
		fmt.Fprintf(w, "  %-10s %s\n", "note", text)
	}
}

func (p *Proposal) leaveOut(format string, args ...any) {
	p.LeftOut = append(p.LeftOut, fmt.Sprintf(format, args...))
}

func (p *Proposal) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// missing reports whether an SDK's failure says that a thing is not there.
func missing(err error) bool {
	failure, ok := errors.AsType[smithy.APIError](err)
	return ok && (failure.ErrorCode() == "NoSuchEntity" || failure.ErrorCode() == "ResourceNotFoundException")
}
