// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: execution contexts, which put what an engine
// computes on a stream.
#include "engine.h"

namespace standin {

namespace {

// What a context shares with what it has put on streams.
struct State {
  std::shared_ptr<const Compiled> compiled;
  std::mutex mutex;
  bool alive = true;
  std::map<std::string, Shape> shapes; // of inputs, as far as they are known
  std::vector<float> milliseconds;     // of the layers of the last run
};

// A place is memory of the GPU for an input or output.
struct Place {
  const Io* io;
  Shape shape;
  Memory memory;
  size_t bytes;
};

struct Job {
  std::shared_ptr<State> state;
  std::map<std::string, Shape> shapes; // of the inputs
  std::vector<Place> inputs, outputs;
  bool captured;
};

bool writable(const Place& p) {
  if (p.bytes == 0 || p.memory.data() != nullptr) return true;
  mistake("an engine runs with \"" + p.io->name + "\" at an address where no " + std::to_string(p.bytes) + " bytes of its GPU are");
  return false;
}

// compute returns an error of CUDA's, or 0.
int compute(const Job& job, std::map<std::string, Tensor>& out) {
  const Compiled& c = *job.state->compiled;
  std::map<std::string, Tensor> in;
  for (auto& p : job.inputs) {
    if (!writable(p)) return ILLEGAL_ADDRESS;
    Tensor t(p.io->type, p.shape);
    if (p.bytes > 0) memcpy(t.data.data(), p.memory.data(), p.bytes);
    in[p.io->name] = std::move(t);
  }
  std::vector<float> milliseconds;
  try {
    out = c.graph->compute(std::move(in), c.plan.arithmetic, milliseconds);
  } catch (const std::bad_alloc&) {
    return 2;
  } catch (const Refusal& r) {
    mistake("an engine fails as it runs: " + r.text);
    return 719;
  }
  std::lock_guard<std::mutex> lock(job.state->mutex);
  job.state->milliseconds = std::move(milliseconds);
  return 0;
}

int write(const Place& p, const Tensor& t) {
  if (!writable(p)) return ILLEGAL_ADDRESS;
  if (p.bytes > 0) memcpy(p.memory.data(), t.data.data(), p.bytes);
  return 0;
}

// perform is a job on a stream.
int perform(const Job& job) {
  {
    std::lock_guard<std::mutex> lock(job.state->mutex);
    if (!job.state->alive) {
      mistake("a context was deleted before what it had put on a stream was done");
      return ILLEGAL_ADDRESS;
    }
    if (job.captured && job.state->shapes != job.shapes) {
      mistake("a graph is launched that was captured for other shapes");
      return ILLEGAL_ADDRESS;
    }
  }
  std::map<std::string, Tensor> out;
  if (int r = compute(job, out)) return r;
  for (auto& p : job.outputs)
    if (int r = write(p, out.at(p.io->name))) return r;
  return 0;
}

class Context final : public nvinfer1::IExecutionContext, public Object {
 public:
  Context(const Engine& engine, ILogger& logger, std::shared_ptr<const Compiled> compiled)
      : Object(engine.children()), engine_(engine), logger_(logger), compiled_(std::move(compiled)), state_(std::make_shared<State>()) {
    state_->compiled = compiled_;
    if (!take(0)) logger_.log(Severity::kWARNING, "Could not set default profile 0 for execution context. Profile index must be set explicitly.");
  }
  ~Context() {
    see_device("an execution context", compiled_->device);
    give_back();
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->alive = false;
  }

  nvinfer1::ICudaEngine const& getEngine() const override { return engine_; }
  void setProfiler(nvinfer1::IProfiler* profiler) override { profiler_ = profiler; }
  nvinfer1::IProfiler* getProfiler() const override { return profiler_; }
  void setEnqueueEmitsProfile(bool emits) override { emits_ = emits; }
  bool getEnqueueEmitsProfile() const override { return emits_; }
  bool reportToProfiler() const override {
    if (profiler_ == nullptr) return refuse("reportToProfiler", "no profiler is set");
    std::vector<float> times;
    {
      std::lock_guard<std::mutex> lock(state_->mutex);
      times = state_->milliseconds;
    }
    if (times.empty()) return refuse("reportToProfiler", "nothing has run");
    for (size_t i = 0; i < times.size(); i++) profiler_->reportLayerTime(compiled_->layers[i].c_str(), times[i]);
    return true;
  }

