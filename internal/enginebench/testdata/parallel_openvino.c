// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL THREADS ELEMENT-TYPE [KEY VALUE]...
// Sets up as many compiled models of fixed shapes as there are threads, with an
// infer request each, and calls ov_infer_request_infer in all threads at once.

#include <pthread.h>

#include "loop.h"

enum { MOST = 64, PROPERTIES = 16 };

struct shape { // ov_shape_t
	int64_t rank;
	int64_t *dims;
};

static int (*tensor_shape)(void *, struct shape *);
static int (*tensor_from_host)(int, struct shape, void *, void **);
static int (*infer)(void *);

static pthread_barrier_t begin, warm, end;
static long calls;

static struct worker {
	void *request;
	float *out;
	long long from, to; // when it began and ended, in nanoseconds
} workers[MOST];

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// host makes an ov_tensor_t of data with the shape of like.
static void *host(void *like, int type, float *data) {
	struct shape shape;
	void *t;
	if (tensor_shape(like, &shape) || tensor_from_host(type, shape, data, &t))
		fail("a tensor");
	return t;
}

static void run(void *request, long n) {
	for (long i = 0; i < n; i++)
		if (infer(request))
			fail("the call");
}

static void *thread(void *argument) {
	struct worker *w = argument;
	for (;;) {
		pthread_barrier_wait(&begin);
		run(w->request, 100); // warm up
		pthread_barrier_wait(&warm);
		w->from = now();
		run(w->request, calls);
		w->to = now();
		pthread_barrier_wait(&end);
	}
	return NULL;
}

int main(int argc, char **argv) {
	if (argc < 7 || argc > 7 + PROPERTIES)
		fail("usage");
	open_library(argv[1]);
	size_t in_elements = atol(argv[2]), out_elements = atol(argv[3]);
	int threads = atoi(argv[5]), type = atoi(argv[6]);
	if (threads < 1 || threads > MOST)
		fail("the number of threads");
	char *p[PROPERTIES] = {0};
	for (int i = 7; i < argc; i++)
		p[i - 7] = argv[i];

	int (*core_create)(void **) = function("ov_core_create");
	int (*read_model)(void *, const char *, const char *, void **) = function("ov_core_read_model");
	int (*compile)(void *, void *, const char *, size_t, void **, ...) = function("ov_core_compile_model");
	int (*create_request)(void *, void **) = function("ov_compiled_model_create_infer_request");
	int (*get_input)(void *, size_t, void **) = function("ov_infer_request_get_input_tensor_by_index");
	int (*get_output)(void *, size_t, void **) = function("ov_infer_request_get_output_tensor_by_index");
	int (*set_input)(void *, size_t, void *) = function("ov_infer_request_set_input_tensor_by_index");
	int (*set_output)(void *, size_t, void *) = function("ov_infer_request_set_output_tensor_by_index");
	infer = function("ov_infer_request_infer");
	tensor_shape = function("ov_tensor_get_shape");
	tensor_from_host = function("ov_tensor_create_from_host_ptr");

	void *core, *model;
	if (core_create(&core) || read_model(core, argv[4], NULL, &model))
		fail("the model");
	pthread_barrier_init(&begin, NULL, threads + 1);
	pthread_barrier_init(&warm, NULL, threads);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (int i = 0; i < threads; i++) {
		struct worker *w = &workers[i];
		void *compiled, *like_in, *like_out;
		if (compile(core, model, "CPU", argc - 7, &compiled, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7],
		            p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15]))
			fail("the compiled model");
		if (create_request(compiled, &w->request) || get_input(w->request, 0, &like_in) || get_output(w->request, 0, &like_out))
			fail("the request");
		w->out = tensor(out_elements);
		if (set_output(w->request, 0, host(like_out, type, w->out)) || set_input(w->request, 0, host(like_in, type, tensor(in_elements))))
			fail("the tensors");
		pthread_t t;
		if (pthread_create(&t, NULL, thread, w))
			fail("a thread");
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (scanf("%ld", &calls) == 1) {
		pthread_barrier_wait(&begin);
		pthread_barrier_wait(&end);
		long long from = workers[0].from, to = workers[0].to;
		double sum = 0;
		for (int i = 0; i < threads; i++) {
			struct worker *w = &workers[i];
			from = w->from < from ? w->from : from;
			to = w->to > to ? w->to : to;
			for (size_t j = 0; j < out_elements; j++)
				sum += w->out[j];
		}
		printf("%lld %.9g\n", to - from, sum);
	}
	return 0;
}
