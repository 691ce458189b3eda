package embedded

// Listeners counts the places where clients or peers could connect.
func (s *Server) Listeners() int { return len(s.etcd.Clients) + len(s.etcd.Peers) }
