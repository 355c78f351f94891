package estate

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/coretest"
)

// export writes the installation into one file.
func export(t testing.TB, r *coretest.Rig, opt ExportOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Export(context.Background(), r.Core, r.Admin, &b, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is exported changes nothing where it came from, and makes the same elsewhere.
func TestExportRoundTrip(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := applied(t, d)
		first := export(t, r, ExportOptions{})
		before := auditLength(t, r)
		if report := apply(t, r, load(t, first), Options{}); len(report.Changes)+len(report.Certificates) > 0 {
			t.Errorf("applied where it came from, the export changes\n%s", strings.Join(report.Changes, "\n"))
		}
		if after := auditLength(t, r); after != before {
			t.Errorf("got %d new audit entries, want none", after-before)
		}
		fresh := coretest.New(t, another(t, d), coretest.Options{})
		change(t, fresh, first)
		if diff := cmp.Diff(first, export(t, fresh, ExportOptions{})); diff != "" {
			t.Errorf("first (-), second (+):\n%s", diff)
		}
		for _, k := range slices.Concat(connectionKeys, storeKeys, serviceKeys, lookKeys) {
			if !strings.Contains(first, " "+k.key+": ") {
				t.Errorf("the export does not say %s by its key", k.key)
			}
		}
		if t.Failed() || os.Getenv("SHOW") != "" {
			t.Log(first)
		}
	})
}

// another is a fresh database of the same kind.
func another(t testing.TB, d coretest.Database) coretest.Database {
	t.Helper()
	if strings.HasPrefix(d.Address, "postgres://") {
		return coretest.Postgres(t)
	}
	return coretest.SQLite(t)
}
