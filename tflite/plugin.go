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

// plugin is the library of an external delegate. It exports the functions of TFLite's external_delegate_interface.h.
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
	if e := (*common.Error)(nil); errors.As(err, &e) { // the rest of the error is about libraries of engines
		if text = e.Message; e.Searched != nil {
			text = strings.ReplaceAll(e.Searched[0], " (Config.Library)", "")
		}
	}
	return nil, &common.Error{Path: path, Kind: common.ErrOption, Message: "Delegate: " + text}
}

// A plugin reports errors to a function that has no parameter for the delegate. Delegates are therefore created one at
// a time.
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
	pluginReporter.error(nil, 0, "") // drops late texts of an earlier delegate
	d := p.lib.Call(pluginCreate, dylib.Slice(keys), dylib.Slice(values), dylib.Int(len(keys)),
		dylib.Int(pluginCallback()))
	if d == 0 {
		err := pluginReporter.error(common.ErrOption, 0, "it gave no reason")
		err.Path, err.Message = p.lib.Path, "Delegate: the library cannot make a delegate: "+err.Message
		return 0, err
	}
	return d, nil
}

func (p *plugin) destroy(delegate uintptr) { p.lib.Call(pluginDestroy, dylib.Int(delegate)) }
