// Package web is the storefront: HTML, CSS and ES modules, embedded as they are, with no build step.
package web

import (
	"embed"
	"io/fs"
)

//go:embed static
var static embed.FS

// Files holds the storefront as the browser asks for it: "index.html", "css/site.css",
// "js/cart.js", "images/products/<slug>.svg".
var Files = func() fs.FS {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // only for an invalid path, and "static" is a valid one
	}
	return files
}()

// Page returns the HTML file in [Files] behind a page's URL path, and false when there is none.
func Page(path string) (file string, ok bool) {
	switch path {
	case "/":
		return "index.html", true
	case "/product", "/cart", "/checkout", "/orders", "/order", "/login", "/register":
		return path[1:] + ".html", true
	}
	return "", false
}
