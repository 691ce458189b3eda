package eksapi_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
	"github.com/podid/podid/internal/store/storetest"
)

const (
	clients = 200
	names   = 20 // for which the clients compete
)

// crowd is many clients of one control plane, each with an SDK client and connections of its own.
type crowd struct {
	*world
	each []*sdk.Client
}

// all lets every client do the same at once, and returns when all are done.
func (c *crowd) all(do func(client *sdk.Client, i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i, client := range c.each {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			do(client, i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

func account200(i int) string { return fmt.Sprint("sa-", i%names) }

// winner is the id that a refused create names; empty for other failures.
func winner(err error) string {
	inUse, ok := errors.AsType[*types.ResourceInUseException](err)
	if !ok {
		return ""
	}
	m := regexp.MustCompile(`^Association already exists: (a-[a-z0-9]{17})$`).FindStringSubmatch(aws.ToString(inUse.Message))
	if m == nil {
		return ""
	}
	return m[1]
}

func missing(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}

// change is an update that succeeded: between which two moments it was made, and what it was answered.
type change struct {
	start, end int64
	target     string
	modifiedAt time.Time
}

// TestTwoHundredClients holds what many clients that create, update and delete associations for the same service accounts rely on: one
// create wins and the others learn its id; updates have an order in which none is lost; one delete wins; and afterwards there is
// nothing that one question finds and another one does not.
func TestTwoHundredClients(t *testing.T) {
	t.Parallel()
	config := storetest.Config(t, schema()...)
	w := newReplica(t, storetest.Open(t, config), quota.Set{})
	key, err := w.iam.Bootstrap(t.Context(), account, "cluster")
	must(t, err)
	w.admin = w.client(key.ID, key.Secret)
	w.role = w.newRole(t, "app", podsTrust)
	w.createCluster(t, "c")
	c := &crowd{world: w}
	for range clients {
		c.each = append(c.each, w.client(key.ID, key.Secret))
	}
	var seen sync.Map // every id that anybody was ever told
	for round := range 2 {
		ids := c.create(t, &seen)
		c.update(t, round, ids)
		c.remove(t, ids)
	}
	c.everything(t, &seen)
	c.agree(t, &seen)
	c.noOrphans(t, config)
}

// create lets all create for the same names; it returns the ids of those that won, by name.
func (c *crowd) create(t *testing.T, seen *sync.Map) []string {
	t.Helper()
	var mu sync.Mutex
	won, told := map[string][]string{}, map[string][]string{}
	c.all(func(client *sdk.Client, i int) {
		out, err := client.CreatePodIdentityAssociation(t.Context(), c.association(account200(i)))
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			won[account200(i)] = append(won[account200(i)], *out.Association.AssociationId)
			return
		}
		id := winner(err)
		if id == "" {
			t.Errorf("create: %v", err)
		}
		told[account200(i)] = append(told[account200(i)], id)
	})
	ids := make([]string, names)
	for i := range ids {
		name := account200(i)
		if len(won[name]) != 1 || len(told[name]) != clients/names-1 {
			t.Fatalf("%s: %d won, %d were told of it", name, len(won[name]), len(told[name]))
		}
		ids[i] = won[name][0]
		seen.Store(ids[i], nil)
		if slices.ContainsFunc(told[name], func(id string) bool { return id != ids[i] }) {
			t.Errorf("%s won, and the others were told %v", ids[i], told[name])
		}
	}
	return ids
}

// update lets all update the same associations. In an order of all updates of one association, one that began when another one had
// been answered comes after it.
func (c *crowd) update(t *testing.T, round int, ids []string) {
	t.Helper()
	var clock atomic.Int64
	var mu sync.Mutex
	changes := make([][]change, names)
	c.all(func(client *sdk.Client, i int) {
		n, target := i%names, fmt.Sprintf("arn:aws:iam::%s:role/r-%d-%d", other, round, i)
		start := clock.Add(1)
		out, err := client.UpdatePodIdentityAssociation(t.Context(), &sdk.UpdatePodIdentityAssociationInput{
			ClusterName: aws.String("c"), AssociationId: &ids[n], TargetRoleArn: &target,
		})
		end := clock.Add(1)
		if err != nil {
			t.Errorf("update: %v", err)
			return
		}
		if got := out.Association; *got.TargetRoleArn != target || *got.AssociationId != ids[n] {
			t.Errorf("an update to %s was answered with %s of %s", target, *got.TargetRoleArn, *got.AssociationId)
		}
		mu.Lock()
		defer mu.Unlock()
		changes[n] = append(changes[n], change{start, end, target, *out.Association.ModifiedAt})
	})
	for n, made := range changes {
		out, err := c.admin.DescribePodIdentityAssociation(t.Context(), &sdk.DescribePodIdentityAssociationInput{ClusterName: aws.String("c"), AssociationId: &ids[n]})
		must(t, err)
		final := out.Association
		last := slices.IndexFunc(made, func(m change) bool { return m.target == *final.TargetRoleArn })
		if last < 0 {
			t.Errorf("%s ended as %s, which nobody wanted", ids[n], *final.TargetRoleArn)
			continue
		}
		for _, m := range made {
			if m.start > made[last].end {
				t.Errorf("the update to %s was lost: it began after that to %s had been answered", m.target, made[last].target)
			}
			if m.modifiedAt.After(*final.ModifiedAt) {
				t.Errorf("%s was modified at %v and ended at %v", ids[n], m.modifiedAt, *final.ModifiedAt)
			}
			for _, later := range made {
				if later.start > m.end && later.modifiedAt.Before(m.modifiedAt) {
					t.Errorf("%s went back in time from %v to %v", ids[n], m.modifiedAt, later.modifiedAt)
				}
			}
		}
	}
}

// remove lets all delete the same associations.
func (c *crowd) remove(t *testing.T, ids []string) {
	t.Helper()
	var removed [names]atomic.Int32
	c.all(func(client *sdk.Client, i int) {
		_, err := client.DeletePodIdentityAssociation(t.Context(), &sdk.DeletePodIdentityAssociationInput{
			ClusterName: aws.String("c"), AssociationId: &ids[i%names],
		})
		switch {
		case err == nil:
			removed[i%names].Add(1)
		case !missing(err):
			t.Errorf("delete: %v", err)
		}
	})
	for n := range removed {
		if got := removed[n].Load(); got != 1 {
			t.Errorf("%s was deleted %d times", ids[n], got)
		}
	}
}

// everything lets all create, update and delete in no order.
func (c *crowd) everything(t *testing.T, seen *sync.Map) {
	t.Helper()
	c.all(func(client *sdk.Client, i int) {
		id := ""
		for step := range 2 {
			var err error
			switch {
			case id == "" || (i+step)%3 == 0:
				var out *sdk.CreatePodIdentityAssociationOutput
				if out, err = client.CreatePodIdentityAssociation(t.Context(), c.association(account200(i))); err == nil {
					id = *out.Association.AssociationId
				} else if id = winner(err); id != "" {
					err = nil
				}
				seen.Store(id, nil)
			case (i+step)%3 == 1:
				_, err = client.UpdatePodIdentityAssociation(t.Context(), &sdk.UpdatePodIdentityAssociationInput{
					ClusterName: aws.String("c"), AssociationId: &id, DisableSessionTags: aws.Bool(i%2 == 0),
				})
			default:
				_, err = client.DeletePodIdentityAssociation(t.Context(), &sdk.DeletePodIdentityAssociationInput{ClusterName: aws.String("c"), AssociationId: &id})
			}
			if err != nil && !missing(err) {
				t.Errorf("client %d, step %d: %v", i, step, err)
			}
		}
	})
}

// agree holds that list, describe and lookup tell the same of every name and of every id that there ever was.
func (c *crowd) agree(t *testing.T, seen *sync.Map) {
	t.Helper()
	listed := map[string]string{} // id to name
	pages := sdk.NewListPodIdentityAssociationsPaginator(c.admin, &sdk.ListPodIdentityAssociationsInput{ClusterName: aws.String("c"), MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(t.Context())
		must(t, err)
		for _, a := range p.Associations {
			listed[*a.AssociationId] = *a.ServiceAccount
			if _, ok := seen.Load(*a.AssociationId); !ok {
				t.Errorf("%s is listed, and nobody made it", *a.AssociationId)
			}
		}
	}
	for i := range names {
		a, err := c.clusters.Lookup(t.Context(), account, "c", "ns", account200(i))
		switch {
		case err == nil && listed[a.ID] != account200(i):
			t.Errorf("%s has the association %s, and listed are %v", account200(i), a.ID, listed)
		case err != nil && !errors.Is(err, fault.NotFound):
			t.Error(err)
		case err != nil && slices.Contains(slicesOf(listed), account200(i)):
			t.Errorf("%s has no association, and listed are %v", account200(i), listed)
		}
	}
	if len(listed) > names {
		t.Errorf("there are %d associations for %d names", len(listed), names)
	}
	seen.Range(func(key, _ any) bool {
		id, _ := key.(string)
		out, err := c.admin.DescribePodIdentityAssociation(t.Context(), &sdk.DescribePodIdentityAssociationInput{ClusterName: aws.String("c"), AssociationId: &id})
		name, exists := listed[id]
		switch {
		case exists && (err != nil || *out.Association.ServiceAccount != name):
			t.Errorf("%s is listed for %s, and described: %v", id, name, err)
		case !exists && !missing(err):
			t.Errorf("%s is not listed, and described: %v", id, err)
		}
		return true
	})
}

func slicesOf(m map[string]string) []string {
	list := make([]string, 0, len(m))
	for _, v := range m {
		list = append(list, v)
	}
	return list
}

// noOrphans reads what is stored, without what the registry makes of it: each id is of one association, each association has one id.
func (c *crowd) noOrphans(t *testing.T, config store.Config) {
	t.Helper()
	type record struct {
		ID             string `json:"id"`
		Namespace      string `json:"namespace"`
		ServiceAccount string `json:"serviceAccount"`
	}
	ids, associations := store.NewTable[record]("association-id"), store.NewTable[record]("association")
	config.Schema = []store.Definition{ids, associations}
	db := storetest.Open(t, config)
	must(t, db.Sync(t.Context()))
	s := db.Snapshot()
	var stored, pointed int
	for key, a := range associations.All(s, nil) {
		stored++
		if key[2] != a.Namespace || key[3] != a.ServiceAccount {
			t.Errorf("%v holds %+v", key, a)
		}
		if p, ok := ids.Get(s, store.Key{account, "c", a.ID}); !ok || p.ServiceAccount != a.ServiceAccount {
			t.Errorf("%s has no id in the index", a.ID)
		}
	}
	for range ids.All(s, nil) {
		pointed++
	}
	if stored != pointed {
		t.Errorf("%d associations and %d ids are stored", stored, pointed)
	}
}
