// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL ELEMENT-TYPE [KEY VALUE]...
// Sets up an infer request as package openvino does for a model of fixed
// shapes, and calls ov_infer_request_infer.

#include "openvino.h"

int main(int argc, char **argv) {
	if (argc < 6 || argc > 6 + PROPERTIES)
		fail("usage");
	size_t in_elements = atol(argv[2]), out_elements = atol(argv[3]);
	read_model(argv[1], argv[4]);
	float *out = tensor(out_elements);
	return serve(infer, new_request(argc - 6, &argv[6], atoi(argv[5]), tensor(in_elements), out), out, out_elements);
}
