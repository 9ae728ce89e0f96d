// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"fmt"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// Options holds the options of this engine. It is the value, not a pointer to it, of common.Options.Native.
type Options struct {
	// Kernels selects the kernels that run on the CPU. It is refused with another Device unless Fallback is set.
	Kernels Kernels
	// Fallback makes the CPU run the operators that another Device cannot (LiteRtSetOptionsHardwareAccelerators with
	// both). Without it, Load returns an error that wraps common.ErrModel if the model has any such operator.
	Fallback bool
}

// Kernels are the implementations of operators on the CPU: kernel_mode of LiteRT's CPU options, a LiteRtCpuKernelMode.
type Kernels int

const (
	// XNNPACK runs the operators that it supports, Builtin the others. It is the fastest. A model with resource
	// variables gets Builtin instead, as LiteRT's XNNPACK crashes on some of them.
	XNNPACK Kernels = iota
	// Reference selects TFLite's kernels without optimizations, for comparisons.
	Reference
	// Builtin selects TFLite's own optimized kernels.
	Builtin
)

// nativeOptions returns o.Native. The error wraps common.ErrOption if this engine cannot honour an option on hardware.
func nativeOptions(o common.Options, hardware uint32) (Options, error) {
	refuse := func(text string) (Options, error) {
		return Options{}, tfl.Errorf(common.ErrOption, "%s", text)
	}
	n, err := common.NativeOptions[Options](o.Native)
	switch {
	case err != nil:
		return n, err
	case n.Kernels < XNNPACK || n.Kernels > Builtin:
		return refuse(fmt.Sprintf("Kernels is %d; it must be XNNPACK, Reference or Builtin", n.Kernels))
	case hardware == cpu && n.Fallback:
		return refuse("Fallback is set without a Device; it is for devices other than the CPU")
	case hardware != cpu && n.Kernels != XNNPACK && !n.Fallback:
		return refuse("Kernels is set for a Device that is not the CPU; set Fallback as well")
	case o.Precision == common.BFloat16 || o.Precision == common.Float16 && hardware != gpu:
		return refuse("LiteRT runs a model in its own precision, on a GPU also in float16, not in " + o.Precision.String())
	case o.CacheDir != "":
		return refuse("CacheDir: nothing is cached, as LiteRT ends the process where it cannot write XNNPACK's weights")
	}
	return n, nil
}
