// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

// accumulator adds its input to a variable, which is its output.
const accumulator = `<?xml version="1.0"?><net name="accumulator" version="11"><layers>
<layer id="0" name="x" type="Parameter" version="opset1"><data shape="2" element_type="f32"/><output><port id="0" precision="FP32" names="x"><dim>2</dim></port></output></layer>
<layer id="1" name="zero" type="Const" version="opset1"><data element_type="f32" shape="2" offset="0" size="8"/><output><port id="0" precision="FP32"><dim>2</dim></port></output></layer>
<layer id="2" name="read" type="ReadValue" version="opset6"><data variable_id="sum" variable_type="f32" variable_shape="2"/><input><port id="0" precision="FP32"><dim>2</dim></port></input><output><port id="1" precision="FP32"><dim>2</dim></port></output></layer>
<layer id="3" name="add" type="Add" version="opset1"><input><port id="0" precision="FP32"><dim>2</dim></port><port id="1" precision="FP32"><dim>2</dim></port></input><output><port id="2" precision="FP32" names="y"><dim>2</dim></port></output></layer>
<layer id="4" name="write" type="Assign" version="opset6"><data variable_id="sum"/><input><port id="0" precision="FP32"><dim>2</dim></port></input><output><port id="1" precision="FP32"><dim>2</dim></port></output></layer>
<layer id="5" name="result" type="Result" version="opset1"><input><port id="0" precision="FP32"><dim>2</dim></port></input></layer>
</layers><edges>
<edge from-layer="0" from-port="0" to-layer="3" to-port="1"/><edge from-layer="1" from-port="0" to-layer="2" to-port="0"/>
<edge from-layer="2" from-port="1" to-layer="3" to-port="0"/><edge from-layer="3" from-port="2" to-layer="4" to-port="0"/>
<edge from-layer="3" from-port="2" to-layer="5" to-port="0"/></edges></net>`

// TestVariables: Model.Run starts afresh, a Session goes on until Reset.
func TestVariables(t *testing.T) {
	e := open(t)
	xml := t.TempDir() + "/accumulator.xml"
	require.NoError(t, os.WriteFile(xml, []byte(accumulator), 0o600))
	require.NoError(t, os.WriteFile(xml[:len(xml)-3]+"bin", make([]byte, 8), 0o600))
	for _, src := range []common.Source{common.File(xml), common.Bytes([]byte(accumulator), make([]byte, 8)).As("openvino")} {
		m := load(t, e, src, nil)
		for range 2 {
			out, err := m.Run(context.Background(), common.Tensors{"x": tensor(t, []float32{1, 2}, 2)})
			require.NoError(t, err)
			require.Equal(t, []float32{1, 2}, data[float32](t, out["y"]))
		}
		s := session(t, m)
		in, out := data[float32](t, s.Input(0)), data[float32](t, s.Output(0))
		copy(in, []float32{1, 2})
		for range 2 {
			for i := range 3 {
				require.NoError(t, s.Run(context.Background()))
				require.Equal(t, []float32{float32(i + 1), 2 * float32(i+1)}, out, "in the same memory")
			}
			require.NoError(t, s.Reset())
		}
	}
}
