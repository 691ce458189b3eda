package arn

// Federated is a session of a federated user, as GetFederationToken makes them.
func Federated(account, name string) string { return global("sts", account, "federated-user/"+name) }
