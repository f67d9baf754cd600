//go:build !linux

package twin

import "errors"

func newRootControl(string, float64) (control, error) {
	return nil, errors.New("control groups are Linux only")
}

func version() string { return "none" }
