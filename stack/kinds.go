package stack

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The functions here make a row's reader: it checks the text of a value and puts it into a field. Its error
// completes the sentence "KEY is ...".

func text(into *string) func(string) error {
	return func(s string) error {
		*into = s
		return nil
	}
}

func boolean(into *bool) func(string) error {
	return func(s string) (err error) {
		if *into, err = strconv.ParseBool(s); err != nil {
			return fmt.Errorf("%q, neither true nor false", s)
		}
		return nil
	}
}

// number takes low to high.
func number(into *int, low, high int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		switch {
		case err != nil:
			return fmt.Errorf("%q, not a whole number", s)
		case n < low || n > high:
			return fmt.Errorf("%d, not between %d and %d", n, low, high)
		}
		*into = n
		return nil
	}
}

// oneNumberOf takes what somebody else takes.
func oneNumberOf(into *int, who string, choices ...int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || !slices.Contains(choices, n) {
			list := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(choices), "[]")), ", ")
			return fmt.Errorf("%s; %s takes %s", s, who, list)
		}
		*into = n
		return nil
	}
}

func oneOf(into *string, choices ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(choices, s) {
			return fmt.Errorf("%q; choose one of %s", s, strings.Join(choices, ", "))
		}
		*into = s
		return nil
	}
}

// matching takes what a pattern matches, which want says in words.
func matching(into *string, pattern *regexp.Regexp, want string) func(string) error {
	return func(s string) error {
		if !pattern.MatchString(s) {
			return fmt.Errorf("%q, not %s", s, want)
		}
		*into = s
		return nil
	}
}

// imageByDigest matches a container image reference by digest.
var imageByDigest = regexp.MustCompile(`^[a-z0-9][a-z0-9.:/_-]+@sha256:[0-9a-f]{64}$`)

// dumpTarget matches bucket or bucket/prefix. S3 allows dots in a bucket's name, but its certificate does not
// cover them.
var dumpTarget = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9](/[A-Za-z0-9_.-]+)*$`)

// calendar matches what systemd.time may consist of; systemd checks the rest at the first boot.
var calendar = regexp.MustCompile(`^[A-Za-z0-9*:.,/~ +_-]+$`)

// moment takes a time of RFC 3339.
func moment(into *string) func(string) error {
	return func(s string) error {
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			return fmt.Errorf("%q, not a time such as 2026-12-31T18:00:00Z", s)
		}
		*into = s
		return nil
	}
}

func email(into *string) func(string) error {
	return func(s string) error {
		if !strings.Contains(s, "@") {
			return fmt.Errorf("%q, not an address", s)
		}
		*into = s
		return nil
	}
}

// network takes an IPv4 network as it is written canonically: what it is opened to has no other addresses.
func network(into *string) func(string) error {
	return func(s string) error {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil || p.Bits() < 8:
			return fmt.Errorf("%q, not a network of /8 or narrower such as 203.0.113.7/32", s)
		case !p.Addr().Is4():
			return fmt.Errorf("%s, but the server has an IPv4 address only: name an IPv4 network such as 203.0.113.7/32", s)
		case p != p.Masked():
			return fmt.Errorf("%s, which begins at %s: write that, or one address as %s/32", s, p.Masked(), p.Addr())
		}
		*into = s
		return nil
	}
}

// leastPostgres is the first major version whose default parameters on RDS refuse connections without TLS. A
// parameter group that says the same again is never settled: AWS keeps a default as pending-reboot.
// Source: Amazon RDS User Guide, "Using SSL with a PostgreSQL DB instance"; hashicorp/terraform-provider-aws#39252.
const leastPostgres = 15

// PostgresMajor is the major version in an RDS engine version, such as 17 in "17.5"; 0 if there is none.
func PostgresMajor(version string) int {
	text, _, _ := strings.Cut(version, ".")
	major, _ := strconv.Atoi(text)
	return major
}

func postgres(into *string) func(string) error {
	return func(s string) error {
		if PostgresMajor(s) < leastPostgres {
			return fmt.Errorf("%q; take %d or later, which refuses connections without TLS by itself", s, leastPostgres)
		}
		*into = s
		return nil
	}
}
