// Command neighbour is somebody's pod. Without arguments it waits; with ADDRESS and TEXT, quoted as in Go, it
// connects, sends the text, and prints what comes back within five seconds.
package main

import (
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop)
		<-stop
		return
	}
	text, err := strconv.Unquote(os.Args[2])
	if err != nil {
		panic(err)
	}
	connection, err := net.DialTimeout("tcp", os.Args[1], 5*time.Second)
	if err != nil {
		println(err.Error())
		return
	}
	_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(connection, text)
	_, _ = io.Copy(os.Stdout, connection)
}
