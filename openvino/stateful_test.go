// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

// inIf runs accumulator in either body of an If.
var inIf = func() string {
	_, body, _ := strings.Cut(accumulator, `version="11">`)
	body = strings.TrimSuffix(body, "</net>")
	ports := `<input external_port_id="1" internal_layer_id="0"/><output external_port_id="2" internal_layer_id="5"/>`
	return `<?xml version="1.0"?><net name="if" version="11"><layers>
<layer id="0" name="x" type="Parameter" version="opset1"><data shape="2" element_type="f32"/><output><port id="0" precision="FP32" names="x"><dim>2</dim></port></output></layer>
<layer id="1" name="condition" type="Parameter" version="opset1"><data shape="" element_type="boolean"/><output><port id="0" precision="BOOL" names="condition"/></output></layer>
<layer id="2" name="if" type="If" version="opset8"><else_port_map>` + ports + `</else_port_map><then_port_map>` + ports + `</then_port_map>
<input><port id="0" precision="BOOL"/><port id="1" precision="FP32"><dim>2</dim></port></input><output><port id="2" precision="FP32" names="y"><dim>2</dim></port></output>
<then_body>` + body + `</then_body><else_body>` + strings.ReplaceAll(body, `"sum"`, `"other"`) + `</else_body></layer>
<layer id="3" name="result" type="Result" version="opset1"><input><port id="0" precision="FP32"><dim>2</dim></port></input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="2" to-port="1"/><edge from-layer="1" from-port="0" to-layer="2" to-port="0"/>
<edge from-layer="2" from-port="2" to-layer="3" to-port="0"/></edges></net>`
}()

// utf16 is ASCII text in little-endian UTF-16.
func utf16(s string) string {
	b := []byte("\xff\xfe")
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return string(b)
}

// TestVariablesAreReset: Model.Run starts from the initial state, however the
// IR is written or its file named.
func TestVariablesAreReset(t *testing.T) {
	e := open(t)
	replace := func(old, new string) string {
		require.Equal(t, 1, strings.Count(accumulator, old), old)
		return strings.Replace(accumulator, old, new, 1)
	}
	const read, declaration = `type="ReadValue"`, `<?xml version="1.0"?>`
	single := func(ir string) string { return strings.Replace(ir, read, `type='ReadValue'`, 1) }
	for name, c := range map[string]struct{ file, ir string }{
		"as OpenVINO writes it":     {"model.xml", accumulator},
		"single quotes":             {"model.xml", replace(read, `type='ReadValue'`)},
		"space":                     {"model.xml", replace(read, `type = "ReadValue"`)},
		"line break":                {"model.xml", replace(read, "type\n=\n\"ReadValue\"")},
		"lower case":                {"model.xml", replace(read, `type="readvalue"`)},
		"character reference":       {"model.xml", replace(read, `type="&#82;eadValue"`)},
		"comment first":             {"model.xml", replace(`<net `, `<!-- no type --><net `)},
		"no declaration":            {"model.xml", replace(declaration, "")},
		"comment, no declaration":   {"model.xml", replace(declaration, "<!-- no type -->\n")},
		"byte order mark":           {"model.xml", "\xef\xbb\xbf" + accumulator},
		"UTF-16":                    {"model.xml", utf16(accumulator)},
		"document type":             {"model.xml", replace(`<net `, `<!DOCTYPE net><net `)},
		"upper-case extension":      {"model.XML", accumulator},
		"no extension":              {"model", accumulator},
		"upper case, single quotes": {"model.XML", replace(read, `type='ReadValue'`)},
		"in the body of an If":      {"model.xml", inIf},
		// OpenVINO takes them, strict XML parsers do not.
		"another encoding":       {"model.xml", single(replace(declaration, `<?xml version="1.0" encoding="windows-1252"?>`))},
		"newer XML":              {"model.xml", single(replace(declaration, `<?xml version="1.1"?>`))},
		"NUL at the end":         {"model.xml", single(accumulator) + "\x00"},
		"less-than in a name":    {"model.xml", single(replace(`name="add"`, `name="a<b"`))},
		"ampersand in a name":    {"model.xml", single(replace(`name="add"`, `name="a&b"`))},
		"no UTF-8 in a name":     {"model.xml", single(replace(`name="add"`, "name=\"\xff\""))},
		"same attribute twice":   {"model.xml", replace(read, `type='ReadValue' type='Add'`)},
		"control code in a name": {"model.xml", single(replace(`name="add"`, "name=\"\x01\""))},
	} {
		t.Run(name, func(t *testing.T) {
			xml := filepath.Join(t.TempDir(), c.file)
			bin := strings.TrimSuffix(xml, filepath.Ext(xml)) + ".bin"
			require.NoError(t, os.WriteFile(xml, []byte(c.ir), 0o600))
			require.NoError(t, os.WriteFile(bin, make([]byte, 8), 0o600))
			for from, src := range map[string]common.Source{
				"file":         common.File(xml).As("openvino"),
				"file and bin": common.Files(xml, bin).As("openvino"),
				"memory":       common.Bytes([]byte(c.ir), make([]byte, 8)).As("openvino"),
			} {
				t.Run(from, func(t *testing.T) {
					m := load(t, e, src, nil)
					in := common.Tensors{"x": tensor(t, []float32{1, 2}, 2)}
					if c.ir == inIf {
						in["condition"] = tensor(t, []bool{true}, common.Shape{}...)
					}
					for range 3 {
						out, err := m.Run(context.Background(), in)
						require.NoError(t, err)
						require.Equal(t, []float32{1, 2}, data[float32](t, out["y"]))
					}
				})
			}
		})
	}
}

// TestNoVariables: text that looks like a variable does not make a model
// stateful. Reset would take a new request for one, where it has nothing to do.
func TestNoVariables(t *testing.T) {
	plain := string(ir("f32", "2", relu))
	for name, ir := range map[string]string{
		"nothing":   plain,
		"attribute": strings.Replace(plain, `name="b"`, `name='type="ReadValue"'`, 1),
		"comment":   strings.Replace(plain, `<layers>`, `<!-- <layer type="ReadValue"/> --><layers>`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, name != "nothing", strings.Contains(ir, `type="ReadValue"`))
			s := session(t, load(t, open(t), common.Bytes([]byte(ir)).As("openvino"), nil))
			require.Zero(t, testing.AllocsPerRun(10, func() {
				require.NoError(t, s.Run(context.Background()))
				require.NoError(t, s.Reset())
			}))
		})
	}
}
