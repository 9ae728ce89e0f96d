// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestDescribeIR(t *testing.T) {
	const ir = `<?xml version="1.0"?><net name="yolo" version="11"><layers>
<layer id="0" name="x" type="Parameter"><rt_info><attribute name="fused" value="not this"/></rt_info></layer></layers>
<rt_info><Runtime_version value="2026.4"/><info name="a key" value="b &amp; c"/><info value="d"/><empty value=""/>
<framework><names value="{0: 'x'}"/><info name="1st" value="e"/></framework>
<model_info><labels value="cat big_dog"/><pad_value value="114"/></model_info>
<nncf><quantization><subset_size value="300"/></quantization></nncf></rt_info></net>`
	want := map[string]string{
		"name": "yolo", "Runtime_version": "2026.4", "a key": "b & c", "info": "d", "names": "{0: 'x'}", "1st": "e",
		"model_info.labels": "cat big_dog", "model_info.pad_value": "114", "nncf.quantization.subset_size": "300",
	}
	state, about := describeIR([]byte(ir))
	require.Equal(t, common.Stateless, state)
	require.Equal(t, want, about)

	state, about = describeIR([]byte(strings.Replace(ir, "Parameter", "readvalue", 1)))
	require.Equal(t, common.Stateful, state)
	require.Equal(t, want, about)

	_, about = describeIR([]byte(strings.Replace(ir, "</framework>", `<name value="the file's own"/></framework>`, 1)))
	require.Equal(t, "the file's own", about["name"])

	for n := range ir {
		_, about = describeIR([]byte(ir[:n]))
		for key, value := range about {
			require.Equal(t, want[key], value)
		}
	}
	_, about = describeIR([]byte("<net><rt_info>" + strings.Repeat(`<a value="x">`, 1<<16)))
	require.Len(t, about, 14, "keys must not grow with the depth")
}
