// SPDX-License-Identifier: Apache-2.0

// Runtimes, engines and execution contexts of the stand-in for TensorRT.
#include <algorithm>
#include <atomic>
#include <mutex>

#include "plan.h"

namespace standin {
using namespace nvinfer1;
const size_t ALIGNMENT = 256; // of the addresses that TensorRT takes
const Dims NO_DIMS{-1, {}};

// What an engine shares with its contexts, and with what they put on streams.
struct Compiled {
  Compiled(const std::string& bytes, int d) : plan(read_plan(bytes, d)), device(d), users(plan.profiles.size()), ports(plan.model->inputs), inputs(ports.size()) {
    ports.insert(ports.end(), plan.model->outputs.begin(), plan.model->outputs.end());
  }
  size_t find(const char* name) const { return size_t(std::find_if(ports.begin(), ports.end(), [&](const Port& p) { return p.name == name; }) - ports.begin()); }
  bool dynamic() const { return std::any_of(ports.begin(), ports.begin() + int64_t(inputs), [](const Port& p) { return is_dynamic(p.shape); }); }
  Dims range(size_t port, int profile, OptProfileSelector which) const { return to_dims(plan.profiles.at(size_t(profile)).at(port)[size_t(which)]); }

  const Plan plan;
  const int device;
  std::mutex mutex;
  std::vector<int> users;  // by profile: how many contexts have it
  std::vector<Port> ports; // inputs first
  const size_t inputs;
};

// What a context shares with what it has put on streams.
struct State {
  std::shared_ptr<Compiled> compiled;
  bool alive;
  Shapes shapes; // of the inputs, as far as they were set
};
struct Job {
  std::shared_ptr<State> state;
  Shapes shapes;
  std::vector<void*> addresses; // of the ports
  bool captured;

  char* bytes(size_t port, size_t size) const {
    char* p = bytes_at(addresses[port], size, state->compiled->device);
    if (p == nullptr) mistake("an engine runs with an address where no " + std::to_string(size) + " bytes of its GPU are");
    return p;
  }
  // compute returns an error of CUDA's, or SUCCESS.
  int compute(Tensors& all) const {
    const Compiled& c = *state->compiled;
    if (!state->alive) return mistake("a context is deleted before what it has put on a stream is done"), ILLEGAL_ADDRESS;
    if (captured && state->shapes != shapes) return mistake("a graph is launched that was captured for other shapes"), ILLEGAL_ADDRESS;
    for (size_t i = 0; i < c.inputs; i++) {
      const Port& p = c.ports[i];
      const Shape& shape = shapes.at(p.name);
      const size_t size = size_t(elements(shape)) * bytes_of(p.type);
      if (bytes(i, size) == nullptr) return ILLEGAL_ADDRESS;
      all[p.name] = {p.type, shape, std::string(bytes(i, size), size)};
    }
    all = c.plan.model->compute(std::move(all), c.plan.dropped_bits);
    return SUCCESS;
  }
  int write(const Tensors& all) const {
    const Compiled& c = *state->compiled;
    for (size_t i = c.inputs; i < c.ports.size(); i++) {
      const std::string& data = all.at(c.ports[i].name).data;
      char* to = bytes(i, data.size());
      if (to == nullptr) return ILLEGAL_ADDRESS;
      std::copy(data.begin(), data.end(), to);
    }
    return SUCCESS;
  }
};

class Context final : public IExecutionContext, public Made {
 public:
  Context(const ICudaEngine& engine, const Made& maker, ILogger& logger, std::shared_ptr<Compiled> compiled)
      : Made("a context", &maker), engine_(engine), logger_(logger), compiled_(std::move(compiled)), state_(new State{compiled_, true, {}}), addresses_(compiled_->ports.size()) {
    take_profile(0);
  }
  ~Context() {
    if (current_device() != compiled_->device) mistake("a context is deleted while its GPU's is not current");
    give_profile_back();
    state_->alive = false;
  }

  void setProfiler(IProfiler* profiler) override { profiler_ = profiler; }
  bool setOptimizationProfileAsync(int32_t profile, cudaStream_t stream) override {
    if (fails("setOptimizationProfileAsync") || !is_here(stream)) return false;
    return profile == profile_ || take_profile(profile) || no("another context has chosen the profile");
  }

#if STANDIN_TENSORRT < 806
  ICudaEngine const& getEngine() const override { return engine_; }
  bool setBindingDimensions(int32_t binding, Dims dims) override { return !fails("setBindingDimensions") && is_own(binding) && set_shape(size_t(binding) % addresses_.size(), dims); }
  Dims getBindingDimensions(int32_t binding) const override { return is_own(binding) ? shape(size_t(binding) % addresses_.size()) : NO_DIMS; }
  bool allInputDimensionsSpecified() const override { return state_->shapes.size() == compiled_->inputs; }
  bool enqueueV2(void* const* bindings, cudaStream_t stream, cudaEvent_t*) override {
    std::copy_n(bindings + size_t(profile_) * addresses_.size(), addresses_.size(), addresses_.begin());
    return fails("enqueueV2") ? no("it fails as asked for") : run(stream);
  }
#else
  bool setInputShape(char const* name, Dims const& dims) override { return !fails("setInputShape") && set_shape(compiled_->find(name), dims); }
  Dims getTensorShape(char const* name) const override { return shape(compiled_->find(name)); }
  int32_t inferShapes(int32_t, char const**) override { return fails("inferShapes") ? -1 : int32_t(compiled_->inputs - state_->shapes.size()); }
  bool setTensorAddress(char const* name, void* data) override {
    addresses_.at(compiled_->find(name)) = data;
    return !fails("setTensorAddress");
  }
  bool setOutputAllocator(char const* name, IOutputAllocator* allocator) override {
    allocators_[compiled_->find(name)] = allocator;
    if (allocator == nullptr) allocators_.erase(compiled_->find(name));
    return !fails("setOutputAllocator");
  }
  bool enqueueV3(cudaStream_t stream) override { return fails("enqueueV3") ? no("it fails as asked for") : run(stream); }
#endif
 private:
  bool no(const std::string& text) const { return refuse(logger_, text) != nullptr; }

