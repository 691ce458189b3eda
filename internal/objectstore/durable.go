package objectstore

import "sync"

// groupSync makes finished writes durable, many with one call: a sync serves every writer that asked before it began. A writer that asks while
// one is running waits for the next, because the running one may have passed its file already.
type groupSync struct {
	sync func() error // makes durable what was written before it was called

	mu      sync.Mutex
	running bool
	next    *round // the round that has not begun; nil: nobody waits
}

type round struct {
	done chan struct{}
	err  error
}

// wait returns once everything that was written before the call is durable. It does not heed a context: the write is done, and the caller
// must learn whether it will last.
func (g *groupSync) wait() error {
	g.mu.Lock()
	if g.next == nil {
		g.next = &round{done: make(chan struct{})}
	}
	r := g.next
	if !g.running {
		g.running = true
		go g.run()
	}
	g.mu.Unlock()
	<-r.done
	return r.err
}

// run works off rounds until nobody waits.
func (g *groupSync) run() {
	for {
		g.mu.Lock()
		r := g.next
		g.next = nil
		if r == nil {
			g.running = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		r.err = g.sync()
		close(r.done)
	}
}
