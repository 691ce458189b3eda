package issuer_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/issuer"
)

const noKey = "Couldn't retrieve verification key from your identity provider, " +
	"please reference AssumeRoleWithWebIdentity documentation for requirements"

func TestKeys(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newSite(t, a)
	keys, err := issuer.New(config(a)).Keys(t.Context(), s.source())
	must(t, err)
	if diff := cmp.Diff(s.signer.KeySet().KeyIDs(), keys.KeyIDs()); diff != "" {
		t.Error(diff)
	}
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newSite(t, a)
	c := config(a)
	c.Allow = nil
	_, err := issuer.New(c).Keys(t.Context(), s.source())
	text := refused(t, err, fault.NotFound)
	if !strings.HasPrefix(text, noKey) || s.fetches.Load() != 0 {
		t.Errorf("refused with %q after %d fetches", text, s.fetches.Load())
	}
	for _, host := range []string{
		"169.254.169.254", "[fe80::1]", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "0.0.0.0", "[::]",
	} {
		_, err := issuer.New(c).Keys(t.Context(), issuer.Source{Issuer: "https://" + host})
		if other := refused(t, err, fault.NotFound); other != text {
			t.Errorf("%s is refused with %q, another text than a loopback address: %q", host, other, text)
		}
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	tests := []struct {
		addresses    string
		open, opened bool // without and with all networks allowed
	}{
		{"1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 198.17.0.1 198.20.0.1 223.255.255.255 2606:4700::1111 2a00::1", true, true},
		{"10.1.2.3 100.64.0.1 127.0.0.1 172.16.0.1 172.31.255.255 192.0.0.8 192.168.1.1 198.18.0.1 198.19.255.255", false, true},
		{"192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1 240.0.0.1", false, true},
		{"::1 fc00::1 fd12::1 64:ff9b::a00:1 64:ff9b:1::1 2002:a00:1::1 2001::1 2001:db8::1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 100::1 5f00::1", false, true},
		{"0.0.0.0 0.1.2.3 169.254.169.254 169.254.1.1 224.0.0.1 239.1.1.1 255.255.255.255 100.100.100.200 168.63.129.16", false, false},
		{":: fe80::1 ff02::1 fd00:ec2::254 ::ffff:169.254.169.254 ::ffff:0.0.0.0 fe80::1%eth0 2606:4700::1%eth0", false, false},
	}
	for _, test := range tests {
		for text := range strings.FieldsSeq(test.addresses) {
			a := netip.MustParseAddr(text)
			if issuer.Reachable(nil, a) != test.open || issuer.Reachable(all, a) != test.opened {
				t.Errorf("%s: reachable %v, when allowed %v", text, issuer.Reachable(nil, a), issuer.Reachable(all, a))
			}
		}
	}
}

// TestNameThatResolvesToSomethingElseLater holds that each connection's own address counts, not what a name was a moment before.
func TestNameThatResolvesToSomethingElseLater(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newSiteWith(t, "idp.example", a.issue(t, time.Hour, "idp.example"))
	c := config(a)
	c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c.Resolver = names(t, "127.0.0.1")
	_, err := issuer.New(c).Keys(t.Context(), s.source())
	must(t, err)
	c.Resolver = names(t, "127.0.0.1", "127.0.0.2")
	_, err = issuer.New(c).Keys(t.Context(), s.source())
	refused(t, err, fault.NotFound)
	c.Resolver = names(t, "169.254.169.254")
	_, err = issuer.New(c).Keys(t.Context(), s.source())
	refused(t, err, fault.NotFound)
	if n := s.fetches.Load(); n != 2 {
		t.Errorf("the site was asked %d times", n)
	}
}

func TestSitesThatAreRefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	elsewhere := newSite(t, a)
	tests := []struct {
		name   string
		kind   fault.Kind
		change func(*site)
	}{
		{"no document", fault.NotFound, func(s *site) { s.instead = http.NotFound }},
		{"forbidden", fault.NotFound, status(http.StatusForbidden)},
		{"no content", fault.NotFound, status(http.StatusNoContent)},
		{"internal failure", fault.Unavailable, status(http.StatusInternalServerError)},
		{"bad gateway", fault.Unavailable, status(http.StatusBadGateway)},
		{"too many requests", fault.Unavailable, status(http.StatusTooManyRequests)},
		{"no JSON", fault.NotFound, func(s *site) { s.document = "<html>" }},
		{"another issuer", fault.NotFound, func(s *site) { s.document = `{"issuer":"https://x","jwks_uri":"` + s.url + `/keys"}` }},
		{"issuer with a slash", fault.NotFound, func(s *site) { s.document = `{"issuer":"` + s.url + `/","jwks_uri":"` + s.url + `/keys"}` }},
		{"two issuers", fault.NotFound, func(s *site) {
			s.document = `{"issuer":"https://x","issuer":"` + s.url + `","jwks_uri":"` + s.url + `/keys"}`
		}},
		{"no key set", fault.NotFound, func(s *site) { s.document = `{"issuer":"` + s.url + `"}` }},
		{"plain key set", fault.NotFound, func(s *site) {
			s.document = `{"issuer":"` + s.url + `","jwks_uri":"` + strings.Replace(s.url, "https", "http", 1) + `/keys"}`
		}},
		{"key set in a file", fault.NotFound, func(s *site) { s.document = `{"issuer":"` + s.url + `","jwks_uri":"file:///etc/passwd"}` }},
		{"key set with a user", fault.NotFound, func(s *site) {
			s.document = `{"issuer":"` + s.url + `","jwks_uri":"` + strings.Replace(s.url, "//", "//a:b@", 1) + `/keys"}`
		}},
		{"key set at a private address", fault.NotFound, func(s *site) { s.document = `{"issuer":"` + s.url + `","jwks_uri":"https://10.0.0.1/keys"}` }},
		{"key set that is not there", fault.NotFound, func(s *site) { s.document = `{"issuer":"` + s.url + `","jwks_uri":"` + s.url + `/x"}` }},
		{"key set that is none", fault.NotFound, func(s *site) {
			s.document = `{"issuer":"` + s.url + `","jwks_uri":"` + s.url + `/.well-known/openid-configuration"}`
		}},
		{"huge", fault.NotFound, func(s *site) {
			s.instead = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat(" ", 300<<10)) }
		}},
		{"endless", fault.NotFound, func(s *site) {
			s.instead = func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 4096)); err != nil {
						return
					}
				}
			}
		}},
		{"huge header", fault.Unavailable, func(s *site) {
			s.instead = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 64<<10)) }
		}},
		{"silent", fault.Unavailable, func(s *site) { s.instead = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } }},
		{"slow", fault.Unavailable, func(s *site) {
			s.instead = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, "{")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}
		}},
		{"broken off", fault.Unavailable, func(s *site) { s.instead = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) } }},
		{"redirect to plain HTTP", fault.NotFound, func(s *site) {
			s.instead = http.RedirectHandler(strings.Replace(elsewhere.url, "https", "http", 1), http.StatusFound).ServeHTTP
		}},
		{"redirect to a private address", fault.NotFound, func(s *site) {
			s.instead = http.RedirectHandler("https://192.168.0.1/latest", http.StatusFound).ServeHTTP
		}},
		{"redirect with a user", fault.NotFound, func(s *site) {
			s.instead = http.RedirectHandler(strings.Replace(elsewhere.url, "//", "//a:b@", 1), http.StatusFound).ServeHTTP
		}},
		{"redirect for ever", fault.NotFound, func(s *site) { s.instead = http.RedirectHandler(s.url, http.StatusFound).ServeHTTP }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, a)
			s.change(test.change)
			c := config(a)
			if test.name == "silent" || test.name == "slow" {
				c.Request = 100 * time.Millisecond
			}
			_, err := issuer.New(c).Keys(t.Context(), s.source())
			text := refused(t, err, test.kind)
			if test.kind == fault.NotFound && !strings.HasPrefix(text, noKey) {
				t.Errorf("refused with %q", text)
			}
			if strings.Contains(text, "127.0.0.1") || strings.Contains(text, "192.168") {
				t.Errorf("the text tells of addresses: %q", text)
			}
		})
	}
	if n := elsewhere.fetches.Load(); n != 0 {
		t.Errorf("a redirect that is refused was followed %d times", n)
	}
}

