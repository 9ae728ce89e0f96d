// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"math"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
)

// Model describes a file.
type Model struct {
	Signatures []Signature       // the first subgraph's come first
	Metadata   map[string]string // see common.ModelInfo; or nil

	Variables                    bool // the file has variable tensors, which keep their content from run to run
	VariablesOutsideMainSubgraph bool // some of them are not in the first subgraph
	Resources                    bool // the file has resource variables, which have names

	// DynamicQuantization reports whether an operator has a float32 input and weights of 8 or 4 bits, and so quantizes
	// the input in each run.
	DynamicQuantization bool
	// ComparesScaleOne reports whether an operator compares quantized tensors, of which one has a scale of exactly 1. In
	// TFLite 2.17 and LiteRT 2.3 its kernel ends the process, also when the model is valid.
	ComparesScaleOne bool
}

// CommonSignatures returns the signatures as package common's type.
func (m *Model) CommonSignatures() (all []common.Signature) {
	for _, s := range m.Signatures {
		all = append(all, s.Signature)
	}
	return all
}

// State returns ModelInfo.State.
func (m *Model) State() common.State {
	if m.Variables || m.Resources {
		return common.Stateful
	}
	return common.Stateless
}

// Signature is a signature of the file, or its first subgraph if it has none.
//
// Inputs and outputs are in the subgraph's order and have the signature's names. Shapes are the file's until
// Model.SetShapes, with -1 for a dynamic dimension.
type Signature struct {
	common.Signature
	Subgraph int
	// In and Out are the indices of Inputs and Outputs in the subgraph's lists.
	In, Out []int
}

// Describe describes a model that Read has returned.
func Describe(model []byte) (*Model, error) {
	root := flatcheck.Model(model)
	m := &Model{}
	graphs, defs := root.Vector("subgraphs"), root.Vector("signature_defs")
	for first := range 2 { // signatures of the first subgraph, then the others
		for i := range defs.Len() {
			def := defs.Table(i)
			if g := def.Int("subgraph_index"); (g == 0) == (first == 0) {
				s, err := newSignature(graphs.Table(g), int(g), def)
				if err != nil {
					return nil, err
				}
				m.Signatures = append(m.Signatures, s)
			}
		}
	}
	if m.Signatures == nil {
		s, err := newSignature(graphs.Table(0), 0, flatcheck.Table{})
		if err != nil {
			return nil, err
		}
		m.Signatures = []Signature{s}
	}
	for g := range graphs.Len() {
		for i, tensors := int64(0), graphs.Table(g).Vector("tensors"); i < tensors.Len(); i++ {
			variable := tensors.Table(i).Int("is_variable") != 0
			m.Variables = m.Variables || variable
			m.VariablesOutsideMainSubgraph = m.VariablesOutsideMainSubgraph || variable && g > 0
		}
		m.DynamicQuantization = m.DynamicQuantization || quantizesDynamically(graphs.Table(g))
	}
	codes := root.Vector("operator_codes")
	for g := range graphs.Len() {
		m.ComparesScaleOne = m.ComparesScaleOne || comparesScaleOne(graphs.Table(g), codes)
	}
	for i := range codes.Len() {
		m.Resources = m.Resources || flatcheck.Operator(codes.Table(i)) == varHandle
	}
	m.readMetadata(model, root)
	return m, nil
}

const varHandle = 142 // the number of the operator VAR_HANDLE

// quantizesDynamically reports whether the subgraph has an operator as DynamicQuantization describes it.
func quantizesDynamically(graph flatcheck.Table) bool {
	const float32Type, int8Type, int4Type = 0, 9, 17 // TensorType of the file's schema
	tensors := graph.Vector("tensors")
	for i, operators := int64(0), graph.Vector("operators"); i < operators.Len(); i++ {
		inputs := operators.Table(i).Vector("inputs")
		if inputs.Len() < 2 || inputs.Int(0) < 0 || inputs.Int(1) < 0 {
			continue
		}
		weights := tensors.Table(inputs.Int(1)).Int("type")
		if tensors.Table(inputs.Int(0)).Int("type") == float32Type && (weights == int8Type || weights == int4Type) {
			return true
		}
	}
	return false
}

