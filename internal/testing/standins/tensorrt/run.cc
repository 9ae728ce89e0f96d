// SPDX-License-Identifier: Apache-2.0

// Runtimes, engines and execution contexts of the stand-in for TensorRT.
#include <algorithm>
#include <cstring>
#include <mutex>

#include "plan.h"

namespace standin {

namespace {

using nvinfer1::Dims;
using nvinfer1::OptProfileSelector;

const size_t ALIGNMENT = 256; // of the addresses that TensorRT takes
const Dims NO_DIMS{-1, {}};

// What an engine shares with its contexts, and with what they put on streams.
struct Compiled {
  Compiled(const std::string& bytes, int d)
      : plan(read_plan(bytes, d)), device(d), users(plan.profiles.size()), model(plan.onnx, [&](const std::string& file) { return plan.external.at(file); }, node) {
    ports = model.inputs;
    ports.insert(ports.end(), model.outputs.begin(), model.outputs.end());
  }
  bool is_input(size_t port) const { return port < model.inputs.size(); }
  size_t find(const char* name) const {
    for (size_t i = 0; i < ports.size(); i++)
      if (ports[i].name == name) return i;
    throw std::runtime_error(std::string("stand-in: there is no tensor ") + name);
  }
  Shape range(size_t port, int profile, OptProfileSelector which) const {
    const Ranges& ranges = plan.profiles.at(size_t(profile));
    const auto found = ranges.find(ports.at(port).name);
    return found == ranges.end() ? ports[port].shape : found->second[size_t(which)];
  }

  Plan plan;
  int device;
  std::mutex mutex;
  std::vector<int> users; // by profile: how many contexts have it
  int node = -1;
  Model model;
  std::vector<Port> ports; // inputs first
};

// What a context shares with what it has put on streams.
struct State {
  std::shared_ptr<const Compiled> compiled;
  bool alive = true;
  Shapes shapes; // of the inputs, as far as they were set
};

struct Job {
  std::shared_ptr<State> state;
  Shapes shapes;
  std::vector<void*> addresses; // of the ports
  bool captured;
};

char* bytes_of_port(const Job& job, size_t port, size_t bytes) {
  char* p = bytes_at(job.addresses[port], bytes, job.state->compiled->device);
  if (p == nullptr) mistake("an engine runs with \"" + job.state->compiled->ports[port].name + "\" at an address where no " + std::to_string(bytes) + " bytes of its GPU are");
  return p;
}

// compute returns an error of CUDA's, or 0.
int compute(const Job& job, Tensors& all) {
  const Compiled& c = *job.state->compiled;
  if (!job.state->alive) mistake("a context is deleted before what it has put on a stream is done");
  if (job.captured && job.state->shapes != job.shapes) mistake("a graph is launched that was captured for other shapes");
  if (!job.state->alive || (job.captured && job.state->shapes != job.shapes)) return ILLEGAL_ADDRESS;
  for (size_t i = 0; i < c.model.inputs.size(); i++) {
    Tensor& t = all[c.ports[i].name] = {c.ports[i].type, job.shapes.at(c.ports[i].name), {}};
    t.data.resize(size_t(elements(t.shape)) * bytes_of(t.type));
    const char* from = bytes_of_port(job, i, t.data.size());
    if (from == nullptr) return ILLEGAL_ADDRESS;
    std::copy_n(from, t.data.size(), t.data.begin());
  }
  try {
    all = c.model.compute(std::move(all), c.plan.dropped_bits);
    return SUCCESS;
  } catch (const std::exception& e) {
    mistake(std::string("an engine fails as it runs: ") + e.what());
    return LAUNCH_FAILED;
  }
}

int write(const Job& job, const Tensors& all) {
  const Compiled& c = *job.state->compiled;
  for (size_t i = c.model.inputs.size(); i < c.ports.size(); i++) {
    const Tensor& t = all.at(c.ports[i].name);
    char* to = bytes_of_port(job, i, t.data.size());
    if (to == nullptr) return ILLEGAL_ADDRESS;
    std::copy(t.data.begin(), t.data.end(), to);
  }
  return SUCCESS;
}

class Context final : public nvinfer1::IExecutionContext, public Made {
 public:
  Context(const nvinfer1::ICudaEngine& engine, const Made& maker, ILogger& logger, std::shared_ptr<Compiled> compiled)
      : Made("a context", maker.made), engine_(engine), logger_(logger), compiled_(std::move(compiled)), state_(new State{compiled_, true, {}}), addresses_(compiled_->ports.size()) {
    take_profile(0);
  }
  ~Context() {
    if (current_device() != compiled_->device) mistake("a context is deleted while its GPU's is not current");
    give_profile_back();
    state_->alive = false;
  }

