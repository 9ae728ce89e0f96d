// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL
// Runs a model of fixed shapes with TNN itself, on one thread, with the Mats
// that TNN's documentation shows; LIBRARY, the shim, is not used.

#include <tnn/core/tnn.h>
#include <tnn/core/mat.h>
#include <tnn/utils/blob_converter.h>

#include <fstream>
#include <iterator>

#include "loop.h"

using namespace TNN_NS;

#if defined(__x86_64__)
static const DeviceType device = DEVICE_X86;
#else
static const DeviceType device = DEVICE_ARM;
#endif

static std::shared_ptr<Instance> instance;
static std::shared_ptr<Mat> input;
static float *out;
static size_t out_bytes;

static int run(void *) {
	std::shared_ptr<Mat> output;
	if ((int)instance->SetInputMat(input, MatConvertParam()) != TNN_OK || (int)instance->Forward() != TNN_OK ||
	    (int)instance->GetOutputMat(output, MatConvertParam(), "", device) != TNN_OK)
		return 1;
	memcpy(out, output->GetData(), out_bytes);
	return 0;
}

static std::string contents(const std::string &file) {
	std::ifstream f(file, std::ios::binary);
	return std::string(std::istreambuf_iterator<char>(f), std::istreambuf_iterator<char>());
}

int main(int argc, char **argv) {
	if (argc != 5)
		fail("usage");
	float *in = tensor(atol(argv[2]));
	out_bytes = atol(argv[3]) * sizeof *out;
	out = tensor(atol(argv[3]));

	std::string proto = argv[4];
	ModelConfig model;
	model.params = {contents(proto), contents(proto.substr(0, proto.rfind('.')) + ".tnnmodel")};
	TNN net;
	NetworkConfig config;
	config.device_type = device;
	config.precision = PRECISION_HIGH;
	Status status;
	InputShapesMap shapes;
	if ((int)net.Init(model) != TNN_OK || !(instance = net.CreateInst(config, status)) || (int)net.GetModelInputShapesMap(shapes) != TNN_OK)
		fail("load");
	instance->SetCpuNumThreads(1);
	input = std::make_shared<Mat>(device, NCHW_FLOAT, shapes.begin()->second, in);
	return serve(run, nullptr, out, out_bytes / sizeof *out);
}
