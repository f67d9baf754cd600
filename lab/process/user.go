package process

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Unprivileged returns whom PostgreSQL, PgBouncer and nginx run as when the lab runs as root (the
// first two refuse to run as root), and nil when the lab is an ordinary user.
func Unprivileged() (*User, error) {
	if os.Geteuid() != 0 {
		return nil, nil // no other user is needed
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read user %s: %w", name, err)
		}
		return &User{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody " +
		"to run it as; run the lab as an ordinary user")
}

// CheckPassable says which folder on the way to dir keeps u out, if any.
func CheckPassable(dir string, u *User) error {
	if u == nil {
		return nil
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at %s: %w", dir, err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		mine := ok && st.Uid == u.UID
		if info.Mode()&0o001 == 0 && !mine {
			return fmt.Errorf("PostgreSQL does not run as root, and user %s, whom it runs as, may not enter %s; "+
				"choose a data folder elsewhere or run the lab as an ordinary user", u.Name, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// Own gives a file or folder to u; nothing happens when u is nil.
func (u *User) Own(path string) error {
	if u == nil {
		return nil
	}
	if err := os.Chown(path, int(u.UID), int(u.GID)); err != nil {
		return fmt.Errorf("give %s to user %s: %w", path, u.Name, err)
	}
	return nil
}
