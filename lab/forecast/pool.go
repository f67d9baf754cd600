package forecast

// pool is what so many jobs have one of.
type pool struct {
	free   int
	queue  fifo
	used   float64 // seconds that one was held
	waited float64 // seconds that jobs did, for one
}

// take waits for one of a pool.
func (s *simulation) take(p *pool, j int) {
	s.jobs[j].asked, s.jobs[j].waited = s.now, p.free == 0
	if p.free == 0 {
		p.queue.push(j)
		return
	}
	p.free--
	s.lend(p, j)
}

// giveBack lets the next one have it.
func (s *simulation) giveBack(p *pool, j int) {
	if p.queue.len() > 0 {
		s.lend(p, p.queue.pop())
	} else {
		p.free++
	}
	s.next(j)
}

// lend gives the job what it waited for.
func (s *simulation) lend(p *pool, j int) {
	if s.measuring() {
		p.waited += s.now - s.jobs[j].asked
	}
	s.jobs[j].asked = s.now // from here on it is held
	s.next(j)
}
