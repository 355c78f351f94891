package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/endpoint"
	"github.com/Venafi/vcert/v5/pkg/verror"
)

// The certificates of the folder Crowd and the one below it: every third is below,
// every twelfth has expired.
const (
	crowdSize    = 120
	crowdExpired = crowdSize / 12
	crowdBelow   = crowdSize / 3
)

func crowdName(i int) string { return fmt.Sprintf("crowd-%03d.example.org", i) }

// fillCrowd imports them, which is the quickest way to have certificates of every age.
func fillCrowd(t *testing.T, a *api) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	names := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range names {
				body := object{"PolicyDN": `\VED\Policy\Crowd`, "CertificateData": base64.StdEncoding.EncodeToString(crowdCert(t, key, i))}
				if i%3 == 0 {
					body["PolicyDN"] = `\VED\Policy\Crowd\Back Row`
				}
				if got, err := a.post("vedsdk/certificates/import", body); err != nil || got.Status != http.StatusOK {
					t.Errorf("import of %s: %v, %v", crowdName(i), got, err)
				}
			}
		})
	}
	for i := range crowdSize {
		names <- i
	}
	close(names)
	wg.Wait()
}

func crowdCert(t *testing.T, key *ecdsa.PrivateKey, i int) []byte {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(i) + 1),
		Subject:      pkix.Name{CommonName: crowdName(i), Organization: []string{"Crowd, Ltd"}},
		DNSNames:     []string{crowdName(i), "crowd.example.org"},
		NotBefore:    time.Now().AddDate(0, -2, 0),
		NotAfter:     time.Now().AddDate(0, 0, 10+i),
	}
	if i%12 == 0 {
		c.NotAfter = time.Now().Add(-time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Error(err)
	}
	return der
}

