package api

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"
)

// peer is the address at the other end of the connection.
func peer(c *fiber.Ctx) netip.Addr {
	if tcp, ok := c.Context().RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func (s *Server) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// client is the address of the client: the last one in X-Forwarded-For that is not a trusted proxy.
// What stands left of that could be made up by the client.
func (s *Server) client(c *fiber.Ctx) netip.Addr {
	addr := peer(c)
	if !s.trusts(addr) {
		return addr
	}
	hops := strings.Split(string(bytes.Join(c.Request().Header.PeekAll(fiber.HeaderXForwardedFor), []byte(","))), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

// network is the client's address as rate limits count it: an IPv6 client owns a /64.
func (s *Server) network(c *fiber.Ctx) string {
	addr := s.client(c)
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// https says whether the client speaks HTTPS with the shop, or with a proxy before it.
func (s *Server) https(c *fiber.Ctx) bool {
	if s.alwaysHTTPS {
		return true
	}
	return s.trusts(peer(c)) && c.Get(fiber.HeaderXForwardedProto) == "https"
}

// identify gives the response the request's id: the one of a trusted proxy, or a new one.
func (s *Server) identify(c *fiber.Ctx) {
	h := &c.Response().Header
	if s.trusts(peer(c)) {
		if id := c.Get(fiber.HeaderXRequestID); plausibleID(id) {
			setCanonical(h, canonicalRequestID, id)
			return
		}
	}
	var id [32]byte
	random := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), rand.Uint64()) //nolint:gosec // no secret
	random = binary.LittleEndian.AppendUint64(random, rand.Uint64())               //nolint:gosec // as above
	hex.Encode(id[:], random)
	h.SetCanonical(utils.UnsafeBytes(canonicalRequestID), id[:])
}

// canonicalRequestID is fiber.HeaderXRequestID as the HTTP engine spells it.
const canonicalRequestID = "X-Request-Id"

// setCanonical sets a header whose name is spelled as the HTTP engine would spell it ("Etag"), and spares the
// engine the work: it spells the names of six headers a request. The engine copies both.
func setCanonical(h *fasthttp.ResponseHeader, name, value string) {
	h.SetCanonical(utils.UnsafeBytes(name), utils.UnsafeBytes(value))
}

// requestID is the id that identify gave; valid until the handler returns.
func requestID(c *fiber.Ctx) string {
	return c.GetRespHeader(fiber.HeaderXRequestID)
}

// plausibleID admits 1 to 64 letters, digits and "-_.".
func plausibleID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, r := range []byte(id) {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		default:
			return false
		}
	}
	return true
}