  void setProfiler(nvinfer1::IProfiler* profiler) override { profiler_ = profiler; }
  bool setOptimizationProfileAsync(int32_t profile, cudaStream_t stream) override {
    if (fails("setOptimizationProfileAsync") || !is_here(stream)) return false;
    return profile == profile_ || take_profile(profile) || no("another context has chosen the profile");
  }

#if STANDIN_TENSORRT < 806
  nvinfer1::ICudaEngine const& getEngine() const override { return engine_; }
  bool setBindingDimensions(int32_t index, Dims dims) override { return !fails("setBindingDimensions") && is_own(index) && set_shape(port(index), dims); }
  Dims getBindingDimensions(int32_t index) const override { return is_own(index) ? shape(port(index)) : NO_DIMS; }
  bool allInputDimensionsSpecified() const override { return state_->shapes.size() == compiled_->model.inputs.size(); }
  bool enqueueV2(void* const* bindings, cudaStream_t stream, cudaEvent_t*) override {
    if (fails("enqueueV2")) return no("it fails as asked for");
    std::copy_n(bindings + size_t(profile_) * addresses_.size(), addresses_.size(), addresses_.begin());
    return run(stream);
  }
#else
  bool setInputShape(char const* name, Dims const& dims) override { return !fails("setInputShape") && set_shape(compiled_->find(name), dims); }
  Dims getTensorShape(char const* name) const override { return shape(compiled_->find(name)); }
  int32_t inferShapes(int32_t, char const**) override { return fails("inferShapes") ? -1 : int32_t(compiled_->model.inputs.size() - state_->shapes.size()); }
  bool setTensorAddress(char const* name, void* data) override {
    if (fails("setTensorAddress")) return no("it fails as asked for");
    addresses_[compiled_->find(name)] = data;
    return true;
  }
  bool setOutputAllocator(char const* name, nvinfer1::IOutputAllocator* allocator) override {
    if (fails("setOutputAllocator")) return no("it fails as asked for");
    if (allocator == nullptr) allocators_.erase(compiled_->find(name));
    else allocators_[compiled_->find(name)] = allocator;
    return true;
  }
  bool enqueueV3(cudaStream_t stream) override { return fails("enqueueV3") ? no("it fails as asked for") : run(stream); }
#endif

 private:
  bool no(const std::string& text) const { return refuse(logger_, text) != nullptr; }

  bool is_here(cudaStream_t stream) const {
    const int d = compiled_->device;
    return (current_or_mistake("an execution context") == d && device_of(stream) == d) || no("the context and the stream are another GPU's");
  }

  // take_profile changes to a profile, which may be another context's alone.
  bool take_profile(int profile) {
    {
      std::lock_guard<std::mutex> lock(compiled_->mutex);
      int& users = compiled_->users.at(size_t(profile));
      if (users > 0 && !compiled_->plan.shared && !compiled_->plan.profiles[size_t(profile)].empty()) return false;
      users++;
    }
    give_profile_back();
    profile_ = profile;
    state_->shapes.clear();
    for (auto& i : compiled_->model.inputs)
      if (!is_dynamic(i.shape)) state_->shapes[i.name] = i.shape;
    return true;
  }
  void give_profile_back() {
    std::lock_guard<std::mutex> lock(compiled_->mutex);
    if (profile_ >= 0) compiled_->users[size_t(profile_)]--;
  }

#if STANDIN_TENSORRT < 806
  size_t port(int32_t binding) const { return size_t(binding) % addresses_.size(); }
  bool is_own(int32_t binding) const { return binding / int(addresses_.size()) == profile_ || no("a binding of another profile"); }
#endif

  bool set_shape(size_t port, const Dims& dims) {
    if (profile_ < 0 || !compiled_->is_input(port)) return no("the shape of an output, or without a profile");
    const Shape shape = from_dims(dims), least = compiled_->range(port, profile_, OptProfileSelector::kMIN), most = compiled_->range(port, profile_, OptProfileSelector::kMAX);
    bool good = shape.size() == least.size();
    for (size_t i = 0; good && i < shape.size(); i++) good = shape[i] >= least[i] && shape[i] <= most[i];
    if (good) state_->shapes[compiled_->ports[port].name] = shape;
    return good || no("a shape outside of the profile's range");
  }

