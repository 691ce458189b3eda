package devcluster

import (
	"context"
	"errors"
	"time"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
)

// maxUntold bounds the ended pods that the control plane is still to be told of. Of more, the oldest tokens expire by themselves.
const maxUntold = 1000

// end notes that a pod has ended. It waits for nothing: a pod must be able to end while the control plane does not answer.
func (c *Cluster) end(ctx context.Context, uid string) {
	select {
	case c.ended <- uid:
	default:
		c.Logger.WarnContext(ctx, "too many pods have ended to tell of all of them; this one's token is good until it expires", "pod_uid", uid)
	}
}

// tellEnded tells the control plane of pods that have ended, as the operator does, until ctx ends.
func (c *Cluster) tellEnded(ctx context.Context) {
	api := c.operator()
	for {
		select {
		case <-ctx.Done():
			return
		case uid := <-c.ended:
			c.tellPods(ctx, api, []string{uid})
		}
	}
}

// tellPods tells of pods until it is done. While it does not get through, pods that end meanwhile join.
func (c *Cluster) tellPods(ctx context.Context, api *client.Client, uids []string) {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		for more := true; more && len(uids) < client.MaxEndedPods; {
			select {
			case uid := <-c.ended:
				uids = append(uids, uid)
			default:
				more = false
			}
		}
		err := api.ReportEndedPods(ctx, c.Name, uids)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case errors.Is(err, fault.NotFound): // a cluster that does not exist has no tokens
			return
		case errors.Is(err, fault.Limit):
			c.Logger.ErrorContext(ctx, "ended pods are not taken, their tokens are good until they expire", "cluster", c.Name, "pods", len(uids), "error", err)
			return
		}
		c.Logger.WarnContext(ctx, "cannot tell of ended pods", "cluster", c.Name, "pods", len(uids), "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
