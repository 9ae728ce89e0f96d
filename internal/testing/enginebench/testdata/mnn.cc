// SPDX-License-Identifier: Apache-2.0

// Usage: LIBRARY INPUT-ELEMENTS OUTPUT-ELEMENTS MODEL
// Runs a model of fixed shapes with MNN itself, on one thread, so that it can
// be interrupted between operators; LIBRARY, the shim, is not used. With
// MNN_PLAIN set it cannot be interrupted: what that costs shows.

#include <MNN/expr/Executor.hpp>
#include <MNN/expr/ExecutorScope.hpp>
#include <MNN/expr/Module.hpp>

#include <unistd.h>

#include <atomic>

#include "loop.h"

using namespace MNN;
using namespace MNN::Express;

static Module *module;
static std::atomic<bool> canceled;
static const void *result;
static float *out;
static size_t out_bytes;

static int run(void *) {
	module->onForward({});
	memcpy(out, result, out_bytes);
	return canceled;
}

static bool go_on(const std::vector<Tensor *> &, const OperatorInfo *) { return !canceled; }

int main(int argc, char **argv) {
	if (argc != 5)
		fail("usage");
	size_t in_elements = atol(argv[2]), out_elements = atol(argv[3]);
	float *in = tensor(in_elements);
	out = tensor(out_elements);
	out_bytes = out_elements * sizeof *out;

	const int answers = dup(STDOUT_FILENO); // MNN prints there, too
	dup2(STDERR_FILENO, STDOUT_FILENO);
	BackendConfig config;
	config.precision = BackendConfig::Precision_High;
	auto executor = Executor::newExecutor(MNN_FORWARD_CPU, config, 1);
	ExecutorScope scope(executor);
	ScheduleConfig schedule;
	schedule.numThread = 1;
	schedule.backendConfig = &config;
	std::shared_ptr<Executor::RuntimeManager> manager(Executor::RuntimeManager::createRuntimeManager(schedule), Executor::RuntimeManager::destroy);
	if (!getenv("MNN_PLAIN")) {
		manager->setMode(Interpreter::Session_Debug);
		executor->setCallBack(go_on, go_on);
	}
	module = Module::load({}, {}, argv[4], manager);
	if (!module || module->traceOrOptimize(Interpreter::Module_Forward_Separate))
		fail("load");
	Variable::Info info = module->getInfo()->inputs[0];
	auto input = Variable::create(Expr::create(std::move(info), in, VARP::INPUT, Expr::REF));
	auto outputs = module->onForward({input});
	if (outputs.empty())
		fail("shapes");
	result = outputs[0]->readMap<void>();
	fflush(stdout);
	dup2(answers, STDOUT_FILENO);
	return serve(run, nullptr, out, out_elements);
}
