package e2e

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/endpoint"
	"github.com/Venafi/vcert/v5/pkg/venafi/tpp"
	"github.com/Venafi/vcert/v5/pkg/verror"
)

// connect makes a connector of the vendor's library for the folder, logged in as
// the user.
func connect(t *testing.T, s *server, user, zone string) *tpp.Connector {
	t.Helper()
	c := connector(t, s, zone)
	if err := c.Ping(); err != nil {
		t.Fatalf("ping: %v", err)
	}
	got, err := c.GetRefreshToken(&endpoint.Authentication{User: user, Password: passwords[user], Scope: "certificate:manage,revoke"})
	if err != nil {
		t.Fatalf("login of %s: %v", user, err)
	}
	tokens.add(got.Access_token, got.Refresh_token)
	// After a ping the library also asks who it is.
	if err := c.Authenticate(&endpoint.Authentication{AccessToken: got.Access_token}); err != nil {
		t.Fatalf("authenticate %s: %v", user, err)
	}
	return c
}

func connector(t *testing.T, s *server, zone string) *tpp.Connector {
	t.Helper()
	pool, err := s.pool()
	if err != nil {
		t.Fatal(err)
	}
	c, err := tpp.NewConnector(s.url, zone, false, pool)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLibraryTokens follows a grant through the library's calls.
func TestLibraryTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connector(t, s, "Shop")
		asked := "configuration:manage;certificate:revoke,manage"
		first, err := c.GetRefreshToken(&endpoint.Authentication{User: "alice", Password: passwords["alice"], Scope: asked})
		if err != nil {
			t.Fatal(err)
		}
		if first.Scope != asked {
			t.Errorf("scope: got %q, want it as asked, %q", first.Scope, asked)
		}
		if !strings.HasSuffix(first.Access_token, "==") || first.Token_type != "Bearer" || first.Refresh_until <= first.Expires {
			t.Errorf("unexpected token: %+v", first)
		}

		second, err := c.RefreshAccessToken(&endpoint.Authentication{RefreshToken: first.Refresh_token})
		if err != nil {
			t.Fatal(err)
		}
		auth := &endpoint.Authentication{AccessToken: second.Access_token}
		about, err := c.VerifyAccessToken(auth)
		if err != nil {
			t.Fatal(err)
		}
		if about.ClientID != "vcert-sdk" || about.Scope != asked || about.ValidFor <= 0 || about.Expires == "" {
			t.Errorf("unexpected description: %+v", about)
		}
		if err := c.RevokeAccessToken(auth); err != nil {
			t.Fatal(err)
		}
		if _, err := c.VerifyAccessToken(auth); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("revoked token: got %v, want 401", err)
		}
		_, err = c.RefreshAccessToken(&endpoint.Authentication{RefreshToken: second.Refresh_token})
		if err == nil || !strings.Contains(err.Error(), "400 Grant has been revoked, has expired, or the refresh token is invalid") {
			t.Errorf("refresh token of a revoked grant: got %v, want 400 and why", err)
		}
	})
}

// TestLibraryRefusesLogin tells a wrong password from a scope out of reach.
func TestLibraryRefusesLogin(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		c := connector(t, s, "Shop")
		for name, tt := range map[string]struct {
			auth endpoint.Authentication
			want string
		}{
			"wrong password":   {endpoint.Authentication{User: "alice", Password: "Wrong-of-the-tests-1"}, "Status: 400"},
			"unknown user":     {endpoint.Authentication{User: "mallory", Password: passwords["alice"]}, "Status: 400"},
			"too wide a scope": {endpoint.Authentication{User: "alice", Password: passwords["alice"], ClientId: "reader", Scope: "certificate:manage"}, "Status: 403 Failed to issue grant: User is not authorized for the requested scope"},
		} {
			if _, err := c.GetRefreshToken(&tt.auth); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %q in it", name, err, tt.want)
			}
		}
		if err := c.Ping(); err != nil { // from here on the library asks who it is
			t.Fatal(err)
		}
		if err := c.Authenticate(&endpoint.Authentication{AccessToken: "bm8gc3VjaCB0b2tlbg=="}); !errors.Is(err, verror.AuthError) {
			t.Errorf("invented token: got %v, want %v", err, verror.AuthError)
		}
	})
}

// TestLibraryReadsZone has the folder's values and rules arrive as the library
// understands them.
func TestLibraryReadsZone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Shop")
		zone, err := c.ReadZoneConfiguration()
		if err != nil {
			t.Fatal(err)
		}
		if zone.Organization != "Acme" || zone.Locality != "Ghent" || zone.Country != "BE" || zone.Province != "" {
			t.Errorf("unexpected values of Shop: %+v", zone)
		}
		policy, err := c.ReadPolicyConfiguration()
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"^Acme$"}; !slices.Equal(policy.SubjectORegexes, want) {
			t.Errorf("organizations of Shop: got %q, want %q", policy.SubjectORegexes, want)
		}
		if want := []string{".*"}; !slices.Equal(policy.SubjectLRegexes, want) {
			t.Errorf("cities of Shop: got %q, want %q", policy.SubjectLRegexes, want)
		}
		if len(policy.SubjectCNRegexes) != 1 || !strings.Contains(policy.SubjectCNRegexes[0], `example\.com`) {
			t.Errorf("common names of Shop: got %q, want those of example.com", policy.SubjectCNRegexes)
		}

		c.SetZone("Curves")
		if zone, err = c.ReadZoneConfiguration(); err != nil {
			t.Fatal(err)
		}
		if k := zone.KeyConfiguration; k == nil || k.KeyType != certificate.KeyTypeECDSA || !slices.Equal(k.KeyCurves, []certificate.EllipticCurve{certificate.EllipticCurveP384}) {
			t.Errorf("keys of Curves: got %+v, want P384", k)
		}
		c.SetZone("Open")
		if zone, err = c.ReadZoneConfiguration(); err != nil {
			t.Fatal(err)
		}
		if k := zone.KeyConfiguration; k == nil || k.KeyType != certificate.KeyTypeRSA || len(k.KeyCurves) != 0 || !slices.Equal(k.KeySizes, []int{2048}) {
			t.Errorf("keys of Open: got %+v, want RSA with 2048 bits and no curve", k)
		}
	})
}

// TestLibraryFindsNoZone reports a folder that is not there, or not for this user,
// in the way that callers test for.
func TestLibraryFindsNoZone(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		for user, zone := range map[string]string{"alice": "Nowhere", "carol": "Shop"} {
			c := connect(t, s, user, zone)
			if _, err := c.ReadZoneConfiguration(); !errors.Is(err, verror.ZoneNotFoundError) {
				t.Errorf("zone configuration of %s for %s: got %v, want %v", zone, user, err, verror.ZoneNotFoundError)
			}
			if _, err := c.ReadPolicyConfiguration(); !errors.Is(err, verror.ZoneNotFoundError) {
				t.Errorf("policy of %s for %s: got %v, want %v", zone, user, err, verror.ZoneNotFoundError)
			}
		}
	})
}
