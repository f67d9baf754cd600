package main

import (
	"flag"
	"testing"

	"shoplab/licensetest"
)

var updateLicenses = flag.Bool("update", false, "rewrite licenses.txt")

func TestLicensesAreThoseOfTheModules(t *testing.T) {
	licensetest.Check(t, "..", "licenses.txt", *updateLicenses, "./service")
}
