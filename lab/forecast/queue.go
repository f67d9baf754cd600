package forecast

// event is something that happens to a job, at a moment.
type event struct {
	at  float64
	job int
	ran float64 // CPU seconds, where a slice ends
}

// events is a heap, the next one first.
type events []event

func (h *events) push(e event) {
	*h = append(*h, e)
	a := *h
	for i := len(a) - 1; i > 0; {
		up := (i - 1) / 2
		if a[up].at <= a[i].at {
			break
		}
		a[up], a[i] = a[i], a[up]
		i = up
	}
}

func (h *events) pop() event {
	a := *h
	first, last := a[0], len(a)-1
	a[0] = a[last]
	a = a[:last]
	for i := 0; ; {
		least, left := i, 2*i+1
		for c := left; c <= left+1 && c < last; c++ {
			if a[c].at < a[least].at {
				least = c
			}
		}
		if least == i {
			break
		}
		a[i], a[least] = a[least], a[i]
		i = least
	}
	*h = a
	return first
}

// fifo is a queue of jobs.
type fifo struct {
	jobs []int
	head int
}

func (q *fifo) len() int { return len(q.jobs) - q.head }

func (q *fifo) first() int { return q.jobs[q.head] }

func (q *fifo) push(j int) { q.jobs = append(q.jobs, j) }

func (q *fifo) pop() int {
	j := q.jobs[q.head]
	switch q.head++; {
	case q.head == len(q.jobs):
		q.jobs, q.head = q.jobs[:0], 0
	case q.head > 1024 && 2*q.head > len(q.jobs):
		q.jobs, q.head = append(q.jobs[:0], q.jobs[q.head:]...), 0
	}
	return j
}