  int32_t getOptimizationProfile() const override { return profile_; }
  bool setOptimizationProfileAsync(int32_t profile, cudaStream_t stream) override {
    if (fails("setOptimizationProfileAsync")) return refuse("setOptimizationProfileAsync", "stand-in: it fails as asked for");
    if (profile < 0 || profile >= compiled_->profiles()) return refuse("setOptimizationProfileAsync", "Parameter check failed, condition: profileIndex >= 0 && profileIndex < mEngine.getNbOptimizationProfiles()");
    if (!on_its_device("setOptimizationProfileAsync", stream)) return false;
    if (profile == profile_) return true;
    if (!take(profile)) return refuse("setOptimizationProfileAsync", "Profile " + std::to_string(profile) + " has been chosen by another IExecutionContext. Use another profileIndex or destroy the IExecutionContext that use this profile.");
    return true;
  }

  bool allInputDimensionsSpecified() const override { return unspecified().empty(); }

#if STANDIN_TENSORRT < 1000
  bool setBindingDimensions(int32_t index, nvinfer1::Dims dims) override {
    if (fails("setBindingDimensions")) return refuse("setBindingDimensions", "stand-in: it fails as asked for");
    const Io* io = binding("setBindingDimensions", index);
    return io != nullptr && set_shape("setBindingDimensions", *io, dims);
  }
  nvinfer1::Dims getBindingDimensions(int32_t index) const override {
    const Io* io = binding("getBindingDimensions", index);
    return io == nullptr ? nvinfer1::Dims{-1, {}} : shape(*io);
  }
  bool enqueueV2(void* const* bindings, cudaStream_t stream, cudaEvent_t*) override {
    if (fails("enqueueV2")) return refuse("enqueueV2", "stand-in: it fails as asked for");
    const size_t first = size_t(std::max(profile_, 0)) * compiled_->ios.size();
    std::vector<void*> at(bindings + first, bindings + first + compiled_->ios.size());
    return enqueue("enqueueV2", at, stream);
  }
#endif

#if STANDIN_TENSORRT >= 806
  bool setInputShape(char const* name, nvinfer1::Dims const& dims) override {
    if (fails("setInputShape")) return refuse("setInputShape", "stand-in: it fails as asked for");
    const Io* io = named("setInputShape", name);
    return io != nullptr && set_shape("setInputShape", *io, dims);
  }
  nvinfer1::Dims getTensorShape(char const* name) const override {
    const Io* io = named("getTensorShape", name);
    return io == nullptr ? nvinfer1::Dims{-1, {}} : shape(*io);
  }
  bool setTensorAddress(char const* name, void* data) override {
    if (fails("setTensorAddress")) return refuse("setTensorAddress", "stand-in: it fails as asked for");
    const Io* io = named("setTensorAddress", name);
    if (io == nullptr) return false;
    if (reinterpret_cast<uintptr_t>(data) % ALIGNMENT != 0) return refuse("setTensorAddress", "Parameter check failed: the address of " + io->name + " is not aligned to " + std::to_string(ALIGNMENT) + " bytes");
    addresses_[io->name] = data;
    return true;
  }
  void const* getTensorAddress(char const* name) const override { return name != nullptr && addresses_.count(name) != 0 ? addresses_.at(name) : nullptr; }
  bool setInputTensorAddress(char const* name, void const* data) override { return setTensorAddress(name, const_cast<void*>(data)); }
  bool setOutputAllocator(char const* name, nvinfer1::IOutputAllocator* allocator) override {
    if (fails("setOutputAllocator")) return refuse("setOutputAllocator", "stand-in: it fails as asked for");
    const Io* io = named("setOutputAllocator", name);
    if (io == nullptr) return false;
    if (io->input) return refuse("setOutputAllocator", io->name + " is not an output tensor, cannot set output allocator for it.");
    if (allocator == nullptr) allocators_.erase(io->name);
    else allocators_[io->name] = allocator;
    return true;
  }
  nvinfer1::IOutputAllocator* getOutputAllocator(char const* name) const override { return name != nullptr && allocators_.count(name) != 0 ? allocators_.at(name) : nullptr; }
  int32_t inferShapes(int32_t most, char const** names) override {
    if (fails("inferShapes") || most < 0 || (names == nullptr && most != 0)) return -1;
    const auto missing = unspecified();
    for (size_t i = 0; i < missing.size() && i < size_t(most); i++) names[i] = missing[i]->name.c_str();
    if (!missing.empty()) return int32_t(missing.size());
    std::map<std::string, Value> values;
    return infer(values) ? 0 : -1;
  }
  bool enqueueV3(cudaStream_t stream) override {
    if (fails("enqueueV3")) return refuse("enqueueV3", "stand-in: it fails as asked for");
    std::vector<void*> at;
    for (auto& io : compiled_->ios) at.push_back(addresses_.count(io.name) != 0 ? addresses_.at(io.name) : nullptr);
    return enqueue("enqueueV3", at, stream);
  }
#endif

