package iam

// CheapPasswords makes passwords cheap, for tests that are about something else.
func (d *Directory) CheapPasswords() { d.rounds = 1000 }

// CostOfNobody is the rounds that a password costs which is no user's.
func (d *Directory) CostOfNobody() int { return d.nobody().Rounds }
