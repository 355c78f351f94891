package core_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// recordNamed is the record that the reference names, which must be there.
func recordNamed(t testing.TB, r *coretest.Rig, id string) core.Record {
	t.Helper()
	rec, err := r.Record(context.Background(), r.Admin, core.RecordRef{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// Every version has a record of its own, which is found by both its names again, and by
// none that is much like it.
func TestRecordsAreFoundByTheirNames(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{})
		first := request(t, r, core.DefaultZone, "www.example.com")
		done, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(first.Place.DN)})
		if err != nil {
			t.Fatal(err)
		}
		second := await(t, r, done)
		if done.Record != core.RecordID(second.Version) || done.Record == core.RecordID(first.Version) {
			t.Errorf("got record %s for version %d", done.Record, second.Version.ID)
		}
		for _, v := range []clm.Version{first.Version, second.Version} {
			id, uuid := core.RecordID(v), core.RecordUUID(v)
			if len(id) != 24 || strings.Trim(id, "0123456789abcdef") != "" || len(uuid) != 36 {
				t.Errorf("got %s and %s", id, uuid)
			}
			for _, spelling := range []string{id, strings.ToUpper(id), " " + id + " "} {
				if rec := recordNamed(t, r, spelling); rec.Version.ID != v.ID || rec.UUID != uuid || rec.State != core.RecordIssued {
					t.Errorf("%q: got version %d, want %d", spelling, rec.Version.ID, v.ID)
				}
			}
			rec, err := r.RecordByUUID(ctx, r.Admin, strings.ToUpper(uuid))
			if err != nil || rec.ID != id || rec.IsCurrent() != (v.ID == second.Version.ID) {
				t.Errorf("got %+v, %v", rec, err)
			}
			for i := range id {
				other := []byte(id)
				other[i] = map[bool]byte{true: '1', false: '0'}[other[i] == '0']
				if _, err := r.Record(ctx, r.Admin, core.RecordRef{ID: string(other)}); !errors.Is(err, clm.NotFound) {
					t.Errorf("%s is found by %s: %v", id, other, err)
				}
			}
			for i := range uuid {
				other := []byte(uuid)
				other[i] = map[bool]byte{true: '1', false: '0'}[other[i] == '0']
				if _, err := r.RecordByUUID(ctx, r.Admin, string(other)); !errors.Is(err, clm.NotFound) {
					t.Errorf("%s is found by %s: %v", uuid, other, err)
				}
			}
		}
	})
}

// A record is found by what names it, and by nothing that is not true of it.
func TestRecordRefs(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{})
		www := request(t, r, core.DefaultZone, "www.example.com").Version
		shop := request(t, r, core.DefaultZone, "shop.example.com").Version
		id := core.RecordID(www)
		for _, c := range []struct {
			name  string
			ref   core.RecordRef
			found bool
			want  error
			field string
		}{
			{"its ID", core.RecordRef{ID: id}, true, nil, ""},
			{"all of it", core.RecordRef{ID: id, CommonName: "WWW.example.com", Serial: strings.ToLower(www.Serial)}, true, nil, ""},
			{"its ID and another's serial number", core.RecordRef{ID: id, Serial: shop.Serial}, false, clm.NotFound, ""},
			{"its ID and another's name", core.RecordRef{ID: id, CommonName: "shop.example.com"}, false, clm.NotFound, ""},
			{"its ID and no serial number", core.RecordRef{ID: id, Serial: "none"}, false, clm.NotFound, ""},
			{"its ID alone, whatever else is said", core.RecordRef{ID: id, Serial: "none", CommonName: "x", IDAlone: true}, true, nil, ""},
			{"name and serial number", core.RecordRef{CommonName: "www.example.com", Serial: www.Serial}, true, nil, ""},
			{"with zeros in front", core.RecordRef{CommonName: "www.example.com", Serial: "0x00:00-" + www.Serial}, true, nil, ""},
			{"name and another's serial number", core.RecordRef{CommonName: "www.example.com", Serial: shop.Serial}, false, clm.NotFound, ""},
			{"name and what is no number", core.RecordRef{CommonName: "www.example.com", Serial: "12x"}, false, clm.NotFound, ""},
			{"name and a negative number", core.RecordRef{CommonName: "www.example.com", Serial: "0x-1"}, false, clm.NotFound, ""},
			{"a name", core.RecordRef{CommonName: "www.example.com"}, false, clm.Invalid, "record"},
			{"a serial number", core.RecordRef{Serial: www.Serial}, false, clm.Invalid, "record"},
			{"nothing", core.RecordRef{}, false, clm.Invalid, "record"},
		} {
			rec, err := r.Record(ctx, r.Admin, c.ref)
			if !errors.Is(err, c.want) || err != nil && clm.AsError(err).Field != c.field || (rec.Version.ID == www.ID) != c.found {
				t.Errorf("%s: got version %d, %v", c.name, rec.Version.ID, err)
			}
		}
	})
}

// A certificate keeps the ID that its record had elsewhere. No other can have it, and what
// is none is refused.
func TestImportKeepsRecords(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{Idle: true})
		const id = "5f5641a7e74e187a7e3d5266"
		one, other := foreignLeaf(t, "www.example.com", time.Hour, nil), foreignLeaf(t, "shop.example.com", time.Hour, nil)
		done := take(t, r, core.Import{Certificate: bundle(one), Record: " 5F5641A7E74E187A7E3D5266 "})
		if rec := recordNamed(t, r, id); rec.Version.ID != done.Version || rec.ID != id {
			t.Errorf("got %s of version %d", rec.ID, rec.Version.ID)
		}
		again := take(t, r, core.Import{Certificate: bundle(one), Name: done.DN.Name(), Record: id})
		if again.Version != done.Version {
			t.Error("it is there twice")
		}
		computed := core.RecordID(recordNamed(t, r, id).Version)
		if computed != id {
			t.Errorf("the version's record is %s", computed)
		}
		plain := take(t, r, core.Import{Certificate: bundle(other)})
		own, err := r.RecordByUUID(ctx, r.Admin, core.RecordUUID(versionOf(t, r, plain)))
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			i    core.Import
			want clm.Kind
		}{
			"another certificate":          {core.Import{Certificate: bundle(foreignLeaf(t, "x.example.com", time.Hour, nil)), Record: id}, clm.Exists},
			"a record of ours":             {core.Import{Certificate: bundle(foreignLeaf(t, "y.example.com", time.Hour, nil)), Record: own.ID}, clm.Exists},
			"one that is here already":     {core.Import{Certificate: bundle(other), Name: plain.DN.Name(), Record: "5f5641a7e74e187a7e3d5267"}, clm.Exists},
			"what is too short":            {core.Import{Certificate: bundle(foreignLeaf(t, "z.example.com", time.Hour, nil)), Record: "5f56"}, clm.Invalid},
			"what is not made of digits":   {core.Import{Certificate: bundle(foreignLeaf(t, "z.example.com", time.Hour, nil)), Record: "5f5641a7e74e187a7e3d526x"}, clm.Invalid},
			"its own, which it had before": {core.Import{Certificate: bundle(other), Name: plain.DN.Name(), Record: own.ID}, 0},
		} {
			c.i.Folder = core.DefaultZone
			_, err := r.Import(ctx, r.Admin, c.i)
			if c.want == 0 && err == nil {
				continue
			}
			if !errors.Is(err, c.want) || clm.AsError(err).Field != "record" {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

func versionOf(t testing.TB, r *coretest.Rig, done core.Imported) clm.Version {
	t.Helper()
	return inUse(t, r, done.DN).Version
}
