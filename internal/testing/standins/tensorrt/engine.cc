// SPDX-License-Identifier: Apache-2.0

// A STAND-IN for TensorRT, and no part of it: see NvInferRuntime.h beside it.
// Runtimes and engines.
#include "engine.h"

namespace standin {

void see_device(const char* what, int device) {
  const int now = standin::device();
  if (!retained(device)) mistake(std::string(what) + " was deleted after the context of its GPU");
  else if ((now < 0 ? 0 : now) != device) mistake(std::string(what) + " was deleted while another GPU than its own was current");
}

Engine::~Engine() {
  last(logger_, "Destroying an engine object before destroying the IExecutionContext objects it created leads to undefined behavior.");
  see_device("an engine", compiled_->device);
}

nvinfer1::IExecutionContext* Engine::create() {
  if (fails("createExecutionContext")) {
    internal_error(logger_, "ICudaEngine::createExecutionContext", 2, "stand-in: it fails as asked for");
    return nullptr;
  }
  if (used("createExecutionContext") != compiled_->device) {
    internal_error(logger_, "ICudaEngine::createExecutionContext", 1, "Cuda Runtime (invalid device context): the engine is on GPU " + std::to_string(compiled_->device));
    return nullptr;
  }
  return make_context(*this, logger_, compiled_);
}

namespace {

const Io& nothing() {
  static const Io none{"", false, FLOAT, {}};
  return none;
}

}  // namespace

#if STANDIN_TENSORRT < 1000
const Io& Engine::at(const char* function, int32_t binding) const {
  if (binding >= 0 && binding < getNbBindings()) return compiled_->ios[size_t(binding) % compiled_->ios.size()];
  api_error(logger_, std::string("ICudaEngine::") + function, "Parameter check failed at: bindingIndex >= 0 && bindingIndex < getNbBindings()");
  return nothing();
}

int32_t Engine::getBindingIndex(char const* name) const {
  for (int32_t i = 0; i < getNbBindings(); i++)
    if (std::string(getBindingName(i)) == name) return i;
  return -1;
}

char const* Engine::getBindingName(int32_t index) const {
  const Io& io = at("getBindingName", index);
  if (&io == &nothing()) return nullptr;
  const int profile = index / int(compiled_->ios.size());
  if (profile == 0) return io.name.c_str();
  std::lock_guard<std::mutex> lock(compiled_->mutex);
  std::string& name = binding_names_[index];
  name = io.name + " [profile " + std::to_string(profile) + "]";
  return name.c_str();
}

nvinfer1::Dims Engine::getProfileDimensions(int32_t index, int32_t profile, nvinfer1::OptProfileSelector select) const {
  const Io& io = at("getProfileDimensions", index);
  if (!io.input || profile < 0 || profile >= compiled_->profiles() || index / int(compiled_->ios.size()) != profile) {
    api_error(logger_, "ICudaEngine::getProfileDimensions", "Parameter check failed: binding " + std::to_string(index) + " is no input of profile " + std::to_string(profile));
    return nvinfer1::Dims{-1, {}};
  }
  return to_dims(compiled_->range(io, profile, size_t(select)));
}
#endif

#if STANDIN_TENSORRT >= 806
const Io& Engine::named(const char* function, const char* name) const {
  const int i = compiled_->find(name);
  if (i >= 0) return compiled_->ios[size_t(i)];
  api_error(logger_, std::string("ICudaEngine::") + function, "Given invalid tensor name: " + std::string(name == nullptr ? "NULL" : name) + ". Get valid tensor names with getIOTensorName()");
  return nothing();
}

char const* Engine::getIOTensorName(int32_t index) const {
  if (index >= 0 && size_t(index) < compiled_->ios.size()) return compiled_->ios[size_t(index)].name.c_str();
  api_error(logger_, "ICudaEngine::getIOTensorName", "Parameter check failed, condition: index >= 0 && index < getNbIOTensors()");
  return nullptr;
}

nvinfer1::Dims Engine::getTensorShape(char const* name) const {
  const Io& io = named("getTensorShape", name);
  return &io == &nothing() ? nvinfer1::Dims{-1, {}} : to_dims(io.shape);
}

nvinfer1::Dims Engine::getProfileShape(char const* name, int32_t profile, nvinfer1::OptProfileSelector select) const {
  const Io& io = named("getProfileShape", name);
  if (io.input && profile >= 0 && profile < compiled_->profiles()) return to_dims(compiled_->range(io, profile, size_t(select)));
  api_error(logger_, "ICudaEngine::getProfileShape", "Parameter check failed: " + io.name + " is no input, or there is no profile " + std::to_string(profile));
  return nvinfer1::Dims{-1, {}};
}
#endif

namespace {

class Runtime final : public nvinfer1::IRuntime, public Object {
 public:
  Runtime(ILogger& logger, int device) : logger_(logger), device_(device) {}
  ~Runtime() { last(logger_, "Destroying a runtime before destroying deserialized engines created by the runtime leads to undefined behavior."); }

