// SPDX-License-Identifier: Apache-2.0

// Package metadata reads texts about a model that exporters put into its file.
package metadata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/anyinfer/anyinfer/common"
)

// Add sets a key to a value, unless one of them is empty or the key is set already. It
// returns all, or a new map if that is nil.
func Add(all map[string]string, key, value string) map[string]string {
	if _, ok := all[key]; ok || key == "" || value == "" {
		return all
	}
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	return all
}

// AddObject adds the members of a JSON object, or of a Python dict as Python prints it.
// A member that is no string is added as the text that it is. AddObject reports whether
// text is such an object.
func AddObject(all map[string]string, text string) (map[string]string, bool) {
	members, ok := parse(text)
	if !ok || text[0] != '{' {
		return all, false
	}
	for _, m := range members {
		all = Add(all, m.key, m.text)
	}
	return all, true
}

// SetLabels sets the labels of outputs that have none: of those that have the shape of a
// classifier's result, with a value for each name in the metadata.
func SetLabels(outputs []common.TensorInfo, all map[string]string) {
	names := Names(all)
	for i := range outputs {
		if out := &outputs[i]; out.Labels == nil && len(names) > 1 && classes(out.Shape) == len(names) {
			out.Labels = names
		}
	}
}

// classes returns the last dimension, or 0 if another one than the first, the batch,
// is not 1: the last one may then be the numbers that describe a box.
func classes(s common.Shape) int {
	if len(s) == 0 {
		return 0
	}
	last := len(s) - 1
	for i, d := range s[:last] {
		if i > 0 && d != 1 {
			return 0
		}
	}
	return s[last]
}

// Names returns the names of classes: those of Ultralytics, a dict from numbers to
// names, or those of OpenVINO's Model API, which spaces separate.
func Names(all map[string]string) []string {
	members, ok := parse(all["names"])
	if !ok {
		return strings.Fields(all["model_info.labels"])
	}
	byNumber := map[int]string{}
	for i, m := range members {
		number, err := strconv.Atoi(m.key)
		if all["names"][0] != '{' {
			number, err = i, nil
		}
		if err != nil {
			return nil
		}
		byNumber[number] = m.text
	}
	list := make([]string, len(byNumber))
	for i := range list {
		if list[i], ok = byNumber[i]; !ok {
			return nil
		}
	}
	return list
}

// member is a member of an object, or an element of an array, which has no key. The text
// of a string is its content, that of any other value its source.
type member struct{ key, text string }

// parse returns the members of an object or array in JSON, or of a dict, list or tuple
// as Python prints it.
func parse(text string) ([]member, bool) {
	if text == "" || len(text) > maxText || !strings.Contains("{[(", text[:1]) {
		return nil, false
	}
	p := parser{rest: text}
	_, members, ok := p.value(0)
	return members, ok && p.peek() == 0
}

type parser struct{ rest string }

// These limits bound what a text from a stranger costs.
const (
	maxText    = 1 << 22 // bytes
	maxNesting = 64
)

// peek skips space and returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.rest = strings.TrimLeft(p.rest, " \t\r\n"); p.rest == "" {
		return 0
	}
	return p.rest[0]
}

// take skips the next byte if it is c.
func (p *parser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// value reads a value. The members are those of an object or array.
func (p *parser) value(depth int) (text string, members []member, ok bool) {
	open := p.peek()
	source := p.rest
	switch open {
	case '"', '\'':
		text, ok = p.quoted()
		return text, nil, ok
	case '{', '[', '(':
		end := map[byte]byte{'{': '}', '[': ']', '(': ')'}[open]
		p.take(open)
		for depth < maxNesting && !p.take(end) {
			var m member
			if m.text, _, ok = p.value(depth + 1); ok && open == '{' {
				if m.key, ok = m.text, p.take(':'); ok {
					m.text, _, ok = p.value(depth + 1)
				}
			}
			if members = append(members, m); !ok || !p.take(',') && p.peek() != end {
				return "", nil, false
			}
		}
		return source[:len(source)-len(p.rest)], members, depth < maxNesting
	}
	n := strings.IndexAny(source, "{}[]()\"':, \t\r\n") // of a number or a word
	if n < 0 {
		n = len(source)
	}
	p.rest = source[n:]
	return source[:n], nil, n > 0
}

// escapes are the characters that a letter stands for after a backslash.
var escapes = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '/': '/', '\\': '\\', '\'': '\'', '"': '"'}

// quoted reads a string.
func (p *parser) quoted() (string, bool) {
	quote := p.rest[0]
	var content []byte
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.rest = p.rest[i+1:]
			return string(content), true
		case c != '\\' || i+1 == len(p.rest):
			content = append(content, c)
		case escapes[p.rest[i+1]] != 0:
			i++
			content = append(content, escapes[p.rest[i]])
		default:
			r, n := number(p.rest[i:])
			if low, m := number(p.rest[i+n:]); utf16.DecodeRune(r, low) != utf8.RuneError { // JSON's two halves
				r, n = utf16.DecodeRune(r, low), n+m
			}
			if n == 0 {
				return "", false
			}
			content = utf8.AppendRune(content, r)
			i += n - 1
		}
	}
	return "", false
}

// number decodes an escape that has a character's number, and returns its length, 0 if
// text begins with no such escape.
func number(text string) (rune, int) {
	if len(text) < 2 || text[0] != '\\' {
		return 0, 0
	}
	n := 2 + map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	if n == 2 || n > len(text) {
		return 0, 0
	}
	r, err := strconv.ParseUint(text[2:n], 16, 32)
	if err != nil || r > math.MaxInt32 {
		return 0, 0
	}
	return rune(r), n
}
