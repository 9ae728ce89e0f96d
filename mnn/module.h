/* SPDX-License-Identifier: Apache-2.0 */
/* MNN's modules, which run a model, and their runtimes. */
#ifndef ANYINFER_MNN_MODULE_H
#define ANYINFER_MNN_MODULE_H

#if !__has_include(<MNN/expr/Module.hpp>)
#error "MNN's headers are not found: set their folder with `eval \"$(anyinfer sdk env mnn)\"`, after `anyinfer sdk install mnn` or with MNN_ROOT set"
#endif
#include "log.h" // before the C++ library: it selects the kind of std::string

#include <MNN/Interpreter.hpp>
#include <MNN/expr/Executor.hpp>
#include <MNN/expr/ExecutorScope.hpp>
#include <MNN/expr/Module.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

namespace anyinfer_mnn {

using MNN::BackendConfig;
using MNN::Interpreter;
using MNN::OperatorInfo;
using MNN::Tensor;
using MNN::Express::Executor;
using MNN::Express::ExecutorScope;
using MNN::Express::Expr;
using MNN::Express::Module;
using MNN::Express::Variable;
using MNN::Express::VARP;
using MNN::Express::VARPS;
using anyinfer::at;
using anyinfer::guarded;
using anyinfer::hosts;
using anyinfer::refuse;
using anyinfer::set_text;
using anyinfer::to_shape;

struct backend {
  MNNForwardType type;
  const char* name;
  const char* description;
};

const backend backends[] = {
    {MNN_FORWARD_CPU, "CPU", "processor"},
    {MNN_FORWARD_CUDA, "CUDA", "NVIDIA GPU"},
    {MNN_FORWARD_METAL, "METAL", "Apple GPU"},
    {MNN_FORWARD_OPENCL, "OPENCL", "GPU with OpenCL"},
    {MNN_FORWARD_VULKAN, "VULKAN", "GPU with Vulkan"},
    {MNN_FORWARD_OPENGL, "OPENGL", "GPU with OpenGL ES"},
    {MNN_FORWARD_NN, "NN", "the system's neural network API"},
    {MNN_FORWARD_HEXAGON, "HEXAGON", "Qualcomm DSP"},
    {MNN_FORWARD_MUSA, "MUSA", "Moore Threads GPU"},
};

// dtype_of is ANYINFER_DTYPE for MNN's type.
anyinfer_dtype dtype_of(halide_type_t type, const std::string& name) {
  static const struct {
    halide_type_code_t code;
    int bits;
    anyinfer_dtype dtype;
  } all[] = {
      {halide_type_float, 32, ANYINFER_FLOAT32}, {halide_type_float, 16, ANYINFER_FLOAT16}, {halide_type_float, 64, ANYINFER_FLOAT64},
      {halide_type_bfloat, 16, ANYINFER_BFLOAT16}, {halide_type_int, 8, ANYINFER_INT8}, {halide_type_int, 16, ANYINFER_INT16},
      {halide_type_int, 32, ANYINFER_INT32}, {halide_type_int, 64, ANYINFER_INT64}, {halide_type_uint, 8, ANYINFER_UINT8},
      {halide_type_uint, 16, ANYINFER_UINT16}, {halide_type_uint, 32, ANYINFER_UINT32}, {halide_type_uint, 64, ANYINFER_UINT64},
  };
  for (auto& t : all)
    if (t.code == type.code && t.bits == type.bits) return t.dtype;
  refuse(ANYINFER_DTYPE, "tensor \"%.100s\" has elements of %d bits and kind %d", name.c_str(), int(type.bits), int(type.code));
}

struct settings {
  backend device = backends[0];
  BackendConfig config;
  int threads = 1; // of a run; for a GPU, how MNN tunes kernels
  bool profile = false;
  std::string cache; // the file, or ""
  std::string external; // the file of external weights, or ""
};

// runtime has the executor and runtime manager of a module. An executor has the
// memory of one thread's computations, so each session has one.
struct runtime {
  std::shared_ptr<Executor> executor;
  std::shared_ptr<Executor::RuntimeManager> manager;

