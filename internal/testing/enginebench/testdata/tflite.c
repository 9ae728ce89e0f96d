// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL
// Sets up an interpreter as package tflite does for a model of fixed shapes
// and one thread, and calls TfLiteInterpreterInvoke.

#include "loop.h"

struct allocation { // TfLiteCustomAllocation
	void *data;
	size_t bytes;
};

struct xnnpack_options { // TfLiteXNNPackDelegateOptions, with room for later members
	int32_t threads;
	char rest[252];
};

int main(int argc, char **argv) {
	if (argc != 5)
		fail("usage");
	open_library(argv[1]);
	size_t in_elements = atol(argv[2]), out_elements = atol(argv[3]);

	void *(*model_create)(const char *) = function("TfLiteModelCreateFromFile");
	void *(*options_create)(void) = function("TfLiteInterpreterOptionsCreate");
	void (*set_threads)(void *, int32_t) = function("TfLiteInterpreterOptionsSetNumThreads");
	int (*enable_cancellation)(void *, _Bool) = function("TfLiteInterpreterOptionsEnableCancellation");
	void (*add_delegate)(void *, void *) = function("TfLiteInterpreterOptionsAddDelegate");
	void *(*interpreter_create)(void *, void *) = function("TfLiteInterpreterCreate");
	int (*allocate)(void *) = function("TfLiteInterpreterAllocateTensors");
	int32_t (*input_index)(void *, int32_t) = function("TfLiteInterpreterGetInputTensorIndex");
	int32_t (*output_index)(void *, int32_t) = function("TfLiteInterpreterGetOutputTensorIndex");
	int (*set_allocation)(void *, int, const struct allocation *, int64_t) =
		function("TfLiteInterpreterSetCustomAllocationForTensor");
	int (*invoke)(void *) = function("TfLiteInterpreterInvoke");

	void *model = model_create(argv[4]), *options = options_create();
	if (!model)
		fail("the model");
	set_threads(options, 1);
	enable_cancellation(options, 1);
	if (dlsym(library, "TfLiteXNNPackDelegateCreate")) {
		struct xnnpack_options (*defaults)(void) = function("TfLiteXNNPackDelegateOptionsDefault");
		void *(*delegate_create)(const struct xnnpack_options *) = function("TfLiteXNNPackDelegateCreate");
		struct xnnpack_options o = defaults();
		o.threads = 0;
		add_delegate(options, delegate_create(&o));
	}
	void *interpreter = interpreter_create(model, options);
	if (!interpreter || allocate(interpreter))
		fail("the interpreter");
	float *in = tensor(in_elements), *out = tensor(out_elements);
	struct allocation in_memory = {in, in_elements * sizeof(float) + 64};
	struct allocation out_memory = {out, out_elements * sizeof(float) + 64};
	if (set_allocation(interpreter, input_index(interpreter, 0), &in_memory, 0) ||
	    set_allocation(interpreter, output_index(interpreter, 0), &out_memory, 0) || allocate(interpreter))
		fail("the allocations");
	return serve(invoke, interpreter, out, out_elements);
}
