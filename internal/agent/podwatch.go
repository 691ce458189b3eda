package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	watchLasts     = 5 * time.Minute // and up to as much again; then the API server ends a watch and it is opened anew
	watchIdle      = 3 * time.Minute // without a line the stream is dead: bookmarks come every minute
	maxWatchLine   = 4 << 20         // bytes
	firstWatchWait = 250 * time.Millisecond
	lastWatchWait  = 10 * time.Second
	watchSpacing   = time.Second // between watches that end by themselves
)

// run keeps the picture of the node's pods until ctx ends: a list, then a watch from there, and again. While the API server is
// away the picture stays as it was.
func (p *pods) run(ctx context.Context) {
	version, failures := "", 0
	for ctx.Err() == nil {
		wait := watchSpacing
		opened, err := p.follow(ctx, &version)
		p.setWatching(ctx, false)
		if opened {
			failures = 0
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case answeredWith(err, http.StatusGone): // history has an end, and that is no failure
			p.log.DebugContext(ctx, "pods of this node are listed anew", "error", err)
		default:
			wait = min(firstWatchWait<<min(failures, 10), lastWatchWait)
			wait = wait/2 + jitter(wait/2)
			p.log.WarnContext(ctx, "pods of this node are not watched; EKS Auth decides alone", "error", err, "failures", failures, "pause", wait)
			failures++
		}
		if sleep(ctx, wait) != nil {
			return
		}
	}
}

// follow lists where version is empty, then watches until the stream ends, and leaves in version where to go on. opened reports
// whether there was a stream.
func (p *pods) follow(ctx context.Context, version *string) (opened bool, err error) {
	if *version == "" {
		if *version, err = p.list(ctx); err != nil {
			return false, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := p.api.watchPods(ctx, p.node, *version, watchLasts+jitter(watchLasts))
	if err != nil {
		if answeredWith(err, http.StatusGone, http.StatusBadRequest, http.StatusGatewayTimeout) {
			*version = ""
		}
		return false, err
	}
	defer stream.Close()
	p.setWatching(ctx, true)
	idle := time.AfterFunc(watchIdle, cancel)
	defer idle.Stop()
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 0, 16<<10), maxWatchLine)
	for lines.Scan() {
		idle.Reset(watchIdle)
		e, err := decodeWatchLine(lines.Bytes())
		if err != nil {
			*version = "" // whatever was missed, a list will show
			return true, err
		}
		p.apply(e)
		*version = p.newest
	}
	err = lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		*version = ""
		return true, err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled): // it was cut, by whomever
		return true, nil
	}
	return true, err
}

// list replaces the picture. The first list may be any that an API server remembers; later ones are never older than what is
// known, or a pod that runs might look gone.
func (p *pods) list(ctx context.Context) (version string, err error) {
	now := make(map[string]podName)
	version, err = p.api.listPods(ctx, p.node, p.newest, func(uid string, at podName) { now[uid] = at })
	if err != nil {
		if _, answered := errors.AsType[*apiError](err); answered {
			p.newest = "" // this API server has not come so far, or has been set back: whatever is newest, then
		}
		return "", err
	}
	p.newest = version
	p.replace(now)
	return version, nil
}

// watchEvent is one line of a watch.
type watchEvent struct {
	kind    string // ADDED, MODIFIED, DELETED, BOOKMARK
	uid     string
	at      podName
	version string
}

// decodeWatchLine reads a line. One that says ERROR is an error, with the API server's status.
func decodeWatchLine(line []byte) (watchEvent, error) {
	var in struct {
		Type   string `json:"type"`
		Object struct {
			Metadata metadata `json:"metadata"`
			Code     int      `json:"code"` // of a Status
			Message  string   `json:"message"`
		} `json:"object"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return watchEvent{}, fmt.Errorf("a line of the watch: %w", err)
	}
	m := in.Object.Metadata
	e := watchEvent{kind: in.Type, uid: m.UID, at: podName{m.Namespace, m.Name}, version: m.ResourceVersion}
	switch in.Type {
	case "ERROR":
		return watchEvent{}, &apiError{in.Object.Code, oneLine(in.Object.Message)}
	case "BOOKMARK":
		e.uid, e.at = "", podName{}
		return e, nil
	case "ADDED", "MODIFIED", "DELETED":
		if e.uid == "" {
			return watchEvent{}, errors.New("a line of the watch is about no pod")
		}
		return e, nil
	}
	return watchEvent{}, fmt.Errorf("a line of the watch says %q", oneLine(in.Type[:min(len(in.Type), 40)]))
}

func (p *pods) apply(e watchEvent) {
	switch e.kind {
	case "ADDED", "MODIFIED": // also while it is being terminated: it still runs
		p.begin(e.uid, e.at)
	case "DELETED": // or Succeeded, or Failed: it no longer matches
		p.end(e.uid)
	}
	if e.version != "" {
		p.newest = e.version
	}
}
