package cli

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"shoplab/licensetest"
)

var updateLicenses = flag.Bool("update", false, "rewrite licenses.txt")

func TestLicensesAreThoseOfTheModules(t *testing.T) {
	licensetest.Check(t, "../..", "licenses.txt", *updateLicenses, "./lab", "./lab/account", "./lab/generator",
		"./lab/automate", "./lab/draw", "./lab/proxy")
}

func TestVersionIsTheOneOfTheChangeLog(t *testing.T) {
	var out bytes.Buffer
	if code := Run(t.Context(), []string{"version"}, &out, &out); code != 0 ||
		!strings.HasPrefix(out.String(), "lab "+release) {
		t.Errorf("exit status %d: %s", code, out.String())
	}
	log, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, newest, _ := bytes.Cut(log, []byte("\n## ")); !bytes.HasPrefix(newest, []byte(release)) {
		t.Errorf("CHANGELOG.md does not begin with %s, which is release in version.go", release)
	}
}
