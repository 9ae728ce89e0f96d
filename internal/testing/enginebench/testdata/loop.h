// SPDX-License-Identifier: Apache-2.0

// What the loops in C have in common: look up functions, and time a call.

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *library;

static void fail(const char *what) {
	printf("error: %s\n", what);
	exit(1);
}

static void *function(const char *name) {
	void *f = dlsym(library, name);
	if (!f)
		fail(name);
	return f;
}

static void open_library(const char *path) {
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail(dlerror());
}

// tensor is memory like that of Go tensors: 64-byte aligned and padded.
static float *tensor(size_t elements) {
	size_t bytes = (elements * sizeof(float) + 64 + 63) / 64 * 64;
	float *p = (float *)aligned_alloc(64, bytes);
	for (size_t i = 0; i < bytes / sizeof(float); i++)
		p[i] = i % 17;
	return p;
}

// serve reads how often to call, and answers how many nanoseconds that took
// and the sum of the outputs, until there is nothing to read.
static int serve(int (*call)(void *), void *argument, const float *out, size_t elements) {
	long n;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (scanf("%ld", &n) == 1) {
		struct timespec from, to;
		for (int i = 0; i < 100; i++) // warm up
			if (call(argument))
				fail("the call");
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (long i = 0; i < n; i++)
			if (call(argument))
				fail("the call");
		clock_gettime(CLOCK_MONOTONIC, &to);
		double sum = 0;
		for (size_t i = 0; i < elements; i++)
			sum += out[i];
		printf("%lld %.9g\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec, sum);
	}
	return 0;
}
