// SPDX-License-Identifier: Apache-2.0

package tnncheck

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// net is the content of a .tnnproto.
type net struct {
	inputs  []blob
	outputs []string
	layers  []layer
}

type blob struct {
	name string
	dims []int
}

type layer struct {
	kind, name      string
	inputs, outputs []string
	params          []string
}

const (
	magic   uint32 = 0xFABC0002
	magicV2 uint32 = 0xFABC0004
	maxLine        = 4095 // bytes; TNN cuts longer lines
)

// isNewer reports whether a file's format is newer than the known ones.
func isNewer(m uint32) bool { return m > magicV2 && m>>16 == magicV2>>16 }

const errNewer = flatbuf.Unsupported("its format is newer than this version reads")

// parse parses the text as TNN does, which removes quotes and line ends and splits the
// rest at commas.
func parse(text string) (*net, error) {
	if strings.ContainsRune(text, 0) {
		return nil, errors.New("the .tnnproto is not text")
	}
	lines := strings.Split(strings.NewReplacer(`"`, "", "\n", "").Replace(text), ",")
	if len(lines) <= 5 {
		return nil, errors.New("the .tnnproto ends too early")
	}
	for i := range lines {
		if len(lines[i]) > maxLine && i != 2 { // TNN does not read line 2, which has the names of all blobs
			return nil, flatbuf.Unsupported(fmt.Sprintf("line %d of the .tnnproto has %d bytes, of which TNN reads %d", i+1, len(lines[i]), maxLine))
		}
		lines[i] = trim(lines[i])
	}
	header := fields(lines[0])
	if len(header) > 3 {
		if m, err := strconv.ParseUint(header[3], 10, 32); err == nil && isNewer(uint32(m)) {
			return nil, errNewer
		}
	}
	if len(header) < 4 || header[3] != fmt.Sprint(magic) && header[3] != fmt.Sprint(magicV2) {
		return nil, errors.New("the .tnnproto does not start with its magic number")
	}
	n := new(net)
	for _, input := range strings.Split(lines[1], ":") {
		b, err := parseInput(fields(trim(input)), header[3] == fmt.Sprint(magicV2))
		if err != nil {
			return nil, err
		}
		n.inputs = append(n.inputs, b)
	}
	n.outputs = fields(lines[3])
	for _, line := range lines[5:] {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' })
		for i, w := range words {
			words[i] = trim(w)
		}
		if len(words) == 0 {
			continue
		}
		l, err := parseLayer(words)
		if err != nil {
			return nil, err
		}
		n.layers = append(n.layers, l)
	}
	if want, err := strconv.Atoi(lines[4]); err != nil || want > len(n.layers) {
		return nil, fmt.Errorf("it has %d layers, want %.20s", len(n.layers), lines[4])
	}
	return n, nil
}

func parseInput(words []string, v2 bool) (blob, error) {
	var dims []int
	for _, w := range words[1:] {
		d, err := strconv.Atoi(w)
		if err != nil {
			return blob{}, fmt.Errorf("input %.100q: %.100q is not a number", words[0], w)
		}
		dims = append(dims, d)
	}
	if v2 { // a count, the dims and the type
		if len(dims) < 3 || dims[0] != len(dims)-2 || dims[len(dims)-1] < 0 {
			return blob{}, fmt.Errorf("input %.100q does not have the given number of dimensions, and a type", words[0])
		}
		dims = dims[1 : len(dims)-1]
	}
	if words[0] == "" || len(dims) == 0 {
		return blob{}, errors.New("an input lacks its name or its shape")
	}
	return blob{words[0], dims}, nil
}

func parseLayer(words []string) (layer, error) {
	if len(words) < 4 {
		return layer{}, fmt.Errorf("layer %.100q ends too early", words[0])
	}
	l := layer{kind: words[0], name: words[1]}
	in, err := strconv.Atoi(words[2])
	out, err2 := strconv.Atoi(words[3])
	if rest := len(words) - 4; err != nil || err2 != nil || in < 1 || out < 1 || in > rest || out > rest-in {
		return layer{}, fmt.Errorf("layer %.100q does not have the given numbers of inputs and outputs", l.name)
	}
	l.inputs, l.outputs, l.params = words[4:4+in], words[4+in:4+in+out], words[4+in+out:]
	return l, nil
}

// fields splits at each space, so that there is an empty word between two spaces.
func fields(line string) []string {
	words := strings.Split(line, " ")
	for i, w := range words {
		words[i] = trim(w)
	}
	return words
}

func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }
