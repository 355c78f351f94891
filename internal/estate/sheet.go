package estate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// ErrTooLarge says that one file cannot hold what is to be written.
var ErrTooLarge = errors.New("one file cannot hold all of it")

// reserve is what files keep free for what is said at their end, in bytes.
const reserve = 4 << 20

// A sheet writes estate files item by item, and begins another where one is full.
type sheet struct {
	out  io.Writer
	next func() (io.Writer, error) // nil: there is only one

	section string
	items   int // of the section in this file
	values  int // in this file
	size    int // of this file
}

// add writes an item into a section. All items of a section come one after another.
func (s *sheet) add(section string, item *yaml.Node) error {
	text, err := indented(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}})
	if err != nil {
		return err
	}
	return s.write(section, text, count(item))
}

// addMapping writes a section that is no list.
func (s *sheet) addMapping(section string, item *yaml.Node) error {
	if len(item.Content) == 0 {
		return nil
	}
	text, err := indented(item)
	if err != nil {
		return err
	}
	return s.write(section, text, count(item))
}

func (s *sheet) write(section string, text []byte, values int) error {
	if section != s.section {
		s.section, s.items = section, 0
	}
	full := ""
	switch {
	case s.items >= MaxItems:
		full = strconv.Itoa(MaxItems) + " " + section
	case s.size+len(text) > MaxSize-reserve:
		full = fmt.Sprintf("%d MiB", (MaxSize-reserve)>>20)
	case s.values+values >= MaxValues:
		full = strconv.Itoa(MaxValues) + " values"
	}
	if full != "" {
		if s.next == nil {
			return fmt.Errorf("%w: there are more than %s", ErrTooLarge, full)
		}
		out, err := s.next()
		if err != nil {
			return err
		}
		*s = sheet{out: out, next: s.next, section: section}
	}
	if s.items == 0 {
		if err := s.print("\n" + section + ":\n"); err != nil {
			return err
		}
	}
	s.items++
	s.values += values
	return s.print(string(text))
}

func (s *sheet) print(text string) error {
	n, err := io.WriteString(s.out, text)
	s.size += n
	return err
}

// count is how many keys and values there are.
func count(n *yaml.Node) int {
	sum := 1
	for _, part := range n.Content {
		sum += count(part)
	}
	return sum
}

// indented is the node as it stands in a section.
func indented(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(n), encoder.Close()); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for line := range bytes.Lines(b.Bytes()) {
		if len(line) > 1 {
			text.WriteString("  ")
		}
		text.Write(line)
	}
	return text.Bytes(), nil
}

// An item is a mapping that is being put together, its keys in their order.
type item struct{ node *yaml.Node }

func newItem() item { return item{&yaml.Node{Kind: yaml.MappingNode}} }

// add adds a key; nothing is added of nothing.
func (i item) add(key string, value *yaml.Node) {
	if value != nil && (value.Kind == yaml.ScalarNode || len(value.Content) > 0) {
		i.node.Content = append(i.node.Content, scalar(key), value)
	}
}

// scalar is a text. A number needs no quotes.
func scalar(s string) *yaml.Node {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && strconv.Itoa(n) == s {
		return integer(n)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// said is a text, unless it is empty.
func said(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	return scalar(s)
}

func boolean(is bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(is)}
}

func integer(n int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(n)}
}

// sequence is a list of texts on one line.
func sequence(values []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range values {
		n.Content = append(n.Content, scalar(v))
	}
	return n
}

// values is a text where there is one, and otherwise a list.
func values(list []string) *yaml.Node {
	if len(list) == 1 {
		return scalar(list[0])
	}
	return sequence(list)
}
