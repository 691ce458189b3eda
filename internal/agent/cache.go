package agent

import (
	"container/heap"
	"container/list"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// minRemaining is how long credentials must still be good to be kept or served. spec: pod-identity.md 4.5
const minRemaining = 15 * time.Second

// entry is the session of one token. Everything but asked is written once, before the entry is in the cache, or under the
// cache's lock.
type entry struct {
	key      tokenKey
	token    string
	claims   claims
	granted  *granted
	failures int
	asked    atomic.Int64 // when a pod asked last, in Unix nanoseconds
	log      *slog.Logger // carries what the token claims

	use   *list.Element // place in the order of use; nil: not in the cache
	due   time.Time     // when the refresher looks at it next
	index int           // place in the queue; negative: not in it
}

// granted is one session as pods get it. It never changes.
type granted struct {
	body      []byte // the success body
	length    []string
	lifetime  time.Duration // from when we got it
	expires   time.Time
	requestID string
}

func (g *granted) usable(now time.Time) bool { return g.expires.Sub(now) > minRemaining }

// render writes the success body: AWS's members in AWS's order. spec: pod-identity.md 4.4
func render(s *session, now time.Time) (*granted, error) {
	body, err := json.Marshal(struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		AccountID       string `json:"AccountId,omitempty"`
		Expiration      time.Time
	}{s.accessKeyID, s.secretAccessKey, s.sessionToken, s.account, s.expires.UTC()})
	return &granted{body, []string{strconv.Itoa(len(body))}, s.expires.Sub(now), s.expires, s.requestID}, err
}

// cache holds the sessions of tokens that EKS Auth accepted, at most size of them; the least recently used goes first. It is
// shared by all listeners.
type cache struct {
	size  int // not positive: keeps nothing
	count *Counters

	mu      sync.Mutex
	entries map[tokenKey]*entry
	order   list.List // most recently used first
	queue   dueQueue
	wake    chan struct{} // holds a value after the queue's head changed
}

func newCache(size int, count *Counters) *cache {
	return &cache{size: size, count: count, entries: make(map[tokenKey]*entry), wake: make(chan struct{}, 1)}
}

// find returns the entry of a token and its session, if that can still be served.
func (c *cache) find(key tokenKey, now time.Time) (*entry, *granted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil || !e.granted.usable(now) {
		return nil, nil
	}
	c.order.MoveToFront(e.use)
	e.asked.Store(now.UnixNano())
	return e, e.granted
}

// add keeps an entry until due. An entry with the same key is replaced.
func (c *cache) add(e *entry, due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size <= 0 {
		return
	}
	if old := c.entries[e.key]; old != nil {
		c.remove(old)
	}
	for len(c.entries) >= c.size {
		c.remove(c.order.Back().Value.(*entry))
		c.count.Evicted.Add(1)
	}
	c.entries[e.key] = e
	e.use = c.order.PushFront(e)
	c.schedule(e, due)
}

// replace gives an entry a newer session, unless the entry has left the cache meanwhile.
func (c *cache) replace(e *entry, g *granted, due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.use != nil {
		e.granted, e.failures = g, 0
		c.schedule(e, due)
	}
}

// postpone notes a failed refresh; the session that is there stays. after gets the number of failures in a row.
func (c *cache) postpone(e *entry, after func(failures int, expires time.Time) time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.use != nil {
		e.failures++
		c.schedule(e, after(e.failures, e.granted.expires))
	}
}

// evict ends an entry.
func (c *cache) evict(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.use != nil {
		c.remove(e)
		c.count.Evicted.Add(1)
	}
}

// evictPod ends the entries of a pod. Pods end rarely, so it looks at all entries.
func (c *cache) evictPod(uid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.claims.PodUID == uid {
			c.remove(e)
			c.count.Evicted.Add(1)
		}
	}
}

// takeDue takes the next due entry out of the queue. Without one, it says how long there is to wait; ok is false where the
// queue is empty.
func (c *cache) takeDue(now time.Time) (e *entry, wait time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return nil, 0, false
	}
	if wait := c.queue[0].due.Sub(now); wait > 0 {
		return nil, wait, true
	}
	return heap.Pop(&c.queue).(*entry), 0, true
}

func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

func (c *cache) schedule(e *entry, due time.Time) {
	e.due = due
	if e.index >= 0 {
		heap.Fix(&c.queue, e.index)
	} else {
		heap.Push(&c.queue, e)
	}
	if c.queue[0] == e {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

func (c *cache) remove(e *entry) {
	delete(c.entries, e.key)
	c.order.Remove(e.use)
	e.use = nil
	if e.index >= 0 {
		heap.Remove(&c.queue, e.index)
	}
}

// dueQueue is a heap, the entry that is due next first.
type dueQueue []*entry

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *dueQueue) Push(x any) {
	e := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}

func (q *dueQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q, e.index = (*q)[:last], -1
	return e
}
