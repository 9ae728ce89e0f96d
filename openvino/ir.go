// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"io"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/metadata"
)

// describeIR reports whether an IR has operators that keep variables from Run to Run,
// including those in the bodies of other operators, and returns its metadata: its
// rt_info and its name. The C API has no functions for that.
func describeIR(ir []byte) (state common.State, about map[string]string) {
	text, layers := xml.NewDecoder(bytes.NewReader(ir)), 0
	var path []string // the names of the elements around
	var model string
	defer func() { about = metadata.Add(about, "name", model) }()
	for {
		token, err := text.RawToken()
		if err == io.EOF && layers > 0 && state == common.UnknownState {
			return common.Stateless, about
		} else if err != nil { // OpenVINO reads more than XML allows
			return state, about
		}
		if _, ok := token.(xml.EndElement); ok && len(path) > 0 {
			path = path[:len(path)-1]
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attribute := func(name string) string {
			i := slices.IndexFunc(element.Attr, func(a xml.Attr) bool { return a.Name.Local == name })
			if i < 0 {
				return ""
			}
			return element.Attr[i].Value
		}
		name := element.Name.Local
		switch name {
		case "layer":
			layers++
			if strings.EqualFold(attribute("type"), "ReadValue") {
				state = common.Stateful
			}
		case "net":
			model = attribute("name")
		case "info": // its name is not one of XML
			name = cmp.Or(attribute("name"), name)
		}
		path = append(path, name)
		about = metadata.Add(about, infoKey(path), attribute("value"))
	}
}

// infoKey returns the key for an element with this path, or "" if that is not in the
// model's rt_info. OpenVINO puts the entries of an ONNX file into the element
// "framework": they keep the keys that they have in that file.
func infoKey(path []string) string {
	const maxDepth = 16 // bounds the length of all keys together
	if len(path) < 3 || len(path) > maxDepth || path[0] != "net" || path[1] != "rt_info" {
		return ""
	}
	return strings.TrimPrefix(strings.Join(path[2:], "."), "framework.")
}
