package policy

// manyQuestions is from how many question marks on a pattern is run as an automaton: going back to the last star may then cost the
// product of the lengths, because no search for a literal can skip what question marks accept.
const manyQuestions = 16

// automatonWords bounds the state: longer patterns match only texts that are longer than any ARN.
const automatonWords = 33

// automaton runs a pattern without variables over all its positions at once, one bit each. Its cost is the length of the text times
// a 64th of the length of the pattern, whatever they hold.
type automaton struct {
	units  int
	words  int
	accept map[rune][]uint64 // bit i: unit i takes the rune
	others []uint64          // runes that are not in accept: the question marks
	stay   []uint64          // bit i: a star stands before unit i
	stayIn []uint64          // of these, the ones that take a colon
}

// newAutomaton returns nil for patterns that matchTokens decides quickly, or that hold variables.
func newAutomaton(tokens []token) *automaton {
	questions, units := 0, 0
	for _, t := range tokens {
		switch t.kind {
		case variable:
			return nil
		case one, oneField:
			questions++
			units++
		case literal:
			units += len([]rune(t.text))
		case star, starField:
		}
	}
	if questions < manyQuestions || units >= automatonWords*64 {
		return nil
	}
	a := &automaton{units: units, words: units/64 + 1, accept: map[rune][]uint64{}}
	a.others, a.stay, a.stayIn = a.bits(), a.bits(), a.bits()
	colon := a.bits()
	a.accept[':'] = colon
	i := 0
	for _, t := range tokens {
		switch t.kind {
		case star, starField:
			a.stay[i/64] |= 1 << (i % 64)
			if t.kind == star {
				a.stayIn[i/64] |= 1 << (i % 64)
			}
		case one, oneField:
			a.others[i/64] |= 1 << (i % 64)
			if t.kind == one {
				colon[i/64] |= 1 << (i % 64)
			}
			i++
		case literal:
			for _, r := range t.text {
				if a.accept[r] == nil {
					a.accept[r] = a.bits()
				}
				a.accept[r][i/64] |= 1 << (i % 64)
				i++
			}
		case variable:
		}
	}
	for r, own := range a.accept {
		for w := range own {
			if r != ':' {
				own[w] |= a.others[w]
			}
		}
	}
	return a
}

func (a *automaton) bits() []uint64 { return make([]uint64, a.words) }

func (a *automaton) match(text string) bool {
	var state [automatonWords]uint64
	state[0] = 1
	var last rune = -1
	take := a.others
	for _, r := range text {
		if r != last {
			last, take = r, a.others
			if own, ok := a.accept[r]; ok {
				take = own
			}
		}
		stay := a.stay
		if r == ':' {
			stay = a.stayIn
		}
		carry, alive := uint64(0), uint64(0)
		for w := range a.words {
			moved := state[w] & take[w]
			state[w] = moved<<1 | carry | state[w]&stay[w]
			carry = moved >> 63
			alive |= state[w]
		}
		if alive == 0 {
			return false
		}
	}
	return state[a.units/64]>>(a.units%64)&1 == 1
}
