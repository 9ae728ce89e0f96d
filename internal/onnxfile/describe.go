// SPDX-License-Identifier: Apache-2.0

package onnxfile

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
	"github.com/anyinfer/anyinfer/internal/metadata"
)

// Description is what a file says of its model.
type Description struct {
	Metadata map[string]string // as in common.ModelInfo; or nil
	Inputs   []Input           // of the graph, without its initializers
}

// Input is an input of the graph.
type Input struct {
	Name string
	Dims []Dim // nil: the file has no shape, or the input is not a tensor
}

// Dim is a dimension. It is fixed, or has a name, or neither.
type Dim struct {
	Value int64  // -1: it is not fixed
	Param string // its name (dim_param), which it may share with other dimensions; or ""
}

// These are sanity limits: they bound the memory that a description takes.
const (
	maxMetadata = 1 << 16 // entries
	maxInputs   = 1 << 16
	maxRank     = 64
)

// Describe returns the description of a file. The error is of kind ErrModel.
func Describe(model []byte) (d Description, err error) {
	if err := d.read(model); err != nil {
		return Description{}, flatbuf.Refuse(err)
	}
	return d, nil
}

func (d *Description) read(model message) error {
	var producer, release, domain, version, doc message
	graph, err := model.merged(modelGraph)
	if err != nil {
		return err
	}
	err = model.fields(func(field uint64, kind byte, m message) error {
		switch {
		case kind == varint && field == modelVersion:
			version = m
		case kind != delimited:
		case field == modelMetadata:
			return d.entry(m)
		case field == modelProducer:
			producer = m
		case field == modelProducerVersion:
			release = m
		case field == modelDomain:
			domain = m
		case field == modelDoc:
			doc = m
		}
		return nil
	})
	if err == nil && graph == nil {
		err = errNotONNX
	}
	if err != nil {
		return err
	}
	name, err := graph.last(graphName)
	if err != nil {
		return err
	}
	if len(doc) == 0 {
		if doc, err = graph.last(graphDoc); err != nil {
			return err
		}
	}
	d.add("name", string(name))
	d.add("description", string(doc))
	d.add("domain", string(domain))
	d.add("producer", strings.TrimSpace(string(producer)+" "+string(release)))
	if n, _ := binary.Uvarint(version); n != 0 {
		d.add("version", strconv.FormatInt(int64(n), 10))
	}
	return d.readInputs(graph)
}

// entry adds an entry of metadata_props. The first of a key counts.
func (d *Description) entry(m message) error {
	key, err := m.last(entryKey)
	if err != nil {
		return err
	}
	value, err := m.last(entryValue)
	if err != nil {
		return err
	}
	if d.add(string(key), string(value)); len(d.Metadata) > maxMetadata {
		return flatbuf.Unsupported(fmt.Sprintf("it has more than %d entries of metadata", maxMetadata))
	}
	return nil
}

func (d *Description) add(key, value string) { d.Metadata = metadata.Add(d.Metadata, key, value) }

func (d *Description) readInputs(graph message) error {
	err := graph.each(func(field uint64, m message) error {
		if field != graphInput {
			return nil
		}
		if len(d.Inputs) == maxInputs {
			return flatbuf.Unsupported(fmt.Sprintf("it has more than %d inputs", maxInputs))
		}
		name, err := m.last(valueName)
		if err != nil {
			return err
		}
		dims, err := dims(m)
		d.Inputs = append(d.Inputs, Input{string(name), dims})
		return err
	})
	if err != nil {
		return err
	}
	index := map[string]bool{} // whether an input is an initializer, too
	for _, in := range d.Inputs {
		index[in.Name] = false
	}
	err = graph.each(func(field uint64, m message) (err error) {
		if field == graphSparse {
			m, err = m.merged(sparseValues)
		} else if field != graphInitializer {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := m.last(tensorName)
		if _, ok := index[string(name)]; ok {
			index[string(name)] = true
		}
		return err
	})
	d.Inputs = slices.DeleteFunc(d.Inputs, func(in Input) bool { return index[in.Name] })
	return err
}

// dims returns the dimensions of an input.
func dims(value message) ([]Dim, error) {
	shape := value
	for _, field := range []uint64{valueType, typeTensor, typeShape} {
		var err error
		if shape, err = shape.merged(field); shape == nil || err != nil {
			return nil, err
		}
	}
	all := []Dim{}
	err := shape.each(func(field uint64, m message) error {
		if field != shapeDim {
			return nil
		}
		if len(all) == maxRank {
			return flatbuf.Unsupported(fmt.Sprintf("an input has more than %d dimensions", maxRank))
		}
		d := Dim{Value: -1}
		err := m.fields(func(field uint64, kind byte, m message) error {
			switch {
			case field == dimValue && kind == varint:
				n, _ := binary.Uvarint(m)
				d = Dim{Value: max(int64(n), -1)}
			case field == dimParam && kind == delimited:
				d = Dim{Value: -1, Param: string(m)}
			}
			return nil
		})
		all = append(all, d)
		return err
	})
	return all, err
}
