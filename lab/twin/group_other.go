//go:build !linux

package twin

import "errors"

func newRootControl(string) (control, error) {
	return nil, errors.New("control groups are Linux only")
}
