// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL ELEMENT-TYPE [KEY VALUE]...
// Sets up an infer request as package openvino does for a model of fixed
// shapes, and calls ov_infer_request_infer.

#include "loop.h"

struct shape { // ov_shape_t
	int64_t rank;
	int64_t *dims;
};

static int (*tensor_shape)(void *, struct shape *);
static int (*tensor_from_host)(int, struct shape, void *, void **);

// host makes an ov_tensor_t of data with the shape of like.
static void *host(void *like, int type, float *data) {
	struct shape shape;
	void *t;
	if (tensor_shape(like, &shape) || tensor_from_host(type, shape, data, &t))
		fail("a tensor");
	return t;
}

int main(int argc, char **argv) {
	if (argc < 6 || argc > 6 + 16)
		fail("usage");
	open_library(argv[1]);
	size_t in_elements = atol(argv[2]), out_elements = atol(argv[3]);
	int type = atoi(argv[5]);
	char *p[16] = {0}; // properties
	for (int i = 6; i < argc; i++)
		p[i - 6] = argv[i];

	int (*core_create)(void **) = function("ov_core_create");
	int (*read_model)(void *, const char *, const char *, void **) = function("ov_core_read_model");
	int (*compile)(void *, void *, const char *, size_t, void **, ...) = function("ov_core_compile_model");
	int (*create_request)(void *, void **) = function("ov_compiled_model_create_infer_request");
	int (*get_input)(void *, size_t, void **) = function("ov_infer_request_get_input_tensor_by_index");
	int (*get_output)(void *, size_t, void **) = function("ov_infer_request_get_output_tensor_by_index");
	int (*set_input)(void *, size_t, void *) = function("ov_infer_request_set_input_tensor_by_index");
	int (*set_output)(void *, size_t, void *) = function("ov_infer_request_set_output_tensor_by_index");
	int (*infer)(void *) = function("ov_infer_request_infer");
	tensor_shape = function("ov_tensor_get_shape");
	tensor_from_host = function("ov_tensor_create_from_host_ptr");

	void *core, *model, *compiled, *request, *like_in, *like_out;
	if (core_create(&core) || read_model(core, argv[4], NULL, &model))
		fail("the model");
	if (compile(core, model, "CPU", argc - 6, &compiled, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7],
	            p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15]))
		fail("the compiled model");
	if (create_request(compiled, &request) || get_input(request, 0, &like_in) || get_output(request, 0, &like_out))
		fail("the request");
	float *in = tensor(in_elements), *out = tensor(out_elements);
	if (set_output(request, 0, host(like_out, type, out)) || set_input(request, 0, host(like_in, type, in)))
		fail("the tensors");
	return serve(infer, request, out, out_elements);
}
