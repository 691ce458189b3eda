package admission_test

import (
	"bytes"
	"io"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a body that does not come.
type slow struct {
	begun *atomic.Int32
	ends  chan struct{}
}

func (s *slow) Read([]byte) (int, error) {
	s.begun.Add(1)
	<-s.ends
	return 0, io.ErrUnexpectedEOF
}

// Anybody in the cluster reaches the webhook: large bodies must not cost it its memory, nor keep others from their answers.
func TestHandler_readsFewLargeBodiesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newWorld().handler(t)
		const all = 50
		var begun atomic.Int32
		ends, codes := make(chan struct{}), make(chan int, all)
		for i := range all {
			go func() {
				r := httptest.NewRequest("POST", "/mutate-required", &slow{&begun, ends})
				if r.ContentLength = 1 << 20; i%2 == 0 {
					r.ContentLength = -1
				}
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				codes <- w.Code
			}()
		}
		synctest.Wait()
		if n := begun.Load(); n == 0 || n > 8 {
			t.Errorf("%d large bodies are read at once", n)
		}
		r := httptest.NewRequest("POST", "/mutate", bytes.NewReader(reviewOf("shop", podOf("plain"))))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("a small one: got %d", w.Code)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n, read := len(codes), int(begun.Load()); n != all-read {
			t.Errorf("%d of %d that wait were answered", n, all-read)
		}
		close(ends)
		synctest.Wait()
		counts := map[int]int{}
		for range all {
			counts[<-codes]++
		}
		if read := int(begun.Load()); counts[400] != read || counts[503] != all-read {
			t.Errorf("got %v", counts)
		}
	})
}
