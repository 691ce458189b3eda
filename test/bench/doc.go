// Package bench holds podid's policy engine against others, on the workload that they can all express: one role with ten statements,
// of which number eight allows the request, and a Deny that has to be looked at. It is run by `make bench`.
//
// spec: policy-engines.md
package bench
