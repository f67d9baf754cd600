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
	if c.read.due() {
		if err := c.Conn.SetReadDeadline(c.read.asked); err != nil {
			return 0, err //nolint:wrapcheck // stands for the connection's own
		}
		c.read.set = c.read.asked
	}
	return c.Conn.Read(b) //nolint:wrapcheck // stands for the connection's own
}

// Write writes within the write deadline.
func (c *lazyConn) Write(b []byte) (int, error) {
	if c.write.due() {
		if err := c.Conn.SetWriteDeadline(c.write.asked); err != nil {
			return 0, err //nolint:wrapcheck // stands for the connection's own
		}
		c.write.set = c.write.asked
	}
	return c.Conn.Write(b) //nolint:wrapcheck // stands for the connection's own
}
