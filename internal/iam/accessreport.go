package iam

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const (
	subjectReport = "report"

	// reportLifetime is how long a report can be read.
	reportLifetime = 24 * time.Hour

	// maxReports bounds the reports of an account that can be read at a time.
	maxReports = 1000
)

// AccessReport is somebody's wish to read what an entity, or what holds a policy, used last. Any replica answers it, with what is
// known at the moment of reading.
type AccessReport struct {
	JobID       string    `json:"jobId"`
	About       string    `json:"about"`   // the ARN of a user, group, role or managed policy
	AboutID     string    `json:"aboutId"` // its unique id: one that was made again under the name is somebody else
	Actions     bool      `json:"actions,omitempty"`
	RequestedBy string    `json:"requestedBy"` // unique id of the user or role that may read it
	CreatedAt   time.Time `json:"createdAt"`
}

// CreateAccessReport keeps a report for a day. JobID and CreatedAt are made here. fault.Throttled when the account has too many.
func (d *Directory) CreateAccessReport(ctx context.Context, account string, r AccessReport) (*AccessReport, error) {
	if count(accessReports, d.db.Snapshot(), store.Key{account}) >= maxReports {
		return nil, fault.New(fault.Throttled, subjectReport, "Rate exceeded")
	}
	id, err := uuid.NewRandomFromReader(d.rand)
	if err != nil {
		return nil, fault.Of(err)
	}
	r.JobID, r.CreatedAt = id.String(), d.clock()
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		return accessReports.CreateTTL(tx, store.Key{account, r.JobID}, &r, reportLifetime)
	})
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// AccessReport finds a report of an account by its job id. It fails with fault.NotFound for everybody but who asked for it.
func (d *Directory) AccessReport(ctx context.Context, account, requestedBy, jobID string) (*AccessReport, error) {
	r, ok := accessReports.Get(d.db.Snapshot(), store.Key{account, jobID})
	if !ok { // it may have been made on another replica a moment ago
		var err error
		if r, ok, err = accessReports.Fresh(ctx, d.db, store.Key{account, jobID}); err != nil {
			return nil, err
		}
	}
	if !ok || r.RequestedBy != requestedBy {
		return nil, fault.New(fault.NotFound, subjectReport, "Requested job %s could not be found.", jobID)
	}
	return r, nil
}
