package main

import _ "embed"

// licenses are those of the modules in this binary. It is all that an image holds, so it carries them along.
//
//go:embed licenses.txt
var licenses string