  Dims shape(size_t port) const {
    try {
      return to_dims(compiled_->model.infer(state_->shapes).at(compiled_->ports[port].name).shape);
    } catch (const std::exception& e) {
      return no(e.what()), NO_DIMS;
    }
  }

  // run puts a run on a stream. Where outputs have allocators, or times are
  // wanted, it waits for the stream, and cannot be captured.
  bool run(cudaStream_t stream) {
    if (!is_here(stream)) return false;
    if (state_->shapes.size() != compiled_->model.inputs.size()) return no("the shapes of some inputs are not set");
#if STANDIN_TENSORRT >= 806
    const bool late = !allocators_.empty();
#else
    const bool late = false;
#endif
    for (size_t i = 0; i < addresses_.size(); i++) {
      const auto at = reinterpret_cast<uintptr_t>(addresses_[i]);
      const bool own = compiled_->is_input(i) || !is_dynamic(from_dims(shape(i)));
      if (own ? at == 0 || at % ALIGNMENT != 0 : !late) return no("\"" + compiled_->ports[i].name + "\" has no address, or none at " + std::to_string(ALIGNMENT) + " bytes");
    }
    Job job{state_, state_->shapes, addresses_, capturing(stream)};
    if (job.captured && (late || profiler_ != nullptr || prepared_ != job.shapes)) {
      invalidate_capture(stream);
      return no("it cannot be captured: it waits for the stream, or has not run with these shapes yet");
    }
    prepared_ = job.shapes;
    if (late) return run_late(job, stream);
    const auto work = [job] {
      Tensors all;
      const int result = compute(job, all);
      return result != SUCCESS ? result : write(job, all);
    };
    if (enqueue(stream, work) != SUCCESS) return no("the stream takes no work");
    if (profiler_ == nullptr) return true;
    if (synchronize(stream) != SUCCESS) return no("the GPU failed");
    for (auto& n : compiled_->model.nodes) profiler_->reportLayerTime(n.op.c_str(), 0.01f);
    return true;
  }

  // run_late computes at once, to ask for memory of as many bytes as there are.
  bool run_late(Job& job, cudaStream_t stream) {
    Tensors all;
    if (synchronize(stream) != SUCCESS || compute(job, all) != SUCCESS) return no("the GPU failed");
#if STANDIN_TENSORRT >= 806
    for (auto& a : allocators_) {
      const Port& port = compiled_->ports[a.first];
      const Tensor& t = all.at(port.name);
      void*& at = job.addresses[a.first];
      const size_t bytes = std::max<size_t>(t.data.size(), 1); // "always positive"
#if STANDIN_TENSORRT >= 1000
      at = a.second->reallocateOutputAsync(port.name.c_str(), at, bytes, ALIGNMENT, stream);
#else
      at = a.second->reallocateOutput(port.name.c_str(), at, bytes, ALIGNMENT);
#endif
      if (at == nullptr) return no("an allocator has no memory");
      a.second->notifyShape(port.name.c_str(), to_dims(t.shape));
    }
#endif
    return enqueue(stream, [job, all] { return write(job, all); }) == SUCCESS;
  }