  bool is_here(cudaStream_t stream) const {
    return (used_device() == compiled_->device && device_of(stream) == compiled_->device) || no("the context and the stream are another GPU's");
  }

  // take_profile changes to a profile, which may be another context's alone.
  bool take_profile(int profile) {
    {
      std::lock_guard<std::mutex> lock(compiled_->mutex);
      int& users = compiled_->users.at(size_t(profile));
      if (users > 0 && !compiled_->plan.shared && compiled_->dynamic()) return false;
      users++;
    }
    give_profile_back();
    profile_ = profile;
    state_->shapes.clear();
    for (auto& i : compiled_->plan.model->inputs)
      if (!is_dynamic(i.shape)) state_->shapes[i.name] = i.shape;
    return true;
  }
  void give_profile_back() {
    std::lock_guard<std::mutex> lock(compiled_->mutex);
    if (profile_ >= 0) compiled_->users[size_t(profile_)]--;
  }
  bool is_own(int32_t binding) const { return binding / int(addresses_.size()) == profile_ || no("a binding of another profile"); }

  bool set_shape(size_t port, const Dims& dims) {
    const Dims least = compiled_->range(port, profile_, OptProfileSelector::kMIN), most = compiled_->range(port, profile_, OptProfileSelector::kMAX);
    bool good = dims.nbDims == least.nbDims;
    for (int i = 0; good && i < dims.nbDims; i++) good = dims.d[i] >= least.d[i] && dims.d[i] <= most.d[i];
    if (good) state_->shapes[compiled_->ports[port].name].assign(dims.d, dims.d + dims.nbDims);
    return good || no("a shape outside of the profile's range");
  }
  Dims shape(size_t port) const {
    try {
      return to_dims(compiled_->plan.model->infer(state_->shapes).at(compiled_->ports[port].name).shape);
    } catch (const std::exception& e) {
      return no(e.what()), NO_DIMS;
    }
  }

  // run puts a run on a stream. Where outputs have allocators, or times are
  // wanted, it waits for the stream, and cannot be captured.
  bool run(cudaStream_t stream) {
    if (busy_.exchange(true)) mistake("two threads run one execution context at once");
    const bool ok = run_alone(stream);
    busy_ = false;
    return ok;
  }

  bool run_alone(cudaStream_t stream) {
    if (!is_here(stream)) return false;
    if (state_->shapes.size() != compiled_->inputs) return no("the shapes of some inputs are not set");
    for (size_t i = 0; i < addresses_.size(); i++) {
      const auto at = reinterpret_cast<uintptr_t>(addresses_[i]);
      if (allocators_.count(i) == 0 && (at == 0 || at % ALIGNMENT != 0)) return no("\"" + compiled_->ports[i].name + "\" has no address, or none at " + std::to_string(ALIGNMENT) + " bytes");
    }
    Job job{state_, state_->shapes, addresses_, capturing(stream)};
    if (job.captured && (!allocators_.empty() || profiler_ != nullptr || prepared_ != job.shapes)) {
      invalidate_capture(stream);
      return no("it cannot be captured: it waits for the stream, or has not run with these shapes yet");
    }
    prepared_ = job.shapes;
    if (!allocators_.empty()) return run_late(job, stream);
    const auto work = [job] {
      Tensors all;
      const int result = job.compute(all);
      return result != SUCCESS ? result : job.write(all);
    };
    if (enqueue(stream, work) != SUCCESS) return no("the stream takes no work");
    if (profiler_ == nullptr) return true;
    for (auto& n : compiled_->plan.model->nodes) profiler_->reportLayerTime(n.op.c_str(), 0.01f);
    return synchronize(stream) == SUCCESS || no("the GPU failed");
  }