 private:
  bool refuse(const char* function, const std::string& text) const {
    api_error(logger_, std::string("IExecutionContext::") + function, text);
    return false;
  }

  // take changes to a profile, which may be another context's alone.
  bool take(int profile) {
    {
      std::lock_guard<std::mutex> lock(compiled_->mutex);
      int& users = compiled_->users[size_t(profile)];
      if (users > 0 && compiled_->dynamic && !compiled_->plan.shared) return false;
      users++;
    }
    give_back();
    profile_ = profile;
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->shapes.clear();
    for (auto& io : compiled_->ios)
      if (io.input && !is_dynamic(io.shape)) state_->shapes[io.name] = io.shape;
    return true;
  }
  void give_back() {
    if (profile_ < 0) return;
    std::lock_guard<std::mutex> lock(compiled_->mutex);
    compiled_->users[size_t(profile_)]--;
  }

  std::vector<const Io*> unspecified() const {
    std::vector<const Io*> all;
    std::lock_guard<std::mutex> lock(state_->mutex);
    for (auto& io : compiled_->ios)
      if (io.input && state_->shapes.count(io.name) == 0) all.push_back(&io);
    return all;
  }

  const Io* named(const char* function, const char* name) const {
    const int i = compiled_->find(name);
    if (i < 0) refuse(function, "Given invalid tensor name: " + std::string(name == nullptr ? "NULL" : name) + ". Get valid tensor names with getIOTensorName()");
    return i < 0 ? nullptr : &compiled_->ios[size_t(i)];
  }

#if STANDIN_TENSORRT < 1000
  const Io* binding(const char* function, int32_t index) const {
    const auto n = int32_t(compiled_->ios.size());
    if (index >= 0 && profile_ >= 0 && index / n == profile_) return &compiled_->ios[size_t(index % n)];
    refuse(function, "Parameter check failed: bindingIndex " + std::to_string(index) + " belongs to another profile than " + std::to_string(profile_));
    return nullptr;
  }
#endif

