package policy

import (
	"cmp"
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// decimal is a decimal number of any length, cut out of its own text: no rounding, no memory. spec: iam-policy.md 5.2
type decimal struct {
	negative bool
	whole    string // without leading zeros
	fraction string // without trailing zeros
}

func parseDecimal(s string) (decimal, bool) {
	var d decimal
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative, s = s[0] == '-', s[1:]
	}
	whole, fraction, dotted := strings.Cut(s, ".")
	if whole == "" || dotted && fraction == "" || !digits(whole) || !digits(fraction) {
		return decimal{}, false
	}
	d.whole, d.fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if d.whole == "" && d.fraction == "" {
		d.negative = false
	}
	return d, true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (d decimal) compare(e decimal) int {
	if d.negative != e.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	c := cmp.Compare(len(d.whole), len(e.whole))
	if c == 0 {
		c = strings.Compare(d.whole, e.whole)
	}
	if c == 0 {
		c = strings.Compare(d.fraction, e.fraction)
	}
	if d.negative {
		return -c
	}
	return c
}

// instant is a point in time with the whole range of epoch seconds.
type instant struct {
	seconds int64
	nanos   int
}

func (i instant) compare(j instant) int {
	if c := cmp.Compare(i.seconds, j.seconds); c != 0 {
		return c
	}
	return cmp.Compare(i.nanos, j.nanos)
}

// parseInstant reads epoch seconds or one of the W3C profiles of ISO 8601: year, year-month, date, and date with hh:mm, hh:mm:ss or
// a fraction of a second, each with Z, an offset or no zone, which means UTC. Four digits are a year.
func parseInstant(s string) (instant, bool) {
	if n := strings.TrimPrefix(s, "-"); n != "" && digits(n) && (len(n) != 4 || n != s) {
		seconds, err := strconv.ParseInt(s, 10, 64)
		return instant{seconds: seconds}, err == nil
	}
	p := dateReader{s: s}
	year, month, day := p.number(4), 1, 1
	var hour, minute, second, nanos, offset int
	if p.skip('-') {
		if month = p.number(2); p.skip('-') {
			if day = p.number(2); p.skip('T') || p.skip('t') {
				hour = p.number(2)
				p.need(':')
				minute = p.number(2)
				if p.skip(':') {
					second = p.number(2)
					if p.skip('.') {
						nanos = p.fraction()
					}
				}
				offset = p.zone()
			}
		}
	}
	if p.bad || p.i != len(s) || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60 {
		return instant{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if day < 1 || day > 31 || t.Add(-time.Duration(hour)*time.Hour-time.Duration(minute)*time.Minute-
		time.Duration(second)*time.Second).Day() != day {
		return instant{}, false
	}
	return instant{seconds: t.Unix() - int64(offset), nanos: nanos}, true
}

type dateReader struct {
	s   string
	i   int
	bad bool
}

func (p *dateReader) skip(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *dateReader) need(c byte) { p.bad = !p.skip(c) || p.bad }

func (p *dateReader) number(width int) int {
	if p.i+width > len(p.s) || !digits(p.s[p.i:p.i+width]) {
		p.bad = true
		return 0
	}
	n := 0
	for range width {
		n = 10*n + int(p.s[p.i]-'0')
		p.i++
	}
	return n
}

// fraction reads digits of a second; beyond nanoseconds they do not count.
func (p *dateReader) fraction() int {
	start, nanos, unit := p.i, 0, 100_000_000
	for ; p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9'; p.i++ {
		nanos += int(p.s[p.i]-'0') * unit
		unit /= 10
	}
	p.bad = p.bad || p.i == start
	return nanos
}

// zone reads Z, +hh:mm, +hhmm or nothing, as seconds east of UTC.
func (p *dateReader) zone() int {
	sign := 1
	switch {
	case p.skip('Z') || p.skip('z') || p.i == len(p.s):
		return 0
	case p.skip('-'):
		sign = -1
	default:
		p.need('+')
	}
	hours := p.number(2)
	p.skip(':')
	minutes := p.number(2)
	p.bad = p.bad || hours > 23 || minutes > 59
	return sign * (hours*3600 + minutes*60)
}

// parseBool reads true or false in any letter case.
func parseBool(s string) (value, ok bool) {
	if strings.EqualFold(s, "true") {
		return true, true
	}
	return false, strings.EqualFold(s, "false")
}

// parseBlock reads a CIDR block or a single address. Host bits are masked off, IPv4-mapped addresses become IPv4.
func parseBlock(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, ok := parseAddress(s)
		if !ok {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

func parseAddress(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// canonicalBase64 returns the one spelling of the bytes that s encodes, so that bytes are equal when texts are.
func canonicalBase64(s string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", false
	}
	return base64.StdEncoding.EncodeToString(b), true
}

// cutFold removes prefix from text under simple Unicode case folding.
func cutFold(text, prefix string) (rest string, ok bool) {
	for prefix != "" {
		if text == "" {
			return text, false
		}
		a, n := utf8.DecodeRuneInString(text)
		b, m := utf8.DecodeRuneInString(prefix)
		if a != b && fold(a) != fold(b) {
			return text, false
		}
		text, prefix = text[n:], prefix[m:]
	}
	return text, true
}

// fold is the smallest rune of r's folding orbit.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			return r - ('a' - 'A')
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}
