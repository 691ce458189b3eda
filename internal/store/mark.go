package store

// Mark stands for the records of a table under a prefix, as one snapshot shows them. Equal marks of one table and prefix mean the
// same records in the same versions; different marks mean that they may have changed. Marks are compared with ==, and keep no
// snapshot alive. The zero Mark is that of no records.
type Mark struct{ version <-chan struct{} }

// Mark looks at no record, however many there are: every change makes new nodes from the record up to the root of the tree, and each
// node has a channel of its own, so the channel of the node under which the prefix lies is the version of all that is there.
func (t Table[T]) Mark(s *Snapshot, prefix Key) Mark {
	it := s.tree.Root().Iterator()
	version := it.SeekPrefixWatch(t.appendPath(nil, prefix))
	if _, _, some := it.Next(); !some {
		return Mark{} // the node found is one above, whose other records do not matter
	}
	return Mark{version}
}
