package tpp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
)

// workflowRule is what a workflow does, as the blob that its Rule Vault Id names
// says it:
//
//	028Venafi.Drivers.WFApplicationB-003500C-044local:{…}007
//
// These are the driver, the stage, the approvers and the reason, every text with
// its length in three digits before it. The form is the one that pytpp writes.
type workflowRule struct {
	Driver    string // a class of the vendor's
	Stage     int    // the stage that the workflow holds up
	Class     string // the class of the applications that it is for; empty for all objects
	Command   string // what to run on the application's device; empty for nothing
	Approvers string // prefixed universals with commas between them, or a macro; empty for the object's own
	Reason    int    // the code of the reason that approvers read; 0 for none
}

// Limits of what three digits can say.
const (
	maxRuleText = 999 // characters of one text
	maxReason   = 999
)

// The marks before the texts of a rule. A stage that has a class behind it bears
// the mark of a command.
const (
	markStage     = "B-"
	markCommand   = "B&"
	markClass     = "D-"
	markApprovers = "C-"
)

// pythonNone is what pytpp writes for a class or a reason that it was not given.
const pythonNone = "None"

// String writes the rule to the letter as pytpp does. What check refuses is written
// all the same, but cannot be read again.
func (r workflowRule) String() string {
	var b strings.Builder
	write := func(mark, text string) {
		fmt.Fprintf(&b, "%s%03d%s", mark, utf8.RuneCountInString(text), text)
	}
	write("", r.Driver)
	if r.Class == "" {
		write(markStage, strconv.Itoa(r.Stage))
	} else {
		write(markCommand, strconv.Itoa(r.Stage))
		write(markClass, r.Class)
	}
	if r.Command != "" {
		write(markCommand, r.Command)
	}
	write(markApprovers, r.Approvers)
	fmt.Fprintf(&b, "%03d", r.Reason)
	return b.String()
}

// check says in words, for the log, why r cannot be written so that it can be read
// again.
func (r workflowRule) check() error {
	for _, part := range []struct{ name, text string }{
		{"driver", r.Driver}, {"class", r.Class}, {"command", r.Command}, {"approvers", r.Approvers},
	} {
		if n := utf8.RuneCountInString(part.text); n > maxRuleText {
			return fmt.Errorf("the %s of the rule has %d characters, more than %d", part.name, n, maxRuleText)
		}
		if !utf8.ValidString(part.text) {
			return fmt.Errorf("the %s of the rule is not UTF-8", part.name)
		}
	}
	switch {
	case r.Driver == "":
		return errors.New("the rule has no driver")
	case r.Stage < 0:
		return fmt.Errorf("the rule's stage is %d", r.Stage)
	case r.Reason < 0 || r.Reason > maxReason:
		return fmt.Errorf("the rule's reason is %d, not one of 0 to %d", r.Reason, maxReason)
	}
	return nil
}

// parseRule reads a rule. Only the driver and the stage must be there; the reason
// may have any number of digits. It fails with Invalid, whose cause says in words,
// for the log, what is wrong. Among the causes is a text of more than maxRuleText
// characters: its length has a digit too many, which reads as part of the text.
func parseRule(text string) (workflowRule, error) {
	in := ruleReader{rest: text}
	r := in.rule()
	if in.err == nil {
		in.err = r.check()
	}
	if in.err != nil {
		return workflowRule{}, &clm.Error{Kind: clm.Invalid, Field: "rule", Err: in.err}
	}
	return r, nil
}

// ruleReader takes a rule apart from its beginning. After the first error it only
// goes through the motions.
type ruleReader struct {
	rest string
	err  error
}

func (in *ruleReader) rule() (r workflowRule) {
	r.Driver = in.text("driver")
	if !in.mark(markStage) && !in.mark(markCommand) {
		in.fail("the rule has no stage")
	}
	r.Stage = in.number("stage", in.text("stage"))
	if in.mark(markClass) {
		r.Class = in.text("class")
	}
	if r.Class == pythonNone {
		r.Class = ""
	}
	if in.mark(markCommand) {
		r.Command = in.text("command")
	}
	if in.mark(markApprovers) {
		r.Approvers = in.text("approvers")
	}
	if reason := strings.TrimSpace(in.rest); reason != "" && reason != pythonNone {
		r.Reason = in.number("reason", reason)
	}
	return r
}

// mark takes the mark if it is next.
func (in *ruleReader) mark(mark string) (found bool) {
	in.rest, found = strings.CutPrefix(in.rest, mark)
	return found
}

// text takes three digits and as many characters as they say.
func (in *ruleReader) text(name string) string {
	length := in.rest[:min(3, len(in.rest))]
	if len(length) < 3 {
		in.fail("the rule ends before its %s", name)
		return ""
	}
	n := in.number("length of the "+name, length)
	in.rest = in.rest[3:]
	end := 0
	for range n {
		if end == len(in.rest) {
			in.fail("the rule ends within its %s, which should have %d characters", name, n)
			return ""
		}
		_, size := utf8.DecodeRuneInString(in.rest[end:])
		end += size
	}
	text := in.rest[:end]
	in.rest = in.rest[end:]
	return text
}

func (in *ruleReader) number(name, digits string) int {
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		in.fail("the %s in the rule is not a number, or a text before it has more than %d characters", name, maxRuleText)
	}
	return int(n)
}

func (in *ruleReader) fail(format string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf(format, args...)
	}
}