  const nvinfer1::ICudaEngine& engine_;
  ILogger& logger_;
  std::shared_ptr<Compiled> compiled_;
  std::shared_ptr<State> state_;
  std::vector<void*> addresses_;
  int profile_ = -1;
  nvinfer1::IProfiler* profiler_ = nullptr;
  Shapes prepared_; // of the last run
#if STANDIN_TENSORRT >= 806
  std::map<size_t, nvinfer1::IOutputAllocator*> allocators_; // by port
#endif
};

class Engine final : public nvinfer1::ICudaEngine, public Made {
 public:
  Engine(const Made& runtime, ILogger& logger, std::shared_ptr<Compiled> compiled) : Made("an engine", runtime.made), logger_(logger), compiled_(std::move(compiled)) {}
  ~Engine() {
    if (current_device() != compiled_->device) mistake("an engine is deleted while its GPU's context is not current");
  }
  nvinfer1::IExecutionContext* createExecutionContext() override {
    if (fails("createExecutionContext")) return refuse(logger_, "it fails as asked for");
    if (current_or_mistake("createExecutionContext") != compiled_->device) return refuse(logger_, "the engine is another GPU's");
    return new Context(*this, *this, logger_, compiled_);
  }
  int32_t getNbOptimizationProfiles() const override { return int32_t(compiled_->plan.profiles.size()); }
#if STANDIN_TENSORRT < 1000
  bool hasImplicitBatchDimension() const override { return false; }
#endif
#if STANDIN_TENSORRT < 806
  // Each profile has bindings of its own, one behind the other.
  int32_t getNbBindings() const override { return int32_t(compiled_->ports.size()) * getNbOptimizationProfiles(); }
  char const* getBindingName(int32_t index) const override { return port(index).name.c_str(); }
  bool bindingIsInput(int32_t index) const override { return compiled_->is_input(size_t(index)); }
  nvinfer1::DataType getBindingDataType(int32_t index) const override { return to_trt(port(index).type); }
  Dims getBindingDimensions(int32_t index) const override { return to_dims(port(index).shape); }
  nvinfer1::TensorFormat getBindingFormat(int32_t) const override { return nvinfer1::TensorFormat::kLINEAR; }
  nvinfer1::TensorLocation getLocation(int32_t) const override { return nvinfer1::TensorLocation::kDEVICE; }
  bool isShapeBinding(int32_t) const override { return false; }
  Dims getProfileDimensions(int32_t index, int32_t profile, OptProfileSelector select) const override {
    const int32_t n = int32_t(compiled_->ports.size());
    return index / n == profile ? to_dims(compiled_->range(size_t(index % n), profile, select)) : NO_DIMS;
  }
#else
  int32_t getNbIOTensors() const override { return int32_t(compiled_->ports.size()); }
  char const* getIOTensorName(int32_t index) const override { return compiled_->ports.at(size_t(index)).name.c_str(); }
  nvinfer1::TensorIOMode getTensorIOMode(char const* name) const override {
    return compiled_->is_input(compiled_->find(name)) ? nvinfer1::TensorIOMode::kINPUT : nvinfer1::TensorIOMode::kOUTPUT;
  }
  nvinfer1::DataType getTensorDataType(char const* name) const override { return to_trt(compiled_->ports[compiled_->find(name)].type); }
  Dims getTensorShape(char const* name) const override { return to_dims(compiled_->ports[compiled_->find(name)].shape); }
  nvinfer1::TensorFormat getTensorFormat(char const*) const override { return nvinfer1::TensorFormat::kLINEAR; }
  nvinfer1::TensorLocation getTensorLocation(char const*) const override { return nvinfer1::TensorLocation::kDEVICE; }
  Dims getProfileShape(char const* name, int32_t profile, OptProfileSelector select) const override { return to_dims(compiled_->range(compiled_->find(name), profile, select)); }
#endif

 private:
#if STANDIN_TENSORRT < 806
  const Port& port(int32_t index) const { return compiled_->ports.at(size_t(index)); } // of the first profile
#endif
  ILogger& logger_;
  std::shared_ptr<Compiled> compiled_;
};

class Runtime final : public nvinfer1::IRuntime, public Made {
 public:
  explicit Runtime(ILogger& logger) : Made("a runtime"), logger_(logger), device_(current_or_mistake("createInferRuntime")) {}
  nvinfer1::ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) override {
    if (fails("deserializeCudaEngine")) return refuse(logger_, "it fails as asked for");
    try {
      auto c = std::make_shared<Compiled>(std::string(static_cast<const char*>(blob), size), current_or_mistake("deserializeCudaEngine"));
      if (c->plan.dla && (core_ < 0 || core_ >= getNbDLACores())) return refuse(logger_, "the plan is for a DLA core, and none is chosen");
      logger_.log(ILogger::Severity::kINFO, "stand-in: a plan is loaded");
      return new Engine(*this, logger_, c);
    } catch (const std::exception& e) {
      return refuse(logger_, e.what());
    }
  }
  void setDLACore(int32_t core) override { core_ = core; }
  int32_t getNbDLACores() const override { return gpus[device_].dla_cores; }

 private:
  ILogger& logger_;
  int device_;
  int32_t core_ = -1;
};

}  // namespace

}  // namespace standin

int32_t getInferLibVersion() noexcept { return NV_TENSORRT_VERSION; }

nvinfer1::IRuntime* nvinfer1::createInferRuntime(ILogger& logger) { return standin::fails("createInferRuntime") ? nullptr : new standin::Runtime(logger); }
