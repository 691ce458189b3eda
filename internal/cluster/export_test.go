package cluster

import "time"

// EndedFor is how long an ended pod is remembered.
const EndedFor = endedFor

// RememberEnded makes a registry remember ended pods for another time.
func RememberEnded(r *Registry, d time.Duration) { r.endedFor = d }

// CheckAssociationTags holds the rules for an association's tags.
func CheckAssociationTags(a *Association) error { return a.checkTags() }