  nvinfer1::ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) override {
    if (fails("deserializeCudaEngine")) return refuse(4, "stand-in: it fails as asked for");
    const int device = used("deserializeCudaEngine");
    const std::string bytes(static_cast<const char*>(blob), size);
    auto c = std::make_shared<Compiled>();
    c->device = device;
    const std::string wrong = read_plan(bytes, {gpu(device).major, gpu(device).minor}, c->plan);
    if (!wrong.empty()) return refuse(1, wrong);
    if (c->plan.dla && (core_ < 0 || core_ >= gpu(device).dla_cores)) return refuse(4, "the engine is for a DLA core, and DLA core " + std::to_string(core_) + " is not there");
    try {
      compile(*c);
    } catch (const Refusal& r) {
      return refuse(1, r.text);
    } catch (const std::bad_alloc&) {
      return refuse(2, "out of memory");
    }
    logger_.log(Severity::kINFO, ("Loaded engine size: " + std::to_string(size >> 20) + " MiB").c_str());
    return new Engine(children(), logger_, std::move(c), bytes);
  }
  void setDLACore(int32_t core) override {
    if (core < 0 || core >= getNbDLACores()) api_error(logger_, "IRuntime::setDLACore", "Parameter check failed, condition: dlaCore >= 0 && dlaCore < getNbDLACores()");
    else core_ = core;
  }
  int32_t getDLACore() const override { return core_; }
  int32_t getNbDLACores() const override { return gpu(device_).dla_cores; }
  ILogger* getLogger() const override { return &logger_; }
#if STANDIN_TENSORRT >= 806
  bool setMaxThreads(int32_t n) override {
    threads_ = n;
    return n >= 1;
  }
  int32_t getMaxThreads() const override { return threads_; }
#endif

 private:
  nvinfer1::ICudaEngine* refuse(int code, const std::string& text) {
    internal_error(logger_, "IRuntime::deserializeCudaEngine", code, text);
    internal_error(logger_, "IRuntime::deserializeCudaEngine", 4, "Engine deserialization failed.");
    return nullptr;
  }

  static void compile(Compiled& c) {
    Model model = read_onnx(c.plan.onnx.data(), c.plan.onnx.size(), [&](const std::string& tensor, const std::string&, uint64_t, uint64_t) { return c.plan.external[tensor]; });
    narrow(model);
    auto graph = std::make_shared<Graph>(std::move(model));
    for (auto& i : graph->inputs()) {
      c.ios.push_back({i.name, true, i.type, i.shape});
      c.dynamic = c.dynamic || is_dynamic(i.shape);
    }
    for (auto& o : graph->outputs()) c.ios.push_back({o.name, false, graph->value(o.name).type, graph->value(o.name).shape});
    for (size_t i = 0; i < graph->nodes().size(); i++) c.layers.push_back(c.plan.verbosity == int(nvinfer1::ProfilingVerbosity::kNONE) ? std::to_string(i) : layer_name(graph->nodes()[i], i));
    c.graph = graph;
    c.users.resize(size_t(c.profiles()));
  }

  ILogger& logger_;
  int device_;
  int32_t core_ = -1;
#if STANDIN_TENSORRT >= 806
  int32_t threads_ = 1;
#endif
};

}  // namespace

}  // namespace standin

int32_t getInferLibVersion() noexcept { return NV_TENSORRT_VERSION; }

void* createInferRuntime_INTERNAL(void* logger, int32_t version) {
  using namespace standin;
  if (fails("createInferRuntime") || logger == nullptr) return nullptr;
  auto& l = *static_cast<ILogger*>(logger);
  if (version != NV_TENSORRT_VERSION) {
    api_error(l, "createInferRuntime", "CHECK failed: the library is " + std::to_string(NV_TENSORRT_VERSION) + ", the headers are " + std::to_string(version));
    return nullptr;
  }
  return static_cast<nvinfer1::IRuntime*>(new Runtime(l, used("createInferRuntime")));
}
