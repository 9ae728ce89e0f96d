// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL THREADS ELEMENT-TYPE [KEY VALUE]...
// Sets up as many compiled models of fixed shapes as there are threads, with an
// infer request each, and calls ov_infer_request_infer in all threads at once.

#include <pthread.h>

#include "openvino.h"

enum { MOST = 64 };

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
	size_t in_elements = atol(argv[2]), out_elements = atol(argv[3]);
	int threads = atoi(argv[5]), type = atoi(argv[6]);
	if (threads < 1 || threads > MOST)
		fail("the number of threads");
	read_model(argv[1], argv[4]);
	pthread_barrier_init(&begin, NULL, threads + 1);
	pthread_barrier_init(&warm, NULL, threads);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (int i = 0; i < threads; i++) {
		struct worker *w = &workers[i];
		w->out = tensor(out_elements);
		w->request = new_request(argc - 7, &argv[7], type, tensor(in_elements), w->out);
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