// comparesScaleOne reports whether the subgraph has an operator as ComparesScaleOne describes it.
func comparesScaleOne(graph flatcheck.Table, codes flatcheck.Vector) bool {
	const uint8Type, int8Type = 3, 9
	tensors := graph.Vector("tensors")
	for i, operators := int64(0), graph.Vector("operators"); i < operators.Len(); i++ {
		op := operators.Table(i)
		switch flatcheck.Operator(codes.Table(op.Int("opcode_index"))) {
		case 58, 61, 62, 63, 71, 72: // LESS, GREATER, GREATER_EQUAL, LESS_EQUAL, EQUAL, NOT_EQUAL
		default:
			continue
		}
		for j, inputs := int64(0), op.Vector("inputs"); j < inputs.Len() && inputs.Int(j) >= 0; j++ {
			t := tensors.Table(inputs.Int(j))
			q, _ := t.Table("quantization")
			scale, dtype := q.Vector("scale"), t.Int("type")
			if (dtype == uint8Type || dtype == int8Type) && scale.Len() == 1 && uint32(scale.Int(0)) == math.Float32bits(1) {
				return true
			}
		}
	}
	return false
}

// newSignature makes the signature that def defines; the zero Table stands for the subgraph itself.
func newSignature(graph flatcheck.Table, index int, def flatcheck.Table) (s Signature, err error) {
	s.Name, s.Subgraph = cString(def.Text("signature_key")), index
	if s.Inputs, s.In, err = tensorInfos(graph, "inputs", def); err != nil {
		return s, err
	}
	s.Outputs, s.Out, err = tensorInfos(graph, "outputs", def)
	return s, err
}

// tensorInfos returns the inputs or outputs of a subgraph, and the index of each in the subgraph's list. A signature
// may have several names for one output.
func tensorInfos(
	graph flatcheck.Table, side string, def flatcheck.Table,
) (all []common.TensorInfo, indices []int, err error) {
	tensors, list := graph.Vector("tensors"), graph.Vector(side)
	names := map[int64][]string{}
	for i, v := int64(0), def.Vector(side); i < v.Len(); i++ {
		t := v.Table(i)
		index := t.Int("tensor_index")
		names[index] = append(names[index], cString(t.Text("name")))
	}
	for i := range list.Len() {
		index := list.Int(i)
		t := tensors.Table(index)
		named := names[index]
		names[index] = nil
		if !def.Has(side) {
			named = []string{cString(t.Text("name"))}
		}
		for _, name := range named {
			info, err := tensorInfo(name, t)
			if err != nil {
				return nil, nil, err
			}
			all, indices = append(all, info), append(indices, int(i))
		}
	}
	return all, indices, nil
}

// cString cuts s at the first zero byte, as C does.
func cString(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// libraryTypes has, for each TensorType of a file, the libraries' number of it: see dtypes.
var libraryTypes = [256]int32{1, 10, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19}

const stringType = 5

func tensorInfo(name string, t flatcheck.Table) (info common.TensorInfo, err error) {
	info.Name = name
	if code := t.Int("type"); code == stringType {
		info.DType = common.String
	} else if libraryTypes[code] == 0 {
		return info, Errorf(common.ErrModel, "tensor %q is of type %d of the file's schema, which is not supported",
			name, code)
	} else if info.DType, err = DType(name, libraryTypes[code]); err != nil {
		return info, err
	}
	shape := t.Vector("shape")
	if sig := t.Vector("shape_signature"); sig.Len() > 0 {
		shape = sig
	}
	info.Shape = make(common.Shape, shape.Len())
	for i := range shape.Len() {
		info.Shape[i] = int(shape.Int(i))
	}
	q, _ := t.Table("quantization")
	if scale, zero := q.Vector("scale"), q.Vector("zero_point"); scale.Len() > 0 {
		info.Quant = &common.Quantization{}
		if scale.Len() > 1 {
			info.Quant.Axis = int(q.Int("quantized_dimension"))
		}
		for i := range scale.Len() {
			info.Quant.Scale = append(info.Quant.Scale, math.Float32frombits(uint32(scale.Int(i))))
			info.Quant.ZeroPoint = append(info.Quant.ZeroPoint, zero.Int(i))
		}
	}
	return info, nil
}
