package api

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"

	"shoplab/web"
)

// file is one of the storefront's files as it is sent.
type file struct {
	body, zipped []byte // zipped is nil where gzip does not make it smaller
	contentType  string
	etag         string
	cacheControl string
	page         bool
}

// storefront holds the storefront's files by path. They are a few hundred kilobytes.
type storefront struct {
	files               map[string]file
	policy, permissions string
}

func newStorefront(payments string) (*storefront, error) {
	f := &storefront{files: map[string]file{}, policy: pagePolicy(payments), permissions: permissions(payments)}
	zip, err := gzip.NewWriterLevel(nil, gzip.BestCompression) // one for all: each takes 800 kB
	if err != nil {
		return nil, fmt.Errorf("compress storefront: %w", err)
	}
	err = fs.WalkDir(web.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(web.Files, name)
		if err != nil {
			return err
		}
		f.files[name], err = newFile(name, body, zip)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read storefront: %w", err)
	}
	return f, nil
}

// newFile compresses and tags a file. Everything is revalidated on use, so that a deploy shows at
// once, but for pictures, which change least and are asked for most.
func newFile(name string, body []byte, zip *gzip.Writer) (file, error) {
	sum := sha256.Sum256(body)
	f := file{
		body:         body,
		contentType:  contentType(name),
		etag:         `"` + hex.EncodeToString(sum[:12]) + `"`,
		cacheControl: "public, no-cache",
		page:         path.Ext(name) == ".html",
	}
	if strings.HasPrefix(name, "images/") {
		f.cacheControl = "public, max-age=3600"
	}
	var err error
	f.zipped, err = gzipped(zip, body)
	return f, err
}

// contentType is what a file's name says. Package mime asks the machine for what it does not know
// itself, and an image that holds nothing else has nothing to say.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".ico":
		return "image/x-icon"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// notFoundPage is what a browser sees at an address that nothing has.
const notFoundPage = "404.html"

// serveFile answers with a page or a file of the storefront, whatever other routes do not know.
func (s *Server) serveFile(c *fiber.Ctx) error {
	name, ok := web.Page(c.Path())
	if !ok {
		name = strings.TrimPrefix(c.Path(), "/")
	}
	f, found := s.files.files[name]
	found = found && (ok || !f.page) // a page has one address
	reads := c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead
	switch {
	case found && !reads:
		return notAllowed(c, "GET, HEAD")
	case found:
		s.sendFile(c, f)
		return nil
	case reads && !strings.HasPrefix(c.Path(), "/api/") &&
		c.Accepts(problemType, fiber.MIMETextHTML) == fiber.MIMETextHTML:
		c.Status(fiber.StatusNotFound)
		s.sendFile(c, s.files.files[notFoundPage])
		c.Set(fiber.HeaderVary, "Accept, Accept-Encoding")
		return nil
	}
	return c.Next() // the router knows whether that is 404 or 405
}

func (s *Server) sendFile(c *fiber.Ctx, f file) {
	body, etag := f.body, f.etag
	h := &c.Response().Header
	if f.zipped != nil && acceptsGzip(c.Request().Header.Peek(fiber.HeaderAcceptEncoding)) {
		body, etag = f.zipped, gzipTag(f.etag)
		h.Set(fiber.HeaderContentEncoding, "gzip")
	}
	h.Set(fiber.HeaderETag, etag)
	h.Set(fiber.HeaderCacheControl, f.cacheControl)
	h.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	h.Set(fiber.HeaderReferrerPolicy, "strict-origin-when-cross-origin")
	h.Set(fiber.HeaderContentSecurityPolicy, s.files.policy)
	h.Set(fiber.HeaderPermissionsPolicy, s.files.permissions)
	if c.Response().StatusCode() == fiber.StatusOK && matches(c.Request().Header.Peek(fiber.HeaderIfNoneMatch), etag) {
		c.Status(fiber.StatusNotModified)
		return
	}
	h.SetContentType(f.contentType)
	c.Response().SetBodyRaw(body)
}