// TestLibraryListsAndSearches looks through a folder of many with all that the
// library has for it, and page by page.
func TestLibraryListsAndSearches(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c, a := connect(t, s, "alice", "Crowd"), login(t, s, "alice")
		fillCrowd(t, a)
		t.Run("list", func(t *testing.T) {
			few := 25
			for name, tt := range map[string]struct {
				filter endpoint.Filter
				want   int
			}{
				"valid":        {endpoint.Filter{}, crowdSize - crowdExpired},
				"all":          {endpoint.Filter{WithExpired: true}, crowdSize},
				"few":          {endpoint.Filter{Limit: &few}, few},
				"few of all":   {endpoint.Filter{Limit: &few, WithExpired: true}, few},
				"more than is": {endpoint.Filter{Limit: new(10 * crowdSize)}, crowdSize - crowdExpired},
			} {
				list, err := c.ListCertificates(tt.filter)
				if err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for _, info := range list {
					seen[info.ID] = true
					if expired := info.ValidTo.Before(time.Now()); expired && !tt.filter.WithExpired {
						t.Errorf("%s: got %s, which has expired", name, info.CN)
					}
				}
				if len(list) != tt.want || len(seen) != tt.want {
					t.Errorf("%s: got %d certificates, %d of them different, want %d", name, len(list), len(seen), tt.want)
				}
			}
			c := connect(t, s, "alice", `Crowd\Back Row`)
			if list, err := c.ListCertificates(endpoint.Filter{WithExpired: true}); err != nil || len(list) != crowdBelow {
				t.Errorf("folder below: got %d, %v, want %d", len(list), err, crowdBelow)
			}
			if list, err := connect(t, s, "carol", "Crowd").ListCertificates(endpoint.Filter{}); err != nil || len(list) != 0 {
				t.Errorf("stranger: got %d, %v, want none", len(list), err)
			}
		})
		t.Run("pages", func(t *testing.T) { testPages(t, a) })
		t.Run("search by filter", func(t *testing.T) {
			month := url.QueryEscape(time.Now().AddDate(0, 0, 40).Format(time.RFC3339))
			crowd := "ParentDNRecursive=" + url.QueryEscape(`\VED\Policy\Crowd`)
			for _, tt := range []struct {
				filter []string
				want   int
			}{
				{[]string{"CN=" + crowdName(7)}, 1},
				{[]string{"CN=" + crowdName(7) + "," + strings.ToUpper(crowdName(8))}, 2},
				{[]string{crowd, "SAN-DNS=crowd.example.org", "Limit=1"}, crowdSize},
				{[]string{"ParentDN=" + url.QueryEscape(`\ved\policy\crowd`)}, crowdSize - crowdBelow},
				{[]string{crowd, `O=%22Crowd,%20Ltd%22`, "KeyAlgorithm=ECC"}, crowdSize},
				{[]string{crowd, "KeyAlgorithm=RSA"}, 0},
				{[]string{crowd, "IsSelfSigned=1", "ValidToGreater=" + month}, crowdSize - 31 - (crowdExpired - 3)},
				{[]string{crowd, "ValidToLess=" + url.QueryEscape(time.Now().Format(time.RFC3339))}, crowdExpired},
				{[]string{crowd, "Disabled=1"}, 0},
			} {
				request := certificate.SearchRequest(tt.filter)
				if got, err := c.SearchCertificates(&request); err != nil || got.Count != tt.want {
					t.Errorf("%q: got %+v, %v, want %d", tt.filter, got, err, tt.want)
				}
			}
			if _, err := c.SearchCertificates(&certificate.SearchRequest{"IsSelfSigned=perhaps"}); err == nil || !strings.Contains(err.Error(), "Invalid Boolean value") {
				t.Errorf("unreadable filter: got %v, want it refused", err)
			}
		})
		t.Run("search by name", func(t *testing.T) {
			cn, sans := crowdName(7), &certificate.Sans{DNS: []string{crowdName(7), "crowd.example.org"}}
			got, err := c.SearchCertificate("Crowd", cn, sans, time.Hour)
			if err != nil || got.CN != cn || got.Serial != "08" {
				t.Errorf("got %+v, %v, want %s", got, err, cn)
			}
			if _, err := c.SearchCertificate("Crowd", cn, sans, 30*24*time.Hour); !errors.Is(err, verror.NoCertificateFoundError) {
				t.Errorf("too short a life: got %v, want %v", err, verror.NoCertificateFoundError)
			}
			if _, err := c.SearchCertificate("Open", cn, sans, time.Hour); !errors.Is(err, verror.NoCertificateWithMatchingZoneFoundError) {
				t.Errorf("another folder: got %v, want %v", err, verror.NoCertificateWithMatchingZoneFoundError)
			}
		})
	})
}

// testPages follows the links from page to page, and counts.
func testPages(t *testing.T, a *api) {
	query := "vedsdk/certificates?Limit=50&ParentDnRecursive=" + url.QueryEscape(`\VED\Policy\Crowd`)
	count, err := a.do(http.MethodHead, query, nil)
	if err != nil || count.Header.Get("X-Record-Count") != fmt.Sprint(crowdSize) || len(count.Body) != 0 {
		t.Errorf("HEAD: got %v with %v, %v, want a count of %d", count, count.Header, err, crowdSize)
	}
	var names []string
	for pages := 0; query != ""; pages++ {
		got, err := a.get(query)
		if err != nil || got.Header.Get("X-Record-Count") != fmt.Sprint(crowdSize) || pages > 3 {
			t.Fatalf("page %d: %v, %v", pages, got, err)
		}
		var page struct {
			Certificates []struct{ Name string }
			Links        []struct{ Next string } `json:"_links"`
		}
		if err := json.Unmarshal(got.Body, &page); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Certificates {
			names = append(names, c.Name)
		}
		query = ""
		for _, l := range page.Links {
			if l.Next != "" {
				query = strings.TrimPrefix(l.Next, "/")
			}
		}
	}
	slices.Sort(names)
	if all := len(slices.Compact(names)); len(names) != crowdSize || all != crowdSize {
		t.Errorf("got %d names, %d of them different, want %d", len(names), all, crowdSize)
	}
}
