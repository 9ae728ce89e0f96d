// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// plugin is the library of an external delegate, in the form that
// external_delegate_interface.h gives it.
type plugin struct{ lib *dylib.Library }

const (
	pluginCreate = iota
	pluginDestroy
)

var pluginTable = []dylib.Decl{
	pluginCreate:  {C: "TfLiteDelegate* tflite_plugin_create_delegate(const char* const* options_keys, const char* const* options_values, size_t num_options, void (*report_error)(const char*))"},
	pluginDestroy: {C: "void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate)"},
}

func openPlugin(path string) (*plugin, error) {
	lib, err := dylib.Open(dylib.Spec{Engine: "delegate"}, pluginTable, path)
	if err == nil {
		return &plugin{lib: lib}, nil
	}
	text := err.Error()
	if e := (*common.Error)(nil); errors.As(err, &e) { // the rest of it is about engines' libraries
		if text = e.Message; e.Searched != nil {
			text = strings.ReplaceAll(e.Searched[0], " (Config.Library)", "")
		}
	}
	return nil, &common.Error{Path: path, Kind: common.ErrOption, Message: "Delegate: " + text}
}

// The library errorReporters errors to a function that is not told which delegate they
// are of, so delegates are created one at a time.
var (
	creating       sync.Mutex
	pluginCallback = sync.OnceValue(func() uintptr { return dylib.Callback(onPluginError) })
	pluginReporter = &errorReporter{}
)

func onPluginError(text uintptr) uintptr {
	pluginReporter.add(dylib.GoString(text))
	return 0
}

func (p *plugin) create(options map[string]string) (uintptr, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	cString := func(s string) *byte {
		b := append([]byte(s), 0)
		pin.Pin(&b[0])
		return &b[0]
	}
	var keys, values []*byte
	for _, key := range slices.Sorted(maps.Keys(options)) {
		keys, values = append(keys, cString(key)), append(values, cString(options[key]))
	}
	creating.Lock()
	defer creating.Unlock()
	pluginReporter.error(nil, 0, "") // drops what came after another had failed
	d := p.lib.Call(pluginCreate, dylib.Slice(keys), dylib.Slice(values), dylib.Int(len(keys)), dylib.Int(pluginCallback()))
	if d == 0 {
		err := pluginReporter.error(common.ErrOption, 0, "no reason given")
		err.Path, err.Message = p.lib.Path, "Delegate: the library made none: "+err.Message
		return 0, err
	}
	return d, nil
}

func (p *plugin) destroy(delegate uintptr) { p.lib.Call(pluginDestroy, dylib.Int(delegate)) }
