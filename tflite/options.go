// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"github.com/anyinfer/anyinfer/common"
)

// Options is what common.Options.Native can hold for this engine.
type Options struct {
	// NoXNNPACK runs the model on TFLite's own kernels only, but for what
	// Delegate takes.
	NoXNNPACK bool
	// Delegate is the shared library of an external delegate: the file, which
	// has tflite_plugin_create_delegate and tflite_plugin_destroy_delegate. Each
	// session has a delegate of its own, which takes what it can of the model;
	// XNNPACK gets the rest.
	Delegate string
	// DelegateOptions are what the delegate's library documents.
	DelegateOptions map[string]string
}

// native is o.Native, once all that this engine cannot honour is refused.
func nativeOptions(o common.Options) (Options, error) {
	refuse := func(text string) (Options, error) {
		return Options{}, &common.Error{Kind: common.ErrOption, Message: text}
	}
	switch {
	case o.Device != "" && o.Device != device.Name:
		return Options{}, common.UnknownDevice(o.Device, []common.Device{device})
	case o.Precision != 0 && o.Precision != common.Float32:
		return refuse("TFLite runs a model in its own precision, not in " + o.Precision.String())
	case o.CacheDir != "":
		return refuse("CacheDir: nothing is cached, as writing TFLite's file of XNNPACK's weights ends the process for many models")
	case o.Profile:
		return refuse("Profile: the TFLite C API has no profile")
	}
	n, err := common.NativeOptions[Options](o.Native)
	if err == nil && n.Delegate == "" && n.DelegateOptions != nil {
		return refuse("DelegateOptions without a Delegate")
	}
	return n, err
}