func status(code int) func(*site) {
	return func(s *site) {
		s.instead = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
}

// TestAFetchHasABoundInAll holds that each request may be in time and all of them together still take too long.
func TestAFetchHasABoundInAll(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newSite(t, a)
	s.change(func(s *site) { s.instead = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } })
	c := config(a)
	c.Request, c.Total = time.Hour, 100*time.Millisecond
	_, err := issuer.New(c).Keys(t.Context(), s.source())
	refused(t, err, fault.Unavailable)
}

// TestRedirects holds that three are followed, and that nothing is carried along.
func TestRedirects(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for redirects, kind := range map[int]fault.Kind{3: 0, 4: fault.NotFound} {
		s := newSite(t, a)
		s.change(func(s *site) {
			s.instead = func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"Cookie", "Authorization", "Referer", "Proxy-Authorization"} {
					if v := r.Header.Get(name); v != "" {
						t.Errorf("the request has %s: %s", name, v)
					}
				}
				http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
				var n int
				if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err != nil {
					n = 0
				}
				if n < redirects && r.URL.Path != "/keys" {
					http.Redirect(w, r, fmt.Sprintf("/%d", n+1), http.StatusFound)
					return
				}
				if r.URL.Path == "/keys" {
					text, _ := s.signer.KeySet().MarshalJSON()
					_, _ = w.Write(text)
					return
				}
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.url, s.url+"/keys")
			}
		})
		_, err := issuer.New(config(a)).Keys(t.Context(), s.source())
		if kind == 0 {
			must(t, err)
		} else {
			refused(t, err, kind)
		}
	}
}

func TestHostsThatAreNotThere(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := newSite(t, a)
	s.Close()
	_, err := issuer.New(config(a)).Keys(t.Context(), s.source())
	refused(t, err, fault.Unavailable)
	for _, url := range []string{"https://", "http://127.0.0.1", "https://a:b@127.0.0.1", "https://127.0.0.1:x", "ftp://127.0.0.1", ""} {
		_, err := issuer.New(config(a)).Keys(t.Context(), issuer.Source{Issuer: url})
		refused(t, err, fault.NotFound)
	}
}

func FuzzParseDiscovery(f *testing.F) {
	const url = "https://oidc.example/id/A"
	f.Add([]byte(`{"issuer":"` + url + `","jwks_uri":"` + url + `/keys"}`))
	f.Add([]byte(`{"issuer":"` + url + `","jwks_uri":"https://user@host/keys"}`))
	f.Add([]byte(`{"issuer":"` + url + `","jwks_uri":"https://[::1%25eth0]:443/keys?a=b#c","x":[{}]}`))
	f.Add([]byte(`{"issuer":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		jwks, err := issuer.ParseDiscovery(url, text)
		if err != nil {
			return
		}
		if !strings.Contains(string(text), "oidc.example") && !strings.Contains(string(text), `\`) {
			t.Errorf("%q is of the issuer", text)
		}
		if !strings.HasPrefix(strings.ToLower(jwks), "https://") {
			t.Errorf("the keys are at %q", jwks)
		}
	})
}
