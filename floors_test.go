// Package certwright_test keeps the building in order: who may import whom, where
// SQL may stand, and a few habits that are easier checked than remembered. The
// tables are the contract; a new package begins with a line here.
package certwright_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/certwright/certwright"

// A floor says what the files of a package may import besides the standard
// library. Names of ours are below internal/ unless they begin with a slash;
// theirs are prefixes of import paths.
type floor struct {
	ours   []string
	theirs []string
}

var anything = []string{"*"}

// floors has a line for each package, from the ground up. A package may import
// what is below it, never a sibling, never what is above.
var floors = map[string]floor{
	"internal/clm": {},

	"internal/pki":    {ours: []string{"clm"}, theirs: []string{"golang.org/x/crypto"}}, // decision 8
	"internal/secret": {ours: []string{"clm"}, theirs: cryptography},
	"internal/ca":     {ours: []string{"clm"}},

	"internal/store":       {ours: []string{"clm"}, theirs: databases},
	"internal/ca/embedded": {ours: []string{"ca", "clm", "pki"}, theirs: []string{"golang.org/x/crypto"}},
	"internal/ca/catest":   {ours: []string{"ca", "clm", "pki"}},
	"internal/ca/all":      {ours: []string{"ca", "ca/*"}},

	// A driver knows what all drivers share, and no other driver.
	"internal/deploy/remote":     {ours: []string{"clm", "pki", "secret"}, theirs: []string{"golang.org/x/crypto/ssh", "github.com/pkg/sftp"}},
	"internal/deploy/look":       {ours: []string{"clm", "pki"}},
	"internal/deploy":            {ours: []string{"clm", "pki", "secret", "deploy/remote", "deploy/look"}},
	"internal/deploy/shelf":      {ours: driverGround, theirs: []string{"golang.org/x/crypto"}},
	"internal/deploy/all":        {ours: []string{"clm", "deploy", "deploy/*"}},
	"internal/deploy/file":       {ours: shelfGround},
	"internal/deploy/apache":     {ours: shelfGround},
	"internal/deploy/nginx":      {ours: shelfGround},
	"internal/deploy/haproxy":    {ours: shelfGround},
	"internal/deploy/tomcat":     {ours: shelfGround},
	"internal/deploy/postfix":    {ours: shelfGround},
	"internal/deploy/dovecot":    {ours: shelfGround},
	"internal/deploy/postgresql": {ours: shelfGround},
	"internal/deploy/command":    {ours: shelfGround},
	"internal/deploy/kubernetes": {ours: driverGround},
	"internal/deploy/deploytest": {ours: append([]string{"coretest", "pki", "ca", "ca/embedded"}, shelfGround...), theirs: keyFiles},

	"internal/core": {ours: []string{"clm", "pki", "secret", "store", "ca", "deploy", "deploy/look", "deploy/remote"}},
	"internal/coretest": {
		ours:   []string{"clm", "pki", "secret", "store", "ca", "ca/*", "core", "deploy", "deploy/all"},
		theirs: databases, // it makes the databases that tests run on
	},

	"internal/api/lenient": {},
	"internal/api/names":   {ours: []string{"clm"}}, // spoken by api/tpp and by estate files
	"internal/api/wiretest": {
		ours:   []string{"clm", "core", "coretest"},
		theirs: testLibraries, // it opens the files that are handed out
	},
	"internal/api/wirehost": {
		ours:   []string{"clm", "pki", "secret", "ca", "core", "coretest", "api/names", "api/wiretest"},
		theirs: testLibraries,
	},

	// secret is here for secret.Plain: a password that comes in from outside is
	// unprintable from the first line of ours that sees it.
	"internal/api/tpp": {
		ours:   []string{"clm", "core", "pki", "secret", "api/lenient", "api/names"},
		theirs: []string{"github.com/go-chi/chi/v5", "golang.org/x/time"},
	},
	"internal/api/avx":     {ours: []string{"clm", "core", "pki", "secret", "api/lenient", "api/names"}},
	"internal/api/relying": {ours: []string{"clm", "core", "pki"}},

	"internal/web":    {ours: []string{"clm", "core", "pki", "secret"}},
	"internal/estate": {ours: []string{"clm", "core", "pki", "secret", "api/names"}, theirs: []string{"go.yaml.in/yaml/v3"}},

	"cmd/certwright": {ours: anything, theirs: anything},
	"bench":          {ours: anything, theirs: databases}, // it measures what they can do by themselves
	"bench/fill":     {ours: anything},
}

var driverGround = []string{"clm", "pki", "secret", "deploy", "deploy/remote", "deploy/look"}

var shelfGround = append([]string{"deploy/shelf"}, driverGround...)

var cryptography = []string{
	"github.com/tink-crypto/tink-go",
	"golang.org/x/crypto",
}

// keyFiles are the libraries that tests hold our key files against.
var keyFiles = []string{
	"github.com/pavlo-v-chernykh/keystore-go",
	"github.com/smallstep/pkcs7",
	"github.com/youmark/pkcs8",
	"software.sslmate.com/src/go-pkcs12",
}

var databases = []string{
	"github.com/jackc/pgx/v5",
	"github.com/pressly/goose/v3",
	"modernc.org/sqlite",
}

