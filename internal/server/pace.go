package server

import (
	"net/http"
	"time"
)

// A body may come slowly, but not forever: five minutes and one second for each 8 KiB. The five minutes are also for what
// follows the body, because a connection whose time is over ends its request.
const (
	bodyPatience = 5 * time.Minute
	bodyRate     = 8 << 10       // bytes a second
	unknownBody  = 1 * time.Hour // for a body of unknown length
	maxPatience  = 30 * 24 * time.Hour
)

// patience is how long a body of a length may take; -1 is a length that is not known.
func patience(length int64) time.Duration {
	if length < 0 {
		return unknownBody
	}
	if seconds := length / bodyRate; seconds < int64(maxPatience/time.Second) {
		return bodyPatience + time.Duration(seconds)*time.Second
	}
	return maxPatience
}

// paced bounds the time of every request that has a body, so that nobody holds connections by sending a byte a minute.
func paced(h http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// A connection that takes no deadline is no real one.
			_ = http.NewResponseController(w).SetReadDeadline(now().Add(patience(r.ContentLength)))
		}
		h.ServeHTTP(w, r)
	})
}
