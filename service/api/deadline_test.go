package api

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func TestDeadlineIsDue(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		d    deadline
		want bool
	}{
		"none asked, none set":         {deadline{}, false},
		"the first":                    {deadline{asked: now}, true},
		"taken away":                   {deadline{set: now}, true},
		"the same":                     {deadline{asked: now, set: now}, false},
		"a little later":               {deadline{asked: now.Add(deadlineSlack), set: now}, false},
		"much later":                   {deadline{asked: now.Add(deadlineSlack + 1), set: now}, true},
		"earlier than the one that is": {deadline{asked: now, set: now.Add(1)}, true},
	} {
		if got := test.d.due(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A deadline that was asked for ends the next wait, whatever was asked for before.
func TestLazyConnKeepsItsDeadlines(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := lazyListener{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const soon = 10 * time.Millisecond
	for _, before := range []time.Duration{time.Hour, time.Minute} {
		_ = c.SetReadDeadline(time.Now().Add(before))
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(soon))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read ends with %v", err)
		}
	}
	_ = c.SetWriteDeadline(time.Now().Add(soon))
	for err == nil { // until the buffers of both sides are full
		_, err = c.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write ends with %v", err)
	}
	_ = c.SetDeadline(time.Time{})
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("without a deadline: %v", err)
	}
}
