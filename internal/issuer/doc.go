// Package issuer fetches the key sets of outside OIDC issuers, for AssumeRoleWithWebIdentity.
//
// It is the one part of the control plane that dials where strangers say: an account writes down an issuer's URL, and a token that
// nobody has proven yet makes podid go there. So it promises:
//
//   - Only https is spoken, with TLS 1.2 or newer, to a host that its certificate names. No cookie, no credential and no proxy of the
//     environment takes part, and at most three redirects are followed.
//   - Only public addresses are dialed, and private ones that [Config.Allow] names. The address is checked where the connection is
//     made, after every name was resolved: neither a redirect nor a name that resolves to something else a moment later gets around it.
//     Addresses that hand out the credentials of machines are dialed for nobody.
//   - A fetch is bounded: 256 KiB an answer, 5 seconds a request, 10 seconds in all, so many at once, of them so many for one account.
//   - The discovery document must name the issuer that was asked for, byte for byte. Nothing of what was read reaches the caller but
//     whether keys were found.
//   - Certificate thumbprints of one account vouch for nothing in another: what was fetched under one list of thumbprints is kept apart
//     from what was fetched under another list, or under none.
//   - No goroutine stays: a fetch runs in the call that needs it, and others that need the same wait for that one.
//
// A key set is kept as long as its issuer lets caches keep it, from a minute to a day, and never used later than a day after it was
// fetched, even if its issuer is down. Keys that an issuer adds are found without waiting, by [Fetcher.Newer].
//
// spec: pod-identity.md 6.1, 6.2, 6.4
package issuer