  explicit runtime(const settings& s) : executor(Executor::newExecutor(s.device.type, s.config, s.threads)) {
    if (executor == nullptr) refuse(ANYINFER_DEVICE, "MNN cannot use %s", s.device.name);
    ExecutorScope scope(executor);
    BackendConfig config = s.config;
    MNN::ScheduleConfig schedule;
    schedule.type = s.device.type;
    schedule.numThread = s.threads;
    schedule.backendConfig = &config;
    manager.reset(Executor::RuntimeManager::createRuntimeManager(schedule), Executor::RuntimeManager::destroy);
    int used = -1;
    if (manager != nullptr) manager->getInfo(Interpreter::BACKENDS, &used);
    if (used != s.device.type) refuse(ANYINFER_DEVICE, "MNN cannot use %s", s.device.name);
    manager->setMode(Interpreter::Session_Debug); // calls back before and after each operator
    if (!s.external.empty()) manager->setExternalFile(s.external);
    if (!s.cache.empty()) manager->setCache(s.cache);
  }
};

// reason returns MNN's output as the end of an error message.
std::string reason(const std::string& printed) { return printed.empty() ? "" : ": " + printed; }

// available reports whether MNN was built with a backend and finds its device.
bool available(const backend& b) {
  hosts::mute quiet;
  auto executor = Executor::newExecutor(b.type, BackendConfig(), 1);
  if (executor == nullptr) return false;
  ExecutorScope scope(executor);
  auto all = Executor::getRuntime().first;
  return all[b.type] != nullptr;
}

// watch counts the operators of the module that runs on this thread, in callbacks
// of the executor, and stops a cancelled module.
struct watch {
  std::atomic<bool> canceled{false};
  const volatile int32_t* load_canceled = nullptr; // anyinfer_source.canceled, while it loads
  int64_t begun = 0, ended = 0;           // an operator that begins and does not end has failed
  bool profile = false;
  std::chrono::steady_clock::time_point start;
  struct layer {
    std::string name, type;
    int64_t micros;
  };
  std::vector<layer> layers; // the first `ended` count

  bool proceed() const { return !canceled.load(std::memory_order_relaxed) && (load_canceled == nullptr || *load_canceled == 0); }

  bool before() {
    begun++;
    if (profile) start = std::chrono::steady_clock::now();
    return proceed(); // false: MNN skips the operator
  }

  bool after(const OperatorInfo* op) {
    ended++;
    if (profile) {
      const auto time = std::chrono::steady_clock::now() - start;
      if (layers.size() < size_t(ended)) layers.emplace_back();
      auto& l = layers[size_t(ended) - 1];
      l.name = op->name();
      l.type = op->type();
      l.micros = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    }
    return proceed(); // false: MNN stops
  }

  // current returns the watch of the module that this thread runs.
  static watch*& current() {
    static ANYINFER_THREAD_LOCAL watch* w = nullptr;
    return w;
  }

  static void observe(Executor& executor) {
    executor.setCallBack([](const std::vector<Tensor*>&, const OperatorInfo*) { return current() == nullptr || current()->before(); },
                         [](const std::vector<Tensor*>&, const OperatorInfo* op) { return current() == nullptr || current()->after(op); });
  }
};

// forward runs m while w is current.
VARPS forward(Module& m, const VARPS& inputs, watch& w) {
  struct watched {
    explicit watched(watch& w) { watch::current() = &w; }
    ~watched() { watch::current() = nullptr; }
  };
  w.begun = w.ended = 0;
  const watched during(w);
  return m.onForward(inputs);
}

// separate makes a module infer shapes in calls with inputs, and compute in calls
// without. It returns false if the module cannot do that.
bool separate(Module& m) {
  if (m.getInfo()->inputNames.empty()) return false;
  if (m.traceOrOptimize(Interpreter::Module_Forward_Separate) == 0) return true;
  m.traceOrOptimize(Interpreter::Module_Forward_Combine);
  return false;
}

alignas(64) char placeholder[64]; // the memory of inputs until bind; it is not read

size_t bytes_of(const Variable::Info& info) { return info.size * size_t(info.type.bytes()); }

// planes are the dimensions of a tensor of any rank in the layouts NCHW and NC4HW4.
struct planes {
  size_t batch = 1, channels = 1, area = 1, size;

  explicit planes(const Variable::Info& info) : size(size_t(info.type.bytes())) {
    for (size_t i = 0; i < info.dim.size(); i++) (i == 0 ? batch : i == 1 ? channels : area) *= size_t(info.dim[i]);
  }

  size_t blocks() const { return (channels + 3) / 4; } // of four channels, the last one padded

  size_t packed() const { return batch * blocks() * 4 * area * size; }

  // pack copies NCHW to NC4HW4; the padding of the last block is not written.
  void pack(const char* from, char* to) const {
    for (size_t b = 0; b < batch; b++)
      for (size_t c = 0; c < channels; c++) {
        char* block = to + ((b * blocks() + c / 4) * area * 4 + c % 4) * size;
        for (size_t i = 0; i < area; i++, from += size) memcpy(block + i * 4 * size, from, size);
      }
  }
};

// input_variable makes a variable whose memory set_memory sets.
VARP input_variable(const Variable::Info& like, const anyinfer_shape& shape) {
  Variable::Info info = like;
  info.dim.assign(shape.dims, shape.dims + shape.rank);
  info.syncSize();
  return Variable::create(Expr::create(std::move(info), placeholder, VARP::INPUT, Expr::REF));
}

void set_memory(VARP& v, const void* memory) { const_cast<Tensor*>(v->getTensor())->buffer().host = static_cast<uint8_t*>(const_cast<void*>(memory)); }

}  // namespace anyinfer_mnn

using namespace anyinfer_mnn;

#endif
