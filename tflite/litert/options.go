// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"github.com/anyinfer/anyinfer/common"
)

// Options is what common.Options.Native can hold for this engine.
type Options struct {
	// Kernels are what computes on the CPU.
	Kernels Kernels
	// Fallback has the CPU compute what a Device other than it does not take.
	// Without, Load refuses a model of which something is left.
	Fallback bool
}

// Kernels are implementations of operators (LiteRtCpuKernelMode).
type Kernels int

const (
	// XNNPACK where it has an operator, else Builtin; the fastest. A model with
	// resource variables gets Builtin: this XNNPACK crashes on some of them.
	XNNPACK   Kernels = iota
	Reference         // TFLite's plain ones, to compare with
	Builtin           // TFLite's own
)

// native is o.Native, once all that this engine cannot honour is refused.
func nativeOptions(o common.Options, hardware uint32) (Options, error) {
	refuse := func(text string) (Options, error) {
		return Options{}, &common.Error{Kind: common.ErrOption, Message: text}
	}
	n, err := common.NativeOptions[Options](o.Native)
	switch {
	case err != nil:
		return n, err
	case n.Kernels < XNNPACK || n.Kernels > Builtin:
		return refuse("Kernels must be XNNPACK, Reference or Builtin")
	case hardware == cpu && n.Fallback:
		return refuse("Fallback is for devices other than the CPU")
	case hardware != cpu && n.Kernels != XNNPACK && !n.Fallback:
		return refuse("Kernels is for the CPU; set Fallback as well")
	case o.Precision == common.BFloat16 || o.Precision == common.Float16 && hardware != gpu:
		return refuse("LiteRT runs a model in its own precision here, not in " + o.Precision.String())
	case o.CacheDir != "":
		return refuse("CacheDir: nothing is cached, as LiteRT ends the process where writing its file of XNNPACK's weights fails")
	}
	return n, nil
}
