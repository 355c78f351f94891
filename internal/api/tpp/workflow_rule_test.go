package tpp

import (
	"errors"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
)

const (
	standardDriver  = "Venafi.Drivers.WFApplication"
	adaptableDriver = "Venafi.Drivers.AdaptableWFApplication"
	alice           = "local:{933562f6-bad0-4552-ae3f-684ee09b8643}"
	bob             = "local:{0b3bd1e5-3a5a-4d0b-9f7f-7d2d0c0a9b11}"
)

// TestRuleAsWritten has the rules that pytpp writes; they are read and written
// again to the letter.
func TestRuleAsWritten(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       workflowRule
	}{
		{"one approver", "028" + standardDriver + "B-003500C-044" + alice + "007",
			workflowRule{Driver: standardDriver, Stage: 500, Approvers: alice, Reason: 7}},
		{"several approvers", "028" + standardDriver + "B-0010C-089" + alice + "," + bob + "012",
			workflowRule{Driver: standardDriver, Approvers: alice + "," + bob, Reason: 12}},
		{"the object's own approvers", "028" + standardDriver + "B-0041400C-000999",
			workflowRule{Driver: standardDriver, Stage: 1400, Reason: 999}},
		{"a macro", "037" + adaptableDriver + "B-003500C-049$CONFIG[$SELFDN$,'Adaptable Workflow Approvers']$000",
			workflowRule{Driver: adaptableDriver, Stage: 500, Approvers: "$CONFIG[$SELFDN$,'Adaptable Workflow Approvers']$"}},
		{"a class", "028" + standardDriver + "B&003800D-006ApacheC-000001",
			workflowRule{Driver: standardDriver, Stage: 800, Class: "Apache", Reason: 1}},
		{"a class and a command", "028" + standardDriver + "B&0041100D-003PEMB&018systemctl C-007 naC-044" + alice + "001",
			workflowRule{Driver: standardDriver, Stage: 1100, Class: "PEM", Command: "systemctl C-007 na", Approvers: alice, Reason: 1}},
		{"a command without a class", "028" + standardDriver + "B-003800B&004trueC-000001",
			workflowRule{Driver: standardDriver, Stage: 800, Command: "true", Reason: 1}},
		{"characters of several bytes", "028" + standardDriver + "B-003800B&006echo 😀C-003äöü001",
			workflowRule{Driver: standardDriver, Stage: 800, Command: "echo 😀", Approvers: "äöü", Reason: 1}},
		{"the longest text", "028" + standardDriver + "B-003500C-999" + strings.Repeat("1", 999) + "001",
			workflowRule{Driver: standardDriver, Stage: 500, Approvers: strings.Repeat("1", 999), Reason: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := parseRule(c.text); err != nil || got != c.want {
				t.Errorf("got %+v, %v", got, err)
			}
			if got := c.want.String(); got != c.text {
				t.Errorf("wrote %s", got)
			}
		})
	}
}

// TestRuleForgives reads rules that are written otherwise.
func TestRuleForgives(t *testing.T) {
	want := workflowRule{Driver: standardDriver, Stage: 500}
	for name, tail := range map[string]string{
		"class None":               "B&003500D-004NoneC-000000",
		"reason None":              "B-003500C-000None",
		"no reason":                "B-003500C-000",
		"no approvers":             "B-003500000",
		"nothing but the stage":    "B-003500",
		"a reason of one digit":    "B-003500C-0000",
		"a line end":               "B-003500C-000000\r\n",
		"zeros before the stage":   "B-00500500C-000000",
		"a class of no characters": "B&003500D-000C-000000",
		"the other mark":           "B&003500C-000000",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseRule("028" + standardDriver + tail); err != nil || got != want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestRuleRefuses says for the log what is wrong with a rule.
func TestRuleRefuses(t *testing.T) {
	const driver = "028" + standardDriver
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "the rule ends before its driver"},
		{"no length", "Venafi", "the length of the driver in the rule is not a number"},
		{"a signed length", "+03abcB-003500", "the length of the driver in the rule is not a number"},
		{"no driver", "000B-003500C-000001", "the rule has no driver"},
		{"half a driver", "028Venafi", "the rule ends within its driver, which should have 28 characters"},
		{"no stage", driver + "C-000001", "the rule has no stage"},
		{"an empty stage", driver + "B-000C-000001", "the stage in the rule is not a number"},
		{"a word for a stage", driver + "B-004NoneC-000001", "the stage in the rule is not a number"},
		{"a negative stage", driver + "B-002-1C-000001", "the stage in the rule is not a number"},
		{"too few approvers", driver + "B-003500C-044local", "the rule ends within its approvers, which should have 44 characters"},
		{"a word for a reason", driver + "B-003500C-000abc", "the reason in the rule is not a number"},
		{"a reason of four digits", driver + "B-003500C-0001000", "the rule's reason is 1000, not one of 0 to 999"},
		{"too many approvers", workflowRule{Driver: standardDriver, Approvers: strings.Repeat("a", 1000)}.String(),
			"the reason in the rule is not a number, or a text before it has more than 999 characters"},
		{"too long a command", workflowRule{Driver: standardDriver, Command: strings.Repeat("a", 1000)}.String(),
			"the reason in the rule is not a number, or a text before it has more than 999 characters"},
		{"no text", "003a\xffbB-003500", "the driver of the rule is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseRule(c.text)
			if !errors.Is(err, clm.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if got != (workflowRule{}) {
				t.Errorf("got %+v beside an error", got)
			}
		})
	}
}

// TestRuleCheck refuses what could not be read again.
func TestRuleCheck(t *testing.T) {
	long := strings.Repeat("ä", 1000)
	for _, r := range []workflowRule{
		{}, {Driver: long}, {Driver: "x", Class: long}, {Driver: "x", Command: long}, {Driver: "x", Approvers: long},
		{Driver: "x", Stage: -1}, {Driver: "x", Reason: -1}, {Driver: "x", Reason: 1000}, {Driver: "\xff"},
	} {
		if r.check() == nil {
			t.Errorf("%.40s is not refused", r)
		}
	}
	if err := (workflowRule{Driver: "x", Approvers: long[2:]}).check(); err != nil {
		t.Error(err)
	}
}

// FuzzRule must not panic, and must read what it writes.
func FuzzRule(f *testing.F) {
	for _, seed := range []string{
		"028" + standardDriver + "B-003500C-044" + alice + "007",
		"028" + standardDriver + "B&0041100D-004NoneB&003aC-C-000None",
		"001xB&0010B&000C-002äö1", "001xB-0010", "999",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRule(text)
		if err != nil {
			return
		}
		if err := r.check(); err != nil {
			t.Fatalf("%q is read but refused: %v", text, err)
		}
		if again, err := parseRule(r.String()); err != nil || again != r {
			t.Errorf("%q is %+v, read again %+v, %v", text, r, again, err)
		}
	})
}
