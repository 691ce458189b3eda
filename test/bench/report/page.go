package main

import (
	"fmt"
	"io"
	"strings"
)

const head = `# Performance

Written by ` + "`make bench`" + ` from one run; do not edit. Ratios hold from machine to machine, absolute times do not: this machine was
shared, so each figure is the least of its runs.

Machine: %s. Toolchain and day: %s.

## Bars

What is promised, and whether this run shows it.

| | bar | measured | |
| --- | --- | --- | --- |
`

const statements = `
"1,000 statements" are statements that could match by their action. In *buckets* each names another bucket, and the index tells
them apart by what their resources begin with. In *wildcards* each begins with a wildcard (` + "`arn:aws:s3:::*-17/?/*`" + `): nothing tells
them apart but trying, so the cost grows with their number. *documents-of-fifty* spreads them over 20 documents, as
many as a role can have attached, and *documents-of-ten* over a hundred, which no role can have; each document costs a look.
`

const engines = `
## The workload of all engines

One role, ten statements, one request; number eight allows it, and a Deny has to be looked at.
The others are minio/pkg/v3 v3.1.3 and cedar-go v1.9.0, in a module of their own (` + "`test/bench`" + `).

| engine | against podid | time | B | allocations |
| --- | --- | --- | --- | --- |
`

const roles = `
## 100,000 roles

Each role has three documents of its own text: a trust policy, the ten statements, and a statement about a queue. The roles are
decoded from the records that the store keeps, without etcd and the tree of keys around them. Documents compile when they are first
asked: an idle role costs the first figure, a role that has been used the second.

| | |
| --- | --- |
`

const sessions = `
## Sessions over HTTP

Credentials for a role from a control plane with its client on the same cores: connections are kept, requests of users and agents are
signed, each pod's RS256 token is a new one, and each request leaves its record. The latencies are of requests that come at half the rate.

| call | requests a second | median | 99 of 100 |
| --- | --- | --- | --- |
`

const rest = `
## Every benchmark of this run

| benchmark | time | B | allocations |
| --- | --- | --- | --- |
`

// write prints the page. The first error of w is the answer.
func write(w io.Writer, r *results) error {
	var b strings.Builder
	fmt.Fprintf(&b, head, r.machine, r.toolchain)
	for _, bar := range r.bars() {
		verdict := "holds"
		if !bar.holds {
			verdict = "**does not hold**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", bar.what, bar.want, bar.got, verdict)
	}
	b.WriteString(statements + engines)
	for _, name := range []string{"podid", "minio", "cedar", "cedar-built-per-call"} {
		key := "Ten/" + name
		fmt.Fprintf(&b, "| %s | %.1fx | %s |\n", name, r.ratio(key, "Ten/podid"), r.row(key))
	}
	b.WriteString("\nReading and compiling the same ten statements:\n\n| engine | against podid | time | B | allocations |\n| --- | --- | --- | --- | --- |\n")
	for _, name := range []string{"podid", "minio", "cedar"} {
		key := "Compile/" + name
		fmt.Fprintf(&b, "| %s | %.1fx | %s |\n", name, r.ratio(key, "Compile/podid"), r.row(key))
	}
	b.WriteString(roles)
	u := r.best["Roles"]
	fmt.Fprintf(&b, "| heap of a role, decoded | %.0f B |\n| heap of a role, compiled | %.0f B |\n", u["decoded-B/role"], u["compiled-B/role"])
	fmt.Fprintf(&b, "| time to decode all | %.1f s |\n| time to compile all 300,000 documents | %.1f s |\n", u["decode-s"], u["compile-s"])
	b.WriteString(sessions)
	for _, call := range []struct{ name, benchmark string }{
		{"AssumeRoleForPodIdentity", "api/eksauthapi HTTP"},
		{"AssumeRole", "api/stsapi HTTP/AssumeRole"},
		{"AssumeRoleWithWebIdentity", "api/stsapi HTTP/AssumeRoleWithWebIdentity"},
	} {
		full, half := r.best[call.benchmark+"/full"], r.best[call.benchmark+"/half"]
		fmt.Fprintf(&b, "| %s | %.0f | %.1f ms | %.1f ms |\n", call.name, full["req/s"], half["p50-ms"], half["p99-ms"])
	}
	b.WriteString(rest)
	for _, name := range r.names {
		if name != "Roles" {
			fmt.Fprintf(&b, "| %s | %s |\n", name, r.row(name))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *results) row(name string) string {
	u := r.best[name]
	return fmt.Sprintf("%s | %.0f | %.0f", duration(u["ns/op"]), u["B/op"], u["allocs/op"])
}
