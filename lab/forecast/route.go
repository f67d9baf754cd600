package forecast

// refusal is the seconds that it takes to say no: what AWS lets an HTTP API add at most to 99% of the requests, as on
// the twin (docs/decisions/0142).
const refusal = 0.010

// waking is the CPU seconds that a request takes to go on when it has waited for a connection: assumed. They are few;
// that it has the connection while it waits for a core is what matters.
const waking = 20e-6

// arrival is what every request does first. It passes the proxies with the question and again with the answer, and
// takes half of what they take each time.
func (n Network) arrival() []op {
	var to []op
	if n.Delay > 0 {
		to = append(to, op{kind: opDelay, demand: n.Delay})
	}
	return visits(to, n.Front, .5)
}

// route is what a request of the class does at the instance, op by op.
func (n Network) route(in Instance, c Class) []op {
	k := c.trips()
	to, held := n.arrival(), []op(nil) // and what it does with each connection
	held = visits(held, in.Held, c.Held/float64(max(1, k)))
	if mean, _ := trips(n.classes()); in.HeldDelay > 0 && mean > 0 {
		held = append(held, op{kind: opDelay, demand: in.HeldDelay / mean})
	}
	var back []Visit // the proxies that it passes again
	for _, v := range in.Visits {
		switch v.Part {
		case PartService:
		case PartSidecar:
			to, back = visits(to, []Visit{v}, .5), append(back, v)
			continue
		default:
			to = visits(to, []Visit{v}, 1)
			continue
		}
		first := visits(nil, []Visit{v}, c.Weight-float64(k)*c.reading())
		for i := range first {
			first[i].constant = c.Hashes // which is nearly all that such a request does, and has a fixed cost on purpose
		}
		if c.Hashes && in.Hashing > 0 {
			first = append(append([]op{{kind: opHash}}, first...), op{kind: opHashed})
		}
		to = append(to, first...)
		held = visits(held, []Visit{v}, c.reading())
	}
	if c.After && in.Concurrency > 0 {
		to = append(to, op{kind: opAnswer})
	}
	for i := range k {
		to = n.hold(to, in, held, c.Locks && i == k-1)
	}
	return visits(to, append(back, n.Front...), .5)
}

// hold adds what is done with a connection.
func (n Network) hold(to []op, in Instance, held []op, locks bool) []op {
	if in.Pool == 0 {
		return append(to, held...)
	}
	var woken []op
	for _, v := range in.Visits {
		if v.Part == PartService {
			woken = []op{{kind: opWake, machine: v.Machine, demand: waking}}
		}
	}
	if locks {
		to = append(append(to, op{kind: opLock}), woken...)
	}
	to = append(append(append(append(to, op{kind: opAcquire}), woken...), held...), op{kind: opRelease})
	if locks {
		to = append(to, op{kind: opUnlock})
	}
	return to
}

// visits adds visits of which a request takes so many times the mean.
func visits(to []op, all []Visit, weight float64) []op {
	for _, v := range all {
		if v.Demand*weight > 0 {
			to = append(to, op{kind: opCPU, machine: v.Machine, demand: v.Demand * weight, crowding: v.Crowding})
		}
	}
	return to
}