  // run_late computes at once, to ask for memory of as many bytes as there are.
  bool run_late(Job& job, cudaStream_t stream) {
    Tensors all;
    if (synchronize(stream) != SUCCESS || job.compute(all) != SUCCESS) return no("the GPU failed");
#if STANDIN_TENSORRT >= 806
    for (auto& a : allocators_) {
      const char* name = compiled_->ports[a.first].name.c_str();
      const Tensor& t = all.at(name);
      void*& at = job.addresses[a.first];
#if STANDIN_TENSORRT < 1000
      at = a.second->reallocateOutput(name, at, std::max<size_t>(t.data.size(), 1), ALIGNMENT);
#else
      at = a.second->reallocateOutputAsync(name, at, std::max<size_t>(t.data.size(), 1), ALIGNMENT, stream);
#endif
      if (at == nullptr) return no("an allocator has no memory");
      a.second->notifyShape(name, to_dims(t.shape));
    }
#endif
    return enqueue(stream, [job, all] { return job.write(all); }) == SUCCESS;
  }

  const ICudaEngine& engine_;
  ILogger& logger_;
  std::shared_ptr<Compiled> compiled_;
  std::shared_ptr<State> state_;
  std::vector<void*> addresses_;
  int profile_ = -1;
  IProfiler* profiler_ = nullptr;
  Shapes prepared_; // of the last run
  std::map<size_t, struct IOutputAllocator*> allocators_; // by port
  std::atomic<bool> busy_{false};
};

class Engine final : public ICudaEngine, public Made {
 public:
  Engine(const Made& runtime, ILogger& logger, std::shared_ptr<Compiled> compiled) : Made("an engine", &runtime), logger_(logger), compiled_(std::move(compiled)) {}
  ~Engine() {
    if (current_device() != compiled_->device) mistake("an engine is deleted while its GPU's context is not current");
  }
  IExecutionContext* createExecutionContext() override {
    if (fails("createExecutionContext")) return refuse(logger_, "it fails as asked for");
    return used_device() == compiled_->device ? new Context(*this, *this, logger_, compiled_) : refuse(logger_, "the engine is another GPU's");
  }
  int32_t getNbOptimizationProfiles() const override { return int32_t(compiled_->plan.profiles.size()); }
#if STANDIN_TENSORRT < 806
  // Each profile has bindings of its own, one behind the other.
  int32_t getNbBindings() const override { return int32_t(compiled_->ports.size()) * getNbOptimizationProfiles(); }
  char const* getBindingName(int32_t index) const override { return compiled_->ports.at(size_t(index)).name.c_str(); }
  bool bindingIsInput(int32_t index) const override { return size_t(index) < compiled_->inputs; }
  DataType getBindingDataType(int32_t index) const override { return to_trt(compiled_->ports.at(size_t(index)).type); }
  Dims getBindingDimensions(int32_t index) const override { return to_dims(compiled_->ports.at(size_t(index)).shape); }
  Dims getProfileDimensions(int32_t index, int32_t profile, OptProfileSelector select) const override {
    const int32_t n = int32_t(compiled_->ports.size());
    return index / n == profile ? compiled_->range(size_t(index % n), profile, select) : NO_DIMS;
  }
#else
  int32_t getNbIOTensors() const override { return int32_t(compiled_->ports.size()); }
  char const* getIOTensorName(int32_t index) const override { return compiled_->ports.at(size_t(index)).name.c_str(); }
  TensorIOMode getTensorIOMode(char const* name) const override { return compiled_->find(name) < compiled_->inputs ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT; }
  DataType getTensorDataType(char const* name) const override { return to_trt(compiled_->ports.at(compiled_->find(name)).type); }
  Dims getTensorShape(char const* name) const override { return to_dims(compiled_->ports.at(compiled_->find(name)).shape); }
  Dims getProfileShape(char const* name, int32_t profile, OptProfileSelector select) const override { return compiled_->range(compiled_->find(name), profile, select); }
#endif
 private:
  ILogger& logger_;
  std::shared_ptr<Compiled> compiled_;
};

class Runtime final : public IRuntime, public Made {
 public:
  explicit Runtime(ILogger& logger) : Made("a runtime"), logger_(logger) {}
  ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) override {
    if (fails("deserializeCudaEngine")) return refuse(logger_, "it fails as asked for");
    try {
      auto c = std::make_shared<Compiled>(std::string(static_cast<const char*>(blob), size), used_device());
      need(!c->plan.dla || (core_ >= 0 && core_ < getNbDLACores()), "the plan is for a DLA core, and none is chosen");
      logger_.log(ILogger::Severity::kINFO, "stand-in: a plan is loaded");
      return new Engine(*this, logger_, c);
    } catch (const std::exception& e) {
      return refuse(logger_, e.what());
    }
  }
  void setDLACore(int32_t core) override { core_ = core; }
  int32_t getNbDLACores() const override { return gpus[used_device()].dla_cores; }
 private:
  ILogger& logger_;
  int32_t core_ = -1;
};
}  // namespace standin

int32_t getInferLibVersion() noexcept { return NV_TENSORRT_VERSION; }

nvinfer1::IRuntime* nvinfer1::createInferRuntime(ILogger& logger) { return standin::fails("createInferRuntime") ? nullptr : new standin::Runtime(logger); }
