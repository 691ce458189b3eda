package agent

// What tests see of the inside.
type Claims = claims

var Peek = peek
