// SPDX-License-Identifier: Apache-2.0

package toolchain

// All has the recipe of each engine with a shim.
var All = []Recipe{
	{
		Engine: "mnn",
		SDK: SDK{
			Name: "MNN", Env: "MNN_ROOT", Packaged: true, Header: "MNN/MNNDefine.h",
			Macros:    []string{"MNN_VERSION_MAJOR", "MNN_VERSION_MINOR", "MNN_VERSION_PATCH"},
			Libraries: []string{"MNN", "MNN_Express"}, // the latter exists only in builds with MNN_SEP_BUILD
			// MNN::Express::Executor::RuntimeManager::setExternalFile(std::string)
			OldStrings: "_ZN3MNN7Express8Executor14RuntimeManager15setExternalFileESs",
		},
	},
	{
		Engine: "tensorrt",
		SDK: SDK{
			Name: "TensorRT", Env: "TENSORRT_ROOT", System: "/usr", Header: "NvInferVersion.h",
			Macros:    []string{"NV_TENSORRT_MAJOR", "NV_TENSORRT_MINOR", "NV_TENSORRT_PATCH"},
			Libraries: []string{"nvinfer", "nvonnxparser"},
		},
	},
	{
		Engine: "tnn",
		SDK:    SDK{Name: "TNN", Env: "TNN_ROOT", Header: "tnn/core/tnn.h", Version: "0.3", Libraries: []string{"TNN"}},
	},
}
