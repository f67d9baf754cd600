package platform

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// billable are the calls that make what costs money while it is there.
var billable = []string{
	"AllocateAddress", "RunInstances", "CreateAutoScalingGroup", "CreateLoadBalancer", "CreateDBInstance",
	"CreateReplicationGroup", "CreateNatGateway",
	"CreateService", building, "PutDashboard", "PutMetricAlarm", "POST /2015-03-31/functions",
}

// building is the call that makes a repository for the image, which is built when none is named.
const building = "CreateRepository"

// place is where up or destroy is ended.
type place struct {
	verb, name string
	at         func(n int, name string) bool
}

func nth(n int) func(int, string) bool {
	return func(i int, _ string) bool { return i == n }
}

func first(call string) func(int, string) bool {
	return func(_ int, name string) bool { return name == call }
}

// teardownPlaces is in how many places up and destroy are to be ended; 0: in one of stage3.
func teardownPlaces(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SHOPLAB_TEARDOWN")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SHOPLAB_TEARDOWN is %q: want in how many places of up and of destroy, such as 20", text)
	}
	return n
}

// spread are n places over the length of up and of destroy, and the calls that make something billable.
func (tr *trial) spread(n int) (all []place) {
	for i := range n {
		name := fmt.Sprintf("%d of %d", i+1, n)
		all = append(all, place{verb: "destroy", name: name, at: nth(1 + i*len(tr.destroys)/n)},
			place{verb: "up", name: name, at: nth(1 + i*len(tr.ups)/n)})
	}
	for _, name := range billable {
		if name == building || slices.Contains(tr.ups, name) {
			all = append(all, place{verb: "up", name: name, at: first(name)})
		}
	}
	return all
}

// What is said of a place that was tried.
const (
	nothingLeft = "nothing left"
	tooLate     = "it had ended before" // calls come in another order each time
)

// lastPlace is how long a place may take: ECS's provider waits two minutes for a service that is being deleted.
const lastPlace = 4 * time.Minute

// once interrupts at a place, unless it was tried or time is up, and says how that ended. Where the emulator's answers
// broke off, which is no fault of what is tried, the place is tried again.
func (tr *trial) once(t *testing.T, p place) {
	t.Helper()
	entry := tr.stack + " " + p.verb + " " + p.name + ": "
	if wasTried(entry) {
		return
	}
	t.Run(p.verb+" "+p.name, func(t *testing.T) {
		if p.name != building { // which changes the stage's file
			t.Parallel()
		}
		if deadline, limited := t.Deadline(); limited && time.Until(deadline) < lastPlace {
			t.Skip("it might not end before -timeout")
		}
		began, end := time.Now(), "failed"
		defer func() {
			writeDown(t, fmt.Sprintf("%s%s, %.0f s, %s", entry, end, time.Since(began).Seconds(), began.Format(time.DateOnly)))
		}()
		for tries := 1; ; tries++ {
			again := *tr
			what, err := again.interrupt(t, p)
			end = nothingLeft + ", " + what
			if err == nil {
				return
			}
			end = "failed, " + what
			if cut := again.gate.cut.Load(); cut > 0 && tries < 3 {
				t.Logf("tried again, because %d answers of the emulator broke off: %v", cut, err)
				continue
			}
			t.Fatal(err)
		}
	})
}

// wasTried tells whether the log has that nothing was left at a place.
func wasTried(entry string) bool {
	done, _ := os.ReadFile(os.Getenv("SHOPLAB_TEARDOWN_LOG")) // a file that is not there has none
	for line := range strings.Lines(string(done)) {
		if strings.HasPrefix(line, entry+nothingLeft+", killed") {
			return true
		}
	}
	return false
}

// writeDown adds a line to the log of places.
func writeDown(t *testing.T, line string) {
	t.Helper()
	t.Log(line)
	name := os.Getenv("SHOPLAB_TEARDOWN_LOG")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, line) // one write: stages may end theirs at once
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Errorf("write down what was tried: %v", err)
	}
}
