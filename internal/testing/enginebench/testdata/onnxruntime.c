// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL [fetch]
// Sets up a session of digits as package onnxruntime does, with one thread, and
// calls RunWithBinding. With "fetch" it copies the output from a tensor that ONNX
// Runtime makes, as for a model whose output is dynamic.

#include "loop.h"

enum { elements = 10 };

static void **api, *session, *run_options, *binding, *memory, *allocator;
static float *out;

// CALL calls function SLOT of OrtApi, which returns NULL or an error.
#define CALL(SLOT, ...) check(((void *(*)())api[SLOT])(__VA_ARGS__), SLOT)

static void check(void *status, int slot) {
	if (status)
		fail(((char *(*)(void *))api[2])(status)); // GetErrorMessage
}

static int run(void *unused) {
	return ((void *(*)(void *, void *, void *))api[133])(session, run_options, binding) != NULL;
}

static int run_and_fetch(void *unused) {
	void **values, *data;
	size_t count, rank;
	int32_t type;
	const int64_t *dims;
	CALL(138, binding, "scores", memory); // BindOutputToDevice
	CALL(133, session, run_options, binding);
	CALL(140, binding, allocator, &values, &count);  // GetBoundOutputValues
	CALL(414, values[0], &type, &dims, &rank);       // GetTensorElementTypeAndShapeDataReference
	CALL(51, values[0], &data);                      // GetTensorMutableData
	memcpy(out, data, elements * sizeof(float));
	((void (*)(void *))api[96])(values[0]);          // ReleaseValue
	CALL(76, allocator, values);                     // AllocatorFree
	return rank != 2 || dims[1] != elements || type != 1;
}

int main(int argc, char **argv) {
	if (argc < 5 || argc > 6 || atol(argv[3]) != elements)
		fail("usage");
	open_library(argv[1]);
	struct {
		void **(*get_api)(uint32_t);
	} *(*base)(void) = function("OrtGetApiBase");
	api = base()->get_api(argc == 6 ? 24 : 17);
	void *environment, *options, *in_value, *out_value;
	int64_t in_dims[] = {1, 1, 8, 8}, out_dims[] = {1, elements};
	float *in = tensor(atol(argv[2]));
	out = tensor(elements);
	CALL(3, 3, "loop", &environment);  // CreateEnv
	CALL(10, &options);                // CreateSessionOptions
	CALL(23, options, 99);             // SetSessionGraphOptimizationLevel
	CALL(24, options, 1);              // SetIntraOpNumThreads
	CALL(25, options, 1);              // SetInterOpNumThreads
	CALL(130, options, "session.intra_op.allow_spinning", "0"); // AddSessionConfigEntry
	CALL(7, environment, argv[4], options, &session);           // CreateSession
	CALL(39, &run_options);            // CreateRunOptions
	CALL(69, 0, 0, &memory);           // CreateCpuMemoryInfo
	CALL(78, &allocator);              // GetAllocatorWithDefaultOptions
	CALL(134, session, &binding);      // CreateIoBinding
	CALL(49, memory, in, 64 * sizeof(float), in_dims, (size_t)4, 1, &in_value); // CreateTensorWithDataAsOrtValue
	CALL(49, memory, out, elements * sizeof(float), out_dims, (size_t)2, 1, &out_value);
	CALL(136, binding, "image", in_value);                      // BindInput
	CALL(137, binding, "scores", out_value);                    // BindOutput
	return serve(argc == 6 ? run_and_fetch : run, NULL, out, elements);
}
