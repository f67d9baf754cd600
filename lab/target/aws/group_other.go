//go:build !unix

package aws

import "os/exec"

func ownGroup(*exec.Cmd) {}
