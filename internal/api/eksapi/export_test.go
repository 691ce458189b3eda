package eksapi

// What the walk over the errors reads.
var (
	Faults   = faults
	Modelled = modelled
)
