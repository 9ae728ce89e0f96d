// SPDX-License-Identifier: Apache-2.0

// Package onnxfile reads ONNX files for the engines that run them: what a file says of
// itself (Describe), the files that it refers to (External), and whether an SDK can be
// trusted with it (Check). It reads no data of tensors.
package onnxfile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// Check returns an Error of kind ErrModel unless each input of a node in the file's
// graphs has a producer, because some releases of an SDK end the process otherwise. It
// does not look at operators, so it accepts unknown ones.
func Check(model []byte) error {
	graph, err := message(model).merged(modelGraph)
	if err == nil && graph == nil {
		err = errNotONNX
	}
	if err == nil {
		err = check(graph, scope{}, 0)
	}
	if err != nil {
		return flatbuf.Refuse(err)
	}
	return nil
}

// Field numbers of onnx.proto.
const (
	modelProducer        = 2
	modelProducerVersion = 3
	modelDomain          = 4
	modelVersion         = 5
	modelDoc             = 6
	modelGraph           = 7
	modelMetadata        = 14
	modelFunctions       = 25

	functionNode = 7

	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphDoc         = 10
	graphInput       = 11
	graphOutput      = 12
	graphSparse      = 15

	nodeInput     = 1
	nodeOutput    = 2
	nodeAttribute = 5

	attributeTensor  = 5
	attributeGraph   = 6
	attributeTensors = 10
	attributeGraphs  = 11

	valueName  = 1
	valueType  = 2
	typeTensor = 1
	typeShape  = 2
	shapeDim   = 1
	dimValue   = 1
	dimParam   = 2

	tensorName     = 8
	tensorExternal = 13
	sparseValues   = 1
	sparseIndices  = 2

	entryKey   = 1
	entryValue = 2
)

// scope has the names defined so far in a graph, and the scope of the outer graph.
type scope struct {
	names map[string]bool
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.names[name] {
			return true
		}
	}
	return false
}

// maxNesting limits the depth of graphs in nodes of graphs. Protocol Buffers' own
// parsers allow 100 nested messages; a graph, a node and an attribute are three.
const maxNesting = 33

func check(graph message, outer scope, depth int) error {
	if depth > maxNesting {
		return flatbuf.Unsupported(fmt.Sprintf("its graphs are nested more than %d deep", maxNesting))
	}
	s := scope{map[string]bool{}, &outer}
	var nodes, outputs []message
	err := graph.each(func(field uint64, m message) error {
		var name message
		var err error
		switch field {
		case graphInput:
			name, err = m.last(valueName)
		case graphInitializer:
			name, err = m.last(tensorName)
		case graphSparse:
			if name, err = m.merged(sparseValues); err == nil {
				name, err = name.last(tensorName)
			}
		case graphNode:
			nodes = append(nodes, m)
			return nil
		case graphOutput:
			outputs = append(outputs, m)
			return nil
		}
		s.names[string(name)] = true
		return err
	})
	if err != nil {
		return err
	}
	for i, n := range nodes {
		if err := s.node(n, depth); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
	}
	for _, o := range outputs {
		name, err := o.last(valueName)
		if err != nil {
			return err
		}
		if !s.has(string(name)) {
			return fmt.Errorf("no node produces the output %q", name)
		}
	}
	return nil
}

// node checks a node, and adds its outputs to the scope.
func (s *scope) node(n message, depth int) error {
	err := n.each(func(field uint64, m message) error {
		switch {
		case field == nodeInput && len(m) > 0 && !s.has(string(m)): // an empty name stands for an omitted input
			return fmt.Errorf("no earlier node produces the input %q", m)
		case field == nodeAttribute:
			return m.each(func(field uint64, g message) error {
				if field == attributeGraph || field == attributeGraphs {
					return check(g, *s, depth+1)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return n.each(func(field uint64, m message) error {
		if field == nodeOutput {
			s.names[string(m)] = true
		}
		return nil
	})
}

// message is a message of Protocol Buffers, or another length-delimited field.
type message []byte

var errNotONNX = errors.New("it is not an ONNX file, or is incomplete")

// each calls f for each length-delimited field.
func (m message) each(f func(field uint64, m message) error) error {
	return m.fields(func(field uint64, kind byte, m message) error {
		if kind != delimited {
			return nil
		}
		return f(field, m)
	})
}

// Kinds of fields.
const (
	varint    = 0
	delimited = 2
)

// fields calls f for each field, with its content.
func (m message) fields(f func(field uint64, kind byte, m message) error) error {
	for len(m) > 0 {
		tag, n := binary.Uvarint(m)
		if n <= 0 {
			return errNotONNX
		}
		m = m[n:]
		length := uint64(0)
		switch tag & 7 {
		case varint:
			_, n := binary.Uvarint(m)
			if n <= 0 {
				return errNotONNX
			}
			length = uint64(n)
		case 1:
			length = 8
		case 5:
			length = 4
		case delimited:
			if length, n = binary.Uvarint(m); n <= 0 {
				return errNotONNX
			}
			m = m[n:]
		default: // such as a group, which ONNX does not have
			return errNotONNX
		}
		if length > uint64(len(m)) {
			return errNotONNX
		}
		if err := f(tag>>3, byte(tag&7), m[:length]); err != nil {
			return err
		}
		m = m[length:]
	}
	return nil
}

// last returns the last field of that number, or nil: of a field that can occur once,
// Protocol Buffers use the last one.
func (m message) last(number uint64) (found message, err error) {
	err = m.each(func(field uint64, m message) error {
		if field == number {
			found = m
		}
		return nil
	})
	return found, err
}

// merged is last for a field that is a message: Protocol Buffers merge several, as if
// their contents were one behind the other.
func (m message) merged(number uint64) (found message, err error) {
	err = m.each(func(field uint64, m message) error {
		switch {
		case field != number:
		case found == nil:
			found = m
		default:
			found = append(found[:len(found):len(found)], m...)
		}
		return nil
	})
	return found, err
}
