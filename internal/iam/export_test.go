package iam

// CheapPasswords makes passwords cheap, for tests that are about something else.
func (d *Directory) CheapPasswords() { d.rounds = 1000 }

// Guess takes all turns of guesses at passwords until done is called.
func (d *Directory) Guess() (done func()) {
	for range cap(d.guesses) {
		d.guesses <- struct{}{}
	}
	return func() {
		for range cap(d.guesses) {
			<-d.guesses
		}
	}
}

// CostOfNobody is the rounds that a password costs which is no user's.
func (d *Directory) CostOfNobody() int { return d.nobody().Rounds }
