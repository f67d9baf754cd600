package api

import (
	"net"
	"time"
)

// Serve answers the connections of l until App is shut down.
func (s *Server) Serve(l net.Listener) error { return s.app.Listener(lazyListener{l}) }

// deadlineSlack is how much earlier than asked a connection's deadline may end.
const deadlineSlack = time.Second

// lazyListener accepts connections that set a deadline only when they wait. The HTTP engine sets three deadlines for
// each request; setting one costs about as much as routing the request, and nearly all requests arrive in
// one piece and are answered in one, so that none of the three is ever waited for.
type lazyListener struct{ net.Listener }

// Accept waits for the next connection.
func (l lazyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // the HTTP engine looks at the error's type
	}
	return &lazyConn{Conn: c}, nil
}

// lazyConn is used by one goroutine; another one may close it.
type lazyConn struct {
	net.Conn
	read, write deadline
}

// deadline is one that was asked for, and the one that the connection has.
type deadline struct{ asked, set time.Time }

// due says whether the connection needs the deadline that was asked for: it has a later one, or one that
// is earlier by more than the slack, or none.
func (d *deadline) due() bool {
	if d.asked.IsZero() || d.set.IsZero() {
		return d.asked != d.set
	}
	early := d.asked.Sub(d.set)
	return early < 0 || early > deadlineSlack
}

// apply gives the connection the deadline if it needs it.
func (d *deadline) apply(set func(time.Time) error) error {
	if !d.due() {
		return nil
	}
	if err := set(d.asked); err != nil {
		return err
	}
	d.set = d.asked
	return nil
}

// SetReadDeadline notes the deadline for the next Read.
func (c *lazyConn) SetReadDeadline(t time.Time) error {
	c.read.asked = t
	return nil
}

// SetWriteDeadline notes the deadline for the next Write.
func (c *lazyConn) SetWriteDeadline(t time.Time) error {
	c.write.asked = t
	return nil
}

// SetDeadline notes the deadline for the next Read and the next Write.
func (c *lazyConn) SetDeadline(t time.Time) error {
	c.read.asked, c.write.asked = t, t
	return nil
}

// Read reads within the read deadline.
func (c *lazyConn) Read(b []byte) (int, error) {
	if err := c.read.apply(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(b) //nolint:wrapcheck // stands for the connection's own
}

// Write writes within the write deadline.
func (c *lazyConn) Write(b []byte) (int, error) {
	if err := c.write.apply(c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(b) //nolint:wrapcheck // stands for the connection's own
}
