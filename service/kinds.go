package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The functions here make the reader of a variable: it checks the text and puts it into a field.

func required(read func(string) error) func(string) error {
	return func(v string) error {
		if v == "" {
			return errors.New("is required")
		}
		return read(v)
	}
}

func text(into *string) func(string) error {
	return func(v string) error {
		*into = v
		return nil
	}
}

func address(into *string) func(string) error {
	return func(v string) error {
		_, port, err := net.SplitHostPort(v)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return fmt.Errorf("%q is no address such as :8080 or 127.0.0.1:9090", v)
		}
		*into = v
		return nil
	}
}

// urlOf reads a URL, or nothing. A URL may hold a password, so that no error shows it.
func urlOf(into *string, schemes ...string) func(string) error {
	return func(v string) error {
		u, err := url.Parse(v)
		if v != "" && (err != nil || u.Host == "" && u.Query().Get("host") == "" || !slices.Contains(schemes, u.Scheme)) {
			return fmt.Errorf("is no URL that begins with %s://", strings.Join(schemes, ":// or "))
		}
		*into = v
		return nil
	}
}

// keys reads one key or two, apart by a comma or white space.
func keys(into *[][]byte) func(string) error {
	return func(v string) error {
		fields := strings.FieldsFunc(v, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
		if len(fields) == 0 || len(fields) > 2 {
			return fmt.Errorf("has %d keys, want one, or a new one and the one before it", len(fields))
		}
		for _, k := range fields {
			if len(k) < minSessionKey {
				return fmt.Errorf("has a key of %d bytes, want at least %d; openssl rand -base64 48 makes one", len(k),
					minSessionKey)
			}
			*into = append(*into, []byte(k))
		}
		return nil
	}
}

func number(into *int, least, most int) func(string) error {
	return func(v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > most {
			return fmt.Errorf("%q is no whole number from %d to %d", v, least, most)
		}
		*into = n
		return nil
	}
}

func duration(into *time.Duration, least, most time.Duration) func(string) error {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < least || d > most {
			return fmt.Errorf("%q is no duration from %s to %s, such as 15m or 2s", v, least, most)
		}
		*into = d
		return nil
	}
}

func oneOf(into *string, values ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("%q is not one of %s", v, strings.Join(strings.Fields(strings.Join(values, " ")), ", "))
		}
		*into = v
		return nil
	}
}

func choice(into *bool, yes, no string) func(string) error {
	var v string
	read := oneOf(&v, yes, no)
	return func(value string) error {
		err := read(value)
		*into = v == yes
		return err
	}
}

func onOff(into *bool) func(string) error { return choice(into, "on", "off") }

func prefixes(into *[]netip.Prefix) func(string) error {
	return func(v string) error {
		for field := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' }) {
			p, err := netip.ParsePrefix(field)
			if a, aErr := netip.ParseAddr(field); aErr == nil {
				p, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
			if err != nil {
				return fmt.Errorf("%q is no network such as 10.0.0.0/16 and no address", field)
			}
			*into = append(*into, p.Masked())
		}
		return nil
	}
}

func level(into *slog.Level) func(string) error {
	return func(v string) error {
		levels := map[string]slog.Level{
			"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
		}
		l, ok := levels[v]
		if !ok {
			return fmt.Errorf("%q is not one of debug, info, warn, error", v)
		}
		*into = l
		return nil
	}
}
