package agent_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/podid/podid/internal/agent"
)

func benchServer(b *testing.B, up http.RoundTripper) *agent.Server {
	c := loopbackConfig(up)
	c.AllowedHosts = append(c.AllowedHosts, agent.LinkLocalIPv4)
	c.Logger = slog.New(slog.NewJSONHandler(discard{}, nil)) // the line is written; only the disk is left out
	return newServer(b, c)
}

// client is one keep-alive connection. It reads no more of an answer than it must, so that the agent is what is measured.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(b *testing.B, address string) *client {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &client{conn, bufio.NewReaderSize(conn, 8<<10)}
}

func request(token string) []byte {
	return []byte("GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: " + token + "\r\n\r\n")
}

func (c *client) get(request []byte) (status int, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	length := 0
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if first {
			_, err = fmt.Sscanf(string(line[9:12]), "%d", &status)
			if err != nil {
				return 0, err
			}
		}
		if len(line) > 16 && string(line[:16]) == "Content-Length: " {
			for _, d := range line[16 : len(line)-2] {
				length = length*10 + int(d-'0')
			}
		}
		if len(line) == 2 {
			_, err := c.r.Discard(length)
			return status, err
		}
	}
}

// BenchmarkCached is the agent's bar, with the clients on the same two cores: at least 25,000 requests a second when they ask
// as fast as they can, and p99 under 2 ms when they ask 12,500 times a second.
func BenchmarkCached(b *testing.B) {
	b.Run("full", func(b *testing.B) { cached(b, 0) })
	b.Run("half", func(b *testing.B) { cached(b, 12_500) })
}

// cached asks at a rate (a second, over all connections), or as fast as it can where that is 0.
func cached(b *testing.B, rate int) {
	const pods, connections = 2000, 16
	s := benchServer(b, &authService{})
	address := start(b, s)
	requests := make([][]byte, pods)
	for i := range requests {
		token := podToken(fmt.Sprint("app-", i), time.Now().Add(time.Hour))
		requests[i] = request(token)
		if w := ask(s, token); w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
	clients := make([]*client, connections)
	for i := range clients {
		clients[i] = dial(b, address)
	}
	took := make([][]time.Duration, connections)
	b.ResetTimer()
	var running sync.WaitGroup
	for i, c := range clients {
		n := b.N / connections
		if i < b.N%connections {
			n++
		}
		took[i] = make([]time.Duration, n)
		running.Go(func() {
			begin := time.Now()
			for j := range took[i] {
				if rate > 0 {
					time.Sleep(time.Until(begin.Add(time.Duration(j) * time.Second * connections / time.Duration(rate))))
				}
				from := time.Now()
				if status, err := c.get(requests[(i*997+j)%pods]); err != nil || status != http.StatusOK {
					b.Errorf("got %d, %v", status, err)
					return
				}
				took[i][j] = time.Since(from)
			}
		})
	}
	running.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
}

// BenchmarkCachedHandler is what a cached request costs above net/http.
func BenchmarkCachedHandler(b *testing.B) {
	s := benchServer(b, &authService{})
	token := podToken("app-1", time.Now().Add(time.Hour))
	ask(s, token)
	r, err := http.NewRequest(http.MethodGet, "http://169.254.170.23/v1/credentials", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", token)
	w := discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(w, r)
	}
}

// BenchmarkCachedHandlerWatched is the same on a node whose pods are watched.
func BenchmarkCachedHandlerWatched(b *testing.B) {
	api := newAPIServer()
	for i := range 250 {
		api.start(fmt.Sprint("app-", i))
	}
	c := loopbackConfig(&authService{})
	c.AllowedHosts = append(c.AllowedHosts, agent.LinkLocalIPv4)
	c.Logger = slog.New(slog.NewJSONHandler(discard{}, nil))
	watched(b, api)(&c)
	s := newServer(b, c)
	start(b, s)
	for api.asked("GET /api/v1/pods?allowWatchBookmarks") == 0 {
		runtime.Gosched()
	}
	token := podToken("app-1", time.Now().Add(time.Hour))
	ask(s, token)
	r, err := http.NewRequest(http.MethodGet, "http://169.254.170.23/v1/credentials", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", token)
	w := discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(w, r)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkSessions says what 2,000 sessions weigh. The bar is 32 MiB for the whole process.
func BenchmarkSessions(b *testing.B) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		up := &authService{}
		s := benchServer(b, roundTripper(func(r *http.Request) (*http.Response, error) { return up.RoundTrip(r) }))
		before := heap()
		for i := range 2000 {
			ask(s, podToken(fmt.Sprint("app-", i), time.Now().Add(time.Hour)))
		}
		up.mu.Lock()
		up.byToken, up.last, up.body = nil, nil, nil
		up.mu.Unlock()
		b.ReportMetric(float64(heap()-before)/2000, "B/session")
		runtime.KeepAlive(s)
	}
}

// BenchmarkColdBurst is 5,000 new pods that ask at once over the network: each is served on its first try, with one
// upstream call a pod. The bar is 2 s for the last of them.
func BenchmarkColdBurst(b *testing.B) {
	const pods = 5000
	for b.Loop() {
		up := &authService{}
		slow := roundTripper(func(r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Millisecond)
			return up.RoundTrip(r)
		})
		address := start(b, benchServer(b, slow))
		requests := make([][]byte, pods)
		for i := range requests {
			requests[i] = request(podToken(fmt.Sprint("app-", i), time.Now().Add(time.Hour)))
		}
		from := time.Now()
		var running sync.WaitGroup
		for _, r := range requests {
			running.Go(func() {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					b.Error(err)
					return
				}
				defer conn.Close()
				c := &client{conn, bufio.NewReaderSize(conn, 4<<10)}
				if status, err := c.get(r); err != nil || status != http.StatusOK {
					b.Errorf("got %d, %v", status, err)
				}
			})
		}
		running.Wait()
		b.ReportMetric(float64(time.Since(from).Milliseconds()), "last-ms")
		b.ReportMetric(float64(up.calls.Load())/pods, "calls/pod")
	}
}
