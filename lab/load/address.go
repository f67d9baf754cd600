package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"shoplab/lab/result"
)

// ParseURL checks the address of a shop and returns it without a slash at its end. Errors never repeat a
// password.
func ParseURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) { // whose text has all of the address
			err = inner.Err
		}
		return "", fmt.Errorf("the shop's URL is none: %w", err)
	}
	if u.User != nil {
		u.User = nil
		return "", fmt.Errorf("the shop's URL has a name or password: leave them out and type %s. Shoppers sign in with the "+
			"Authorization header, which HTTP authentication in front of the shop would need too", u)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" && !strings.Contains(address, "://"):
		return "", fmt.Errorf("shop URL %q: want http:// or https:// before it, such as https://%s", address, address)
	case u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", fmt.Errorf("shop URL %q: want http://host or https://host", address)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		u.RawQuery, u.ForceQuery, u.Fragment = "", false, ""
		return "", fmt.Errorf("shop URL %q: a query or fragment is not the shop's address: type %s", address, u)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// meet asks the shop who it is, and says what to type where that does not work.
func (c *Crowd) meet(ctx context.Context) (Info, error) {
	const path = "/api/info"
	var info Info
	status, header, body, err := c.call(ctx, http.MethodGet, path, nil, "")
	var unknown x509.UnknownAuthorityError
	var wrong x509.HostnameError
	switch {
	case errors.As(err, &unknown), errors.As(err, &wrong):
		return info, fmt.Errorf("%w; --insecure accepts a certificate of the shop's own", err)
	case err != nil:
		return info, err
	case status >= 300 && status < 400:
		return info, fmt.Errorf("the shop redirects: type %s", redirected(c.url+path, header.Get("Location"), path))
	case status != http.StatusOK:
		return info, fmt.Errorf("GET %s: %s%s", path, statusKind(status, body), limitHint(status, body))
	}
	if err := c.ask(ctx, path, &info); err != nil {
		return info, fmt.Errorf("%s is no shop: %w", c.url, err)
	}
	return info, nil
}

// redirected is the address to type instead of one that redirects.
func redirected(from, location, path string) string {
	base, err := url.Parse(from)
	if err != nil {
		return location
	}
	to, err := base.Parse(location)
	if err != nil {
		return location
	}
	to.User, to.RawQuery, to.Fragment = nil, "", ""
	return strings.TrimSuffix(strings.TrimSuffix(to.String(), path), "/")
}

func limitHint(status int, body []byte) string {
	if statusKind(status, body) == result.ErrorRateLimited {
		return "; the shop's own rate limit answers: " + result.LiftRateLimit
	}
	return ""
}

// Loopback says that a shop is on this machine.
func Loopback(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}

// tlsConfig is nil for the usual checks.
func tlsConfig(insecure bool) *tls.Config {
	if !insecure {
		return nil
	}
	return &tls.Config{InsecureSkipVerify: true} //nolint:gosec // asked for by --insecure, for self-signed certificates
}