  bool set_shape(const char* function, const Io& io, const nvinfer1::Dims& dims) {
    const Shape shape = from_dims(dims);
    if (!io.input) return refuse(function, io.name + " is not an input tensor. IExecutionContext::setInputShape can only be called for input tensors.");
    if (profile_ < 0) return refuse(function, "no optimization profile is set");
    bool good = shape.size() == io.shape.size();
    for (size_t i = 0; good && i < shape.size(); i++) good = io.shape[i] < 0 || io.shape[i] == shape[i];
    if (!good) return refuse(function, "Static dimension mismatch while setting input shape for " + io.name + ". Set dimensions are " + to_text(shape) + ". Expected dimensions are " + to_text(io.shape) + ".");
    const Shape least = compiled_->range(io, profile_, 0), most = compiled_->range(io, profile_, 2);
    for (size_t i = 0; good && i < shape.size(); i++) good = shape[i] >= least[i] && shape[i] <= most[i];
    if (!good) return refuse(function, "Set dimension " + to_text(shape) + " for tensor " + io.name + " does not satisfy any optimization profiles. Valid range for profile " + std::to_string(profile_) + ": " + to_text(least) + ".." + to_text(most) + ".");
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->shapes[io.name] = shape;
    return true;
  }

  bool infer(std::map<std::string, Value>& values) const {
    std::map<std::string, Shape> shapes;
    for (auto& io : compiled_->ios)
      if (io.input) shapes[io.name] = io.shape;
    {
      std::lock_guard<std::mutex> lock(state_->mutex);
      for (auto& s : state_->shapes) shapes[s.first] = s.second;
    }
    try {
      values = compiled_->graph->values(shapes);
      return true;
    } catch (const Refusal& r) {
      internal_error(logger_, "IExecutionContext::inferShapes", 7, r.text);
      return false;
    }
  }

  nvinfer1::Dims shape(const Io& io) const {
    std::map<std::string, Value> values;
    return infer(values) ? to_dims(values.at(io.name).shape) : nvinfer1::Dims{-1, {}};
  }

  bool on_its_device(const char* function, cudaStream_t stream) const {
    if (used(function) != compiled_->device) return refuse(function, "Cuda Runtime (invalid device context): the engine is on GPU " + std::to_string(compiled_->device));
    if (device_of(stream) != compiled_->device) return refuse(function, "Cuda Runtime (invalid resource handle): the stream is none of GPU " + std::to_string(compiled_->device));
    return true;
  }

  // enqueue takes the addresses of ios.
  bool enqueue(const char* function, const std::vector<void*>& at, cudaStream_t stream) {
    if (busy_.exchange(true)) {
      mistake("two threads run one execution context at once");
      return refuse(function, "the context is in use");
    }
    struct Done {
      std::atomic<bool>& busy;
      ~Done() { busy = false; }
    } done{busy_};
    if (!on_its_device(function, stream)) return false;
    if (profile_ < 0) return refuse(function, "no optimization profile is set");
    const auto missing = unspecified();
    if (!missing.empty()) return refuse(function, "Parameter check failed, condition: allInputDimensionsSpecified(): the shape of " + missing[0]->name + " is not set");
    std::map<std::string, Value> values;
    if (!infer(values)) return false;
    Job job{state_, {}, {}, {}, capturing(stream)};
    {
      std::lock_guard<std::mutex> lock(state_->mutex);
      job.shapes = state_->shapes;
    }
    bool late = false;
    for (size_t i = 0; i < compiled_->ios.size(); i++) {
      const Io& io = compiled_->ios[i];
      Place p{&io, values.at(io.name).shape, {}, 0};
      if (!check_address(function, p, at[i])) return false;
      if (is_dynamic(p.shape)) {
        late = true;
      } else {
        p.bytes = size_t(volume(p.shape)) * bytes_of(io.type);
        p.memory = memory(at[i], p.bytes, compiled_->device);
      }
      (io.input ? job.inputs : job.outputs).push_back(p);
    }
    late = late || asks_for_memory();
    const bool waits = late || (profiler_ != nullptr && emits_);
    if (job.captured && (waits || prepared_ != job.shapes)) {
      spoil(stream);
      return refuse(function, waits ? "it cannot be captured: it waits for the stream" : "it cannot be captured before it was enqueued once with these shapes");
    }
    if (late) {
      if (!enqueue_late(function, job, stream)) return false;
    } else if (push(stream, [job] { return perform(job); }) != 0) {
      return refuse(function, "Cuda Runtime (the stream does not take it)");
    }
    prepared_ = job.shapes;
    if (!waits || profiler_ == nullptr || !emits_) return true;
    if (drain(stream) != 0) return refuse(function, "Cuda Runtime (unspecified launch failure)");
    return reportToProfiler();
  }

