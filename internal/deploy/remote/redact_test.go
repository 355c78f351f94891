package remote

import (
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/certwright/certwright/internal/secret"
)

// What is kept of an output holds no secret, in whole or as far as it can be known.
func TestRedact(t *testing.T) {
	const begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
	for _, c := range []struct {
		name    string
		text    string
		secrets []string
		want    string
	}{
		{"nothing to hide", "syntax is ok\n\ttest is successful\n", nil, "syntax is ok\n\ttest is successful\n"},
		{"a secret, twice", "pass hunter2, hunter2!", []string{"hunter2"}, "pass [secret], [secret]!"},
		{"one in another", "abcdefgh abcd", []string{"abcd", "abcdefgh"}, "[secret] [secret]"},
		{"one too short to be told from others", "a bc def", []string{"", "a", "bc", "def"}, "a bc def"},
		{"one of four", "a bc defg", []string{"defg"}, "a bc [secret]"},
		{"one with controls between", "hun\x00ter\x1b2", []string{"hunter2"}, "[secret]"},
		{"one with controls in it", "is h\x01nter2 is", []string{"h\x01nter2"}, "is [secret] is"},
		{"one of more lines", "x\nab\ncd\ny", []string{"ab\ncd"}, "x\n[secret]\ny"},
		{"controls and what is no text", "a\r\n\x1b[31mred\x7f\u0085\u202eb\xffc", nil, "a\n[31mredb\uFFFDc"},
		{"a key", "before\n" + begin + "\nMIIE\nabc=\n" + end + "\nafter", nil, "before\n[secret]\nafter"},
		{"two keys", begin + "x" + end + " and " + begin + "y" + end, nil, "[secret] and [secret]"},
		{"a key of SSH, encrypted, on one line", `"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"`, nil, `"[secret]"`},
		{"a key with headers", begin + "\nProc-Type: 4,ENCRYPTED\n\nabc\n" + end, nil, "[secret]"},
		{"the beginning of a key", "x " + begin + "\nabc\ndef", nil, "x [secret]"},
		{"the end of a key", "x:\nabc/+\ndef==\n" + end + "\ny", nil, "x:[secret]\ny"},
		{"a certificate is no secret", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", nil, "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"},
	} {
		var secrets []secret.Plain
		for _, s := range c.secrets {
			secrets = append(secrets, secret.NewString(s))
		}
		if got := Redact(c.text, secrets...); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}

	long := Redact("first" + strings.Repeat("é", MaxSaid) + "last")
	if len(long) > MaxSaid || len(long) < MaxSaid-10 || !strings.HasPrefix(long, "first") || !strings.HasSuffix(long, "last") || strings.ToValidUTF8(long, "?") != long {
		t.Errorf("got %d bytes: %.20q", len(long), long)
	}
}

// A shell reads every argument as it is.
func TestQuote(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	nasty := rapid.OneOf(rapid.SampledFrom([]byte(`'"\$!*?~;&|<>(){}[]#=%- `+"`\t\r")), rapid.ByteRange(1, 255))
	rapid.Check(t, func(r *rapid.T) {
		args := []string{"printf", `%s\0`}
		for _, arg := range rapid.SliceOfN(rapid.SliceOf(nasty), 1, 8).Draw(r, "args") {
			args = append(args, strings.ReplaceAll(string(arg), "\n", "'"))
		}
		said, err := exec.Command(sh, "-c", quote(args)).CombinedOutput()
		if want := strings.Join(args[2:], "\x00") + "\x00"; err != nil || string(said) != want {
			r.Fatalf("got %q, %v, want %q", said, err, want)
		}
	})
}

// Whatever pieces an output comes in, its beginning and end are kept.
func TestClipped(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var c clipped
		var all strings.Builder
		for _, n := range rapid.SliceOf(rapid.IntRange(0, MaxOutput)).Draw(r, "pieces") {
			piece := strings.Repeat(string(rune('a'+all.Len()%26)), n)
			all.WriteString(piece)
			if wrote, err := c.Write([]byte(piece)); wrote != n || err != nil {
				r.Fatalf("wrote %d, %v", wrote, err)
			}
		}
		want := all.String()
		if len(want) > 2*half {
			want = want[:half] + gap + want[len(want)-half:]
		}
		if got := c.String(); got != want || len(got) > MaxOutput {
			r.Fatalf("got %d bytes, want %d", len(got), len(want))
		}
	})
}
