// Package api is the wire edge of the control plane: one listener, every AWS-shaped service.
//
// It owns what all services share, so that no service can forget a phase: a request id and a [Record] on arrival, routing by
// the service in the SigV4 credential scope, bounded bodies, authentication, decoding, authorization, encoding, and the one
// place where a failure becomes bytes. A service is a table of operations, a table of faults and a protocol:
//
//	request id -> route -> limit body -> authenticate -> decode -> authorize -> run -> encode | render fault -> record
//
// Three layers know about failures and each is ignorant of the next: the domain returns a fault, [Faults] turns it into the
// service's error shape, a [Protocol] turns the shape into bytes.
//
// Every request ends in exactly one Record. It is the access log, the audit trail and what tests assert.
package api
