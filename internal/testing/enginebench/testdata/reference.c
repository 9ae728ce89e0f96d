// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL [KEY VALUE]...
// Sets up a session as package cengine does for a model of fixed shapes, and
// calls run. It will do for any engine over anyinfer_engine.h.

#include "loop.h"

#include "anyinfer_engine.h"

static const anyinfer_api *api;
static anyinfer_error error;

static void check(anyinfer_status status) {
	if (status)
		fail(error.text);
}

static void no_log(void *user, int32_t level, const char *line) { (void)user, (void)level, (void)line; }

static int run(void *session) { return api->run(session, &error); }

// content is that of a file, in memory as the ABI has it.
static void *content(const char *path, uint64_t *size) {
	FILE *file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END))
		fail(path);
	*size = ftell(file);
	rewind(file);
	void *memory = tensor(*size / sizeof(float) + 1);
	if (fread(memory, 1, *size, file) != *size)
		fail(path);
	fclose(file);
	return memory;
}

int main(int argc, char **argv) {
	if (argc < 5 || argc > 5 + 32)
		fail("usage");
	open_library(argv[1]);
	size_t in_elements = atol(argv[2]), out_elements = atol(argv[3]);
	api = ((const anyinfer_api *(*)(void))function("anyinfer_engine"))();

	anyinfer_host host = {no_log, NULL};
	anyinfer_engine_t *engine;
	anyinfer_model_t *model;
	anyinfer_session_t *session;
	check(api->open(&host, &engine, &error));
	const char *keys[17] = {"threads"}, *values[17] = {"1"};
	int32_t canceled = 0;
	uint64_t size;
	const void *data = content(argv[4], &size);
	anyinfer_source source = {
		.format = "", .data = &data, .sizes = &size, .parts = 1,
		.keys = keys, .values = values, .options = 1, .canceled = &canceled,
	};
	for (int i = 5; i + 1 < argc; i += 2, source.options++) {
		keys[source.options] = argv[i];
		values[source.options] = argv[i + 1];
	}
	check(api->load(engine, &source, &model, &error));
	check(api->session(model, 0, &session, &error));

	anyinfer_tensor input;
	anyinfer_shape shape;
	check(api->input(model, 0, 0, &input, &error));
	check(api->reshape(session, &input.shape, &shape, &error));
	float *in = tensor(in_elements), *out = tensor(out_elements);
	const void *inputs[] = {in};
	void *outputs[] = {out};
	check(api->bind(session, inputs, outputs, &error));
	return serve(run, session, out, out_elements);
}