  bool check_address(const char* function, const Place& p, const void* at) const {
    const std::string& name = p.io->name;
    if (reinterpret_cast<uintptr_t>(at) % ALIGNMENT != 0) return refuse(function, "the address of " + name + " is not aligned to " + std::to_string(ALIGNMENT) + " bytes");
    if (p.io->input && at == nullptr) return refuse(function, "Address is not set for input tensor " + name + ". Call setInputTensorAddress or setTensorAddress before enqueue/execute.");
#if STANDIN_TENSORRT >= 806
    if (p.io->input || allocators_.count(name) != 0) return true;
#endif
    if (is_dynamic(p.shape)) return refuse(function, "the shape of output tensor " + name + " depends on data: call setOutputAllocator before enqueue/execute.");
    if (at == nullptr) return refuse(function, "Neither address or allocator is set for output tensor " + name + ". Call setOutputTensorAddress, setTensorAddress or setOutputAllocator before enqueue/execute.");
    return true;
  }

  bool asks_for_memory() const {
#if STANDIN_TENSORRT >= 806
    return !allocators_.empty();
#else
    return false;
#endif
  }

  // enqueue_late waits for the shapes of outputs, and asks for their memory.
  bool enqueue_late(const char* function, const Job& job, cudaStream_t stream) {
#if STANDIN_TENSORRT >= 806
    auto out = std::make_shared<std::map<std::string, Tensor>>();
    if (drain(stream) != 0 || compute(job, *out) != 0) return refuse(function, "Cuda Runtime (unspecified launch failure)");
    for (Place p : job.outputs) {
      const Tensor& t = out->at(p.io->name);
      const auto found = allocators_.find(p.io->name);
      if (found != allocators_.end()) {
        const char* name = p.io->name.c_str();
        void* old = addresses_.count(name) != 0 ? addresses_.at(name) : nullptr;
        const size_t bytes = std::max<size_t>(t.data.size(), 1); // "always positive"
#if STANDIN_TENSORRT >= 1000
        void* at = found->second->reallocateOutputAsync(name, old, bytes, ALIGNMENT, stream);
#else
        void* at = found->second->reallocateOutput(name, old, bytes, ALIGNMENT);
#endif
        if (at == nullptr) return refuse(function, "the output allocator has no memory for " + p.io->name);
        found->second->notifyShape(name, to_dims(t.shape));
        p.shape = t.shape, p.bytes = t.data.size(), p.memory = memory(at, bytes, compiled_->device);
      }
      if (push(stream, [p, out] { return write(p, out->at(p.io->name)); }) != 0) return refuse(function, "Cuda Runtime (the stream does not take it)");
    }
    return true;
#else
    return (void)job, (void)stream, refuse(function, "outputs whose shapes depend on data are not supported");
#endif
  }

  const Engine& engine_;
  ILogger& logger_;
  std::shared_ptr<const Compiled> compiled_;
  std::shared_ptr<State> state_;
  int profile_ = -1;
  nvinfer1::IProfiler* profiler_ = nullptr;
  bool emits_ = true;
  std::atomic<bool> busy_{false};
  std::map<std::string, Shape> prepared_; // shapes of the last run, for which it may be captured
#if STANDIN_TENSORRT >= 806
  std::map<std::string, void*> addresses_;
  std::map<std::string, nvinfer1::IOutputAllocator*> allocators_;
#endif
};

}  // namespace

nvinfer1::IExecutionContext* make_context(const Engine& engine, ILogger& logger, std::shared_ptr<const Compiled> compiled) { return new Context(engine, logger, std::move(compiled)); }

}  // namespace standin
