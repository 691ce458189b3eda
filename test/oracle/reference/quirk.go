package reference

// Quirk is one point in which another engine decides otherwise than the specification. The reference can take quirks on, so that
// "explained" means predicted: with them it gives that engine's answer to every question, without them ours.
type Quirk uint32

// The quirks of @cloud-copilot/iam-simulate 0.1.173, with the section of iam-policy.md that speaks against each.
const (
	SessionLimitsDirectGrant  Quirk = 1 << iota // 6.4
	FederatedKeepsIdentity                      // 6.2
	RootIsOrdinary                              // 6.2, 6.4
	NoUniqueIDs                                 // 1.5, 9
	RoleByLastName                              // 3.4
	NotPrincipalAnyLevel                        // 3.5, 15
	AWSMeansEveryone                            // 1.5
	VariablesIn2008                             // 1.3
	UnresolvedExcludesNothing                   // 4, 15
	UnresolvedNegated                           // 4
	EmptyValueIsMissing                         // 4
	EscapesNeedWildcards                        // 3.1
	MalformedNegated                            // 5.2, 15
	MappedAddress                               // 5.2
	HostAgainstFamily                           // 5.2
	CIDRZero                                    // 5.2
	AnyValueIfExists                            // 5.3, 15
	EmptyList                                   // 5.3, 15
	EpochInMilliseconds                         // 5.2
	quirksEnd
)

// AllQuirks is every quirk.
const AllQuirks = quirksEnd - 1

var quirkNames = [...]string{
	"SessionLimitsDirectGrant", "FederatedKeepsIdentity", "RootIsOrdinary", "NoUniqueIDs", "RoleByLastName", "NotPrincipalAnyLevel",
	"AWSMeansEveryone", "VariablesIn2008", "UnresolvedExcludesNothing", "UnresolvedNegated", "EmptyValueIsMissing", "EscapesNeedWildcards",
	"MalformedNegated", "MappedAddress", "HostAgainstFamily", "CIDRZero", "AnyValueIfExists", "EmptyList", "EpochInMilliseconds",
}

// String is the name of a single quirk.
func (q Quirk) String() string {
	for i, name := range quirkNames {
		if q == 1<<i {
			return name
		}
	}
	return "several quirks"
}

// EachQuirk is every quirk by itself.
func EachQuirk() []Quirk {
	var out []Quirk
	for q := Quirk(1); q < quirksEnd; q <<= 1 {
		out = append(out, q)
	}
	return out
}

func (q *question) has(k Quirk) bool { return q.quirks&k != 0 }
