// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// Options holds the options of this engine. It is the value, not a pointer to it, of common.Options.Native.
type Options struct {
	// NoXNNPACK runs the model on TFLite's own kernels, except for the operators that Delegate takes. Without it, each
	// session has an XNNPACK delegate (TfLiteXNNPackDelegateCreate) if the library has that function.
	NoXNNPACK bool
	// Delegate is the path of the shared library of an external delegate. The library must export
	// tflite_plugin_create_delegate and tflite_plugin_destroy_delegate. Each session has its own delegate
	// (TfLiteInterpreterOptionsAddDelegate), which takes the operators that it supports; XNNPACK gets the rest. Load
	// returns an error that wraps common.ErrOption if the library cannot be opened or makes no delegate.
	Delegate string
	// DelegateOptions are the keys and values that tflite_plugin_create_delegate gets. The delegate's documentation
	// lists them.
	DelegateOptions map[string]string
}

// nativeOptions returns o.Native. It refuses options that this engine cannot honour, with an error that wraps
// common.ErrOption or the error of an unknown device.
func nativeOptions(o common.Options) (Options, error) {
	refuse := func(text string) (Options, error) {
		return Options{}, tfl.Errorf(common.ErrOption, "%s", text)
	}
	switch {
	case o.Device != "" && o.Device != device.Name:
		return Options{}, common.UnknownDevice(o.Device, []common.Device{device})
	case o.Precision != 0 && o.Precision != common.Float32:
		return refuse("TFLite runs a model in its own precision, not in " + o.Precision.String())
	case o.CacheDir != "":
		return refuse("CacheDir: nothing is cached, as TFLite ends the process while it writes many models' weights")
	case o.Profile:
		return refuse("Profile: the TFLite C API has no profiler; engine litert has one")
	}
	n, err := common.NativeOptions[Options](o.Native)
	if err == nil && n.Delegate == "" && n.DelegateOptions != nil {
		return refuse("DelegateOptions is set without a Delegate: name the delegate's library")
	}
	return n, err
}
