// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL
// Sets up a compiled model as package litert does for a model of fixed shapes
// and one thread, and calls LiteRtRunCompiledModel.

#include <string.h>

#include "loop.h"

struct option { // LiteRtEnvOption
	int32_t tag, pad, kind, pad2;
	int64_t value;
};

struct type { // LiteRtRankedTensorType
	int32_t element;
	uint32_t rank;
	int32_t dims[8];
	uint32_t strides[8];
};

static void *compiled, *in_buffer, *out_buffer;
static int (*run)(void *, size_t, size_t, void **, size_t, void **);

static int call(void *unused) {
	return run(compiled, 0, 1, &in_buffer, 1, &out_buffer);
}

// add gives options a payload.
static void add(void *options, const char *id, char *text) {
	int (*create)(const char *, void *, void (*)(void *), void **) = function("LiteRtCreateOpaqueOptions");
	int (*add_to)(void *, void *) = function("LiteRtAddOpaqueOptions");
	void *opaque;
	if (create(id, text, (void (*)(void *))strlen, &opaque) || add_to(options, opaque))
		fail(id);
}

int main(int argc, char **argv) {
	if (argc != 5)
		fail("usage");
	open_library(argv[1]);
	size_t in_elements = atol(argv[2]), out_elements = atol(argv[3]);

	int (*environment_create)(int, const struct option *, void **) = function("LiteRtCreateEnvironment");
	int (*model_create)(void *, const char *, void **) = function("LiteRtCreateModelFromFile");
	int (*options_create)(void **) = function("LiteRtCreateOptions");
	int (*set_hardware)(void *, int) = function("LiteRtSetOptionsHardwareAccelerators");
	int (*compile)(void *, void *, void *, void **) = function("LiteRtCreateCompiledModel");
	int (*set_cancel)(void *, void *, _Bool (*)(void *)) = function("LiteRtSetCompiledModelCancellationFunction");
	int (*input_layout)(void *, size_t, size_t, uint32_t *) = function("LiteRtGetCompiledModelInputTensorLayout");
	int (*buffer_create)(const struct type *, void *, size_t, void *, void **) =
		function("LiteRtCreateTensorBufferFromHostMemory");
	run = function("LiteRtRunCompiledModel");

	struct option quiet[] = {{25, 0, 2, 0, 4}, {24, 0, 2, 0, 1}}; // severity: silent; accelerators: CPU
	void *environment, *model, *options;
	static uint64_t canceled;
	if (environment_create(2, quiet, &environment) || model_create(environment, argv[4], &model))
		fail("the model");
	if (options_create(&options) || set_hardware(options, 1))
		fail("the options");
	add(options, "xnnpack", "num_threads=1\nkernel_mode=0\n");
	add(options, "runtime_options_string", "error_reporter_mode=2\nenable_profiling=false\n");
	if (compile(environment, model, options, &compiled) || set_cancel(compiled, &canceled, (_Bool(*)(void *))strlen))
		fail("the compiled model");
	float *in = tensor(in_elements), *out = tensor(out_elements);
	struct type in_type = {1}, out_type = {1, 1, {out_elements}};
	if (input_layout(compiled, 0, 0, &in_type.rank) ||
	    buffer_create(&in_type, in, in_elements * sizeof(float), NULL, &in_buffer) ||
	    buffer_create(&out_type, out, out_elements * sizeof(float), NULL, &out_buffer))
		fail("the buffers");
	return serve(call, NULL, out, out_elements);
}