// What a test may import besides what its package may. Where two dialects meet, the tests
// of one speak the other too.
var (
	bothDialects = map[string][]string{"internal/api/avx": {"api/tpp"}}

	testPackages  = []string{"coretest", "api/names", "deploy/deploytest", "deploy/all", "ca", "ca/all", "ca/catest", "ca/embedded", "api/wiretest", "api/wirehost"}
	testLibraries = append([]string{
		"github.com/google/go-cmp",
		"github.com/rogpeppe/go-internal",
		"github.com/zmap/zcrypto",
		"github.com/zmap/zlint/v3",
		"go.uber.org/goleak",
		"go.yaml.in/yaml/v3",
		"golang.org/x/tools/txtar",
		"pgregory.net/rapid",
	}, keyFiles...)
)

// TestFloors refuses an import that floors does not name.
func TestFloors(t *testing.T) {
	for _, f := range sources(t) {
		rule, ok := floors[f.pkg]
		if !ok {
			t.Errorf("%s: package %s has no line in floors", f.name, f.pkg)
			continue
		}
		for _, imp := range imports(t, f) {
			if !mayImport(rule, f, imp) {
				t.Errorf("%s: %s must not import %s", f.name, f.pkg, imp)
			}
		}
	}
}

// TestEveryFloorExists refuses a line in floors for which there is no package,
// lest the table become a list of wishes. The packages of later floors appear
// with their first file.
func TestEveryFloorExists(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		seen[f.pkg] = true
	}
	for pkg := range floors {
		if !seen[pkg] && !slices.Contains(planned, pkg) {
			t.Errorf("floors has a line for %s, which has no files", pkg)
		}
	}
}

// planned are packages whose place is settled although nothing is in it yet.
var planned = []string{"internal/web"}

// TestSQLLivesInStore refuses a statement anywhere but in the package that runs
// it. Tests may look into the database.
func TestSQLLivesInStore(t *testing.T) {
	statement := regexp.MustCompile(`\b(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|(CREATE|DROP|ALTER)\s+(TABLE|INDEX|UNIQUE)\s|PRAGMA\s)`)
	for _, f := range sources(t) {
		if f.test || f.pkg == "internal/store" || f.pkg == "internal/coretest" {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if ok && lit.Kind == token.STRING && statement.MatchString(lit.Value) {
				t.Errorf("%s: SQL outside internal/store", f.at(lit))
			}
			return true
		})
	}
}

// TestRulesArePure refuses the clock, chance and the environment in clm: its
// answers depend on its arguments alone.
func TestRulesArePure(t *testing.T) {
	impure := []string{"crypto/rand", "database/sql", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec", "syscall"}
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTicker", "NewTimer", "Sleep", "Tick"}
	for _, f := range sources(t) {
		if f.test || f.pkg != "internal/clm" {
			continue
		}
		for _, imp := range imports(t, f) {
			if slices.Contains(impure, imp) {
				t.Errorf("%s: clm must not import %s", f.name, imp)
			}
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, sel.Sel.Name) {
				t.Errorf("%s: clm must not ask for the time: time.%s", f.at(sel), sel.Sel.Name)
			}
			return true
		})
	}
}

// TestNoInit refuses functions that run before main: what is wired is wired where
// it can be read.
func TestNoInit(t *testing.T) {
	for _, f := range sources(t) {
		for _, d := range f.tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init function", f.at(fn))
			}
		}
	}
}

// TestPackageComments wants every package to say what it is for.
func TestPackageComments(t *testing.T) {
	said := map[string]bool{}
	for _, f := range sources(t) {
		if !f.test {
			said[f.pkg] = said[f.pkg] || f.tree.Doc.Text() != ""
		}
	}
	for pkg, ok := range said {
		if !ok {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// TestFolderNames refuses names that say nothing about what is inside.
func TestFolderNames(t *testing.T) {
	empty := []string{"common", "helpers", "impl", "interfaces", "misc", "models", "pkg", "services", "types", "util", "utils"}
	for _, f := range sources(t) {
		for _, name := range strings.Split(f.pkg, "/") {
			if slices.Contains(empty, name) {
				t.Errorf("%s: a folder is named %q", f.name, name)
			}
		}
	}
}

func mayImport(rule floor, f source, imp string) bool {
	if own, ok := strings.CutPrefix(imp, module+"/"); ok {
		own = strings.TrimPrefix(own, "internal/")
		return matches(rule.ours, own, matchName) ||
			f.test && (matches(testPackages, own, matchName) || slices.Contains(bothDialects[f.pkg], own) || "internal/"+own == f.pkg)
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	return matches(rule.theirs, imp, matchPrefix) || f.test && matches(testLibraries, imp, matchPrefix)
}

func matches(patterns []string, name string, match func(pattern, name string) bool) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return p == "*" || match(p, name) })
}

func matchName(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

func matchPrefix(pattern, name string) bool {
	return name == pattern || strings.HasPrefix(name, pattern+"/")
}

// A source is one parsed Go file of this module.
type source struct {
	name string // its path from the root
	pkg  string // its folder from the root
	test bool
	tree *ast.File
	set  *token.FileSet
}

func (f source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.set.Position(n.Pos()).Line)
}

// sources parses every Go file below the root, but for modules of their own, test
// data and hidden folders. The files are read in this process and not by the go
// command, so that a cached result is thrown away when one of them changes.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(name, d)
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		if filepath.Ext(name) != ".go" || dir == "." {
			return nil
		}
		tree, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{name, dir, strings.HasSuffix(name, "_test.go"), tree, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func skip(name string, d fs.DirEntry) error {
	if name == "." {
		return nil
	}
	if strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func imports(t *testing.T, f source) []string {
	t.Helper()
	var paths []string
	for _, spec := range f.tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}
