// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/openvino"
)

func open(t testing.TB) *common.Engine {
	t.Helper()
	return enginetest.Open(t, "openvino", nil)
}

var load, session = enginetest.Load, enginetest.NewSession

func file(name string) common.Source { return common.File("../testdata/" + name) }

func tensor[T common.Elem](t testing.TB, data []T, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.FromSlice(data, shape...)
	require.NoError(t, err)
	return x
}

func data[T common.Elem](t testing.TB, x *common.Tensor) []T {
	t.Helper()
	d, err := common.Data[T](x)
	require.NoError(t, err)
	return d
}

// ir is an IR model of one input, one operation on it and one output. shape
// is as in the file: "2,3", "?,4", "1..4,2", "..." and "" for a scalar.
func ir(elem, shape, op string) []byte { return irNamed(elem, shape, op, ` names="x"`, ` names="y"`) }

func irNamed(elem, shape, op, inNames, outNames string) []byte {
	var dims strings.Builder
	if shape != "" && shape != "..." {
		for range strings.Split(shape, ",") {
			dims.WriteString("<dim>-1</dim>")
		}
	}
	precision := map[string]string{"f32": "FP32", "f16": "FP16", "bf16": "BF16", "f64": "FP64", "boolean": "BOOL", "string": "STRING"}[elem]
	if precision == "" {
		precision = strings.ToUpper(elem)
	}
	port := func(id int, names string) string {
		return fmt.Sprintf(`<port id="%d" precision="%s"%s>%s</port>`, id, precision, names, dims.String())
	}
	return []byte(`<?xml version="1.0"?><net name="m" version="11"><layers>` +
		`<layer id="0" name="a" type="Parameter" version="opset1"><data shape="` + shape + `" element_type="` + elem + `"/><output>` + port(0, inNames) + `</output></layer>` +
		`<layer id="1" name="b" ` + op + `<input>` + port(0, "") + `</input><output>` + port(1, outNames) + `</output></layer>` +
		`<layer id="2" name="c" type="Result" version="opset1"><input>` + port(0, "") + `</input></layer></layers>` +
		`<edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/><edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges></net>`)
}

const relu = `type="ReLU" version="opset1">`

// same is an operation that passes elements of type elem on.
func same(elem string) string {
	return `type="Convert" version="opset1"><data destination_type="` + elem + `"/>`
}
