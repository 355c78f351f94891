package store

import "strings"

// storable is the text without what PostgreSQL does not keep: zero bytes, and what is not
// UTF-8.
func storable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
}

// stored are the values of a statement with every text storable: what is written and what
// is looked for are changed alike.
func stored(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = storable(text)
		}
	}
	return args
}

// oneLine is the text in lower case, with blanks for what parts texts from one another.
func oneLine(s string) string {
	return lineParts.Replace(storable(strings.ToLower(s)))
}

var lineParts = strings.NewReplacer("\n", " ", "\t", " ")

// maxKey is how many bytes of a text an index of records has: PostgreSQL takes no row of
// more than a third of a page. What is longer is looked for by its beginning, and then
// compared.
const maxKey = 512

// keyOf is what an index of records has of the text.
func keyOf(s string) string {
	s = storable(strings.ToLower(s))
	if len(s) > maxKey {
		s = strings.ToValidUTF8(s[:maxKey], "")
	}
	return s
}
