// SPDX-License-Identifier: Apache-2.0

// What the loops over OpenVINO have in common: they read a model, and make infer
// requests as package openvino does for a model of fixed shapes.

#include "loop.h"

enum { PROPERTIES = 16 };

struct shape { // ov_shape_t
	int64_t rank;
	int64_t *dims;
};

static int (*infer)(void *);
static int (*tensor_shape)(void *, struct shape *);
static int (*tensor_from_host)(int, struct shape, void *, void **);
static void *core, *model;

// host makes an ov_tensor_t of data with the shape of like.
static void *host(void *like, int type, float *data) {
	struct shape shape;
	void *t;
	if (tensor_shape(like, &shape) || tensor_from_host(type, shape, data, &t))
		fail("a tensor");
	return t;
}

static void read_model(const char *library_path, const char *path) {
	open_library(library_path);
	int (*core_create)(void **) = function("ov_core_create");
	int (*read)(void *, const char *, const char *, void **) = function("ov_core_read_model");
	infer = function("ov_infer_request_infer");
	tensor_shape = function("ov_tensor_get_shape");
	tensor_from_host = function("ov_tensor_create_from_host_ptr");
	if (core_create(&core) || read(core, path, NULL, &model))
		fail("the model");
}

// new_request compiles the model with count properties, keys and values by turns,
// and makes an infer request of it that works in the memory of in and out.
static void *new_request(int count, char **properties, int type, float *in, float *out) {
	int (*compile)(void *, void *, const char *, size_t, void **, ...) = function("ov_core_compile_model");
	int (*create_request)(void *, void **) = function("ov_compiled_model_create_infer_request");
	int (*get_input)(void *, size_t, void **) = function("ov_infer_request_get_input_tensor_by_index");
	int (*get_output)(void *, size_t, void **) = function("ov_infer_request_get_output_tensor_by_index");
	int (*set_input)(void *, size_t, void *) = function("ov_infer_request_set_input_tensor_by_index");
	int (*set_output)(void *, size_t, void *) = function("ov_infer_request_set_output_tensor_by_index");

	char *p[PROPERTIES] = {0};
	for (int i = 0; i < count; i++)
		p[i] = properties[i];
	void *compiled, *request, *like_in, *like_out;
	if (compile(core, model, "CPU", count, &compiled, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7],
	            p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15]))
		fail("the compiled model");
	if (create_request(compiled, &request) || get_input(request, 0, &like_in) || get_output(request, 0, &like_out))
		fail("the request");
	if (set_output(request, 0, host(like_out, type, out)) || set_input(request, 0, host(like_in, type, in)))
		fail("the tensors");
	return request;
}
