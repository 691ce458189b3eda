package organization

// MaxHandshakes is how many invitations of one organization are kept.
const MaxHandshakes = maxHandshakes
