package look

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// How much a service may say before TLS begins.
const (
	maxLine  = 4096 // octets, also of a message in LDAP
	maxLines = 200
)

// starts are the ways up to where TLS begins. An error goes on from the address.
var starts = map[string]func(*talk) error{
	TLS:      func(*talk) error { return nil },
	SMTP:     inText(step{"", "220", endsReply}, step{"EHLO {us}", "250", endsReply}, step{"STARTTLS", "220", endsReply}),
	FTP:      inText(step{"", "220", endsReply}, step{"AUTH TLS", "234", endsReply}),
	IMAP:     inText(step{"", "* OK", isAnyLine}, step{"a STARTTLS", "a OK", isTagged}),
	POP3:     inText(step{"", "+OK", isAnyLine}, step{"STLS", "+OK", isAnyLine}),
	LDAP:     startLDAP,
	Postgres: startPostgres,
}

// errMuch and the others are what may be wrong with a service on the way.
var (
	errMuch = errors.New("talks too much")
	errGone = errors.New("hangs up")
	errOn   = errors.New("talks on where TLS begins")
)

// A talk is a connection before TLS begins.
type talk struct {
	net.Conn
	protocol string
	in       *bufio.Reader
	lines    int // that the service may say yet
}

func newTalk(conn net.Conn, protocol string) *talk {
	return &talk{conn, protocol, bufio.NewReaderSize(conn, maxLine), maxLines}
}

// A step is a line that is said, none where it is empty, and what is waited for.
type step struct {
	say    string
	want   string                        // how the last line of the answer begins
	isLast func(first, line string) bool // whether it is that, the first of the answer being first
}

// inText makes the way through a protocol of lines. The last step asks for TLS.
func inText(steps ...step) func(*talk) error {
	return func(t *talk) error {
		for i, step := range steps {
			if err := t.say(step.say); err != nil {
				return err
			}
			said, err := t.answer(step.isLast)
			switch {
			case err != nil:
				return err
			case hasPrefix(said, step.want):
			case i < len(steps)-1:
				return t.foreign(said)
			default:
				return fmt.Errorf("does not offer STARTTLS: it says %s", quote(said))
			}
		}
		return t.end()
	}
}

// endsReply is for numbers with text: as many lines as there are, up to the one
// that has the number of the first with no hyphen after it (RFC 959, section 4.2,
// and RFC 5321, section 4.2.1).
func endsReply(first, line string) bool {
	if len(first) < 4 || first[3] != '-' {
		return true
	}
	return len(line) >= 3 && line[:3] == first[:3] && (len(line) == 3 || line[3] == ' ')
}

// isTagged is for IMAP, where an asterisk marks what is not in answer to us.
func isTagged(_, line string) bool { return !strings.HasPrefix(line, "* ") }

func isAnyLine(_, _ string) bool { return true }

// say sends a line. {us} in it becomes our address, as RFC 5321, section 4.1.3 has it.
func (t *talk) say(line string) error {
	if line == "" {
		return nil
	}
	if us, ok := t.LocalAddr().(*net.TCPAddr); ok {
		literal := "[" + us.IP.String() + "]"
		if us.IP.To4() == nil {
			literal = "[IPv6:" + us.IP.String() + "]"
		}
		line = strings.ReplaceAll(line, "{us}", literal)
	}
	return t.send([]byte(line + "\r\n"))
}

func (t *talk) send(message []byte) error {
	_, err := t.Write(message)
	return gone(err)
}

// answer reads the lines of one answer and returns the last of them.
func (t *talk) answer(isLast func(first, line string) bool) (string, error) {
	first := ""
	for ; t.lines > 0; t.lines-- {
		line, err := t.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return "", errMuch
		case err != nil:
			return "", gone(err)
		}
		said := strings.TrimRight(string(line), "\r\n")
		if first == "" {
			first = said
		}
		if isLast(first, said) {
			return said, nil
		}
	}
	return "", errMuch
}

// end is where TLS begins. What a service says in between could be anybody's.
func (t *talk) end() error {
	if t.in.Buffered() > 0 {
		return errOn
	}
	return nil
}

func (t *talk) foreign(said string) error {
	return fmt.Errorf("does not speak %s: it says %s", t.protocol, quote(said))
}

// startTLS is the extended operation 1.3.6.1.4.1.1466.20037 in message 1.
var startTLS = []byte("\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037")

// startLDAP asks for TLS and reads the ExtendedResponse (RFC 4511, section 4.12).
func startLDAP(t *talk) error {
	if err := t.send(startTLS); err != nil {
		return err
	}
	kind, message, err := readBER(t.in)
	if err != nil {
		return err
	}
	in := strings.NewReader(string(message))
	if number, id, err := readBER(in); err != nil || kind != 0x30 || number != 0x02 || string(id) != "\x01" {
		return t.foreign(string(message))
	}
	kind, response, err := readBER(in)
	if err != nil || kind != 0x78 {
		return t.foreign(string(message))
	}
	kind, result, err := readBER(strings.NewReader(string(response)))
	if err != nil || kind != 0x0a || len(result) != 1 {
		return t.foreign(string(message))
	}
	if result[0] != 0 {
		return fmt.Errorf("does not offer STARTTLS: it says result %d", result[0])
	}
	return t.end()
}

// A stream is read octet by octet and in parts.
type stream interface {
	io.Reader
	io.ByteReader
}

// readBER reads one value with its tag. Its length may be written in more octets
// than it needs, as some directories do, which encoding/asn1 would not take.
func readBER(in stream) (kind byte, value []byte, err error) {
	kind, err = in.ReadByte()
	if err != nil {
		return 0, nil, gone(err)
	}
	first, err := in.ReadByte()
	if err != nil {
		return 0, nil, gone(err)
	}
	length := uint64(first)
	if first >= 0x80 {
		length = 0
		for range first & 0x7f {
			next, err := in.ReadByte()
			if err != nil {
				return 0, nil, gone(err)
			}
			if length = length<<8 | uint64(next); length > maxLine {
				return 0, nil, errMuch
			}
		}
	}
	value = make([]byte, length)
	_, err = io.ReadFull(in, value)
	return kind, value, gone(err)
}

// startPostgres sends an SSLRequest, to which the answer is one letter (PostgreSQL,
// chapter "Frontend/Backend Protocol", "SSL Session Encryption").
func startPostgres(t *talk) error {
	request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), 80877103)
	if err := t.send(request); err != nil {
		return err
	}
	answer, err := t.in.ReadByte()
	switch {
	case err != nil:
		return gone(err)
	case answer == 'N', answer == 'E':
		return errors.New("does not offer TLS")
	case answer != 'S':
		return t.foreign(string(answer))
	}
	return t.end()
}

// gone says that the service hung up, where that is why reading or writing failed.
func gone(err error) error {
	if isGone(err) {
		return errGone
	}
	return err
}

// isGone reports whether the service hung up, in whatever way.
func isGone(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// hasPrefix is for words that may be written in any case.
func hasPrefix(s, word string) bool {
	return len(s) >= len(word) && strings.EqualFold(s[:len(word)], word)
}

// quote is the beginning of what a service has said, with nothing in it that could
// do harm where it is printed.
func quote(said string) string {
	const enough = 120
	if len(said) > enough {
		said = said[:enough] + "…"
	}
	return fmt.Sprintf("%q", said)
}
