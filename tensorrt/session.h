/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: a context with its own stream and memory. */
#ifndef ANYINFER_TENSORRT_SESSION_H
#define ANYINFER_TENSORRT_SESSION_H

#include "model.h"

namespace anyinfer_tensorrt {

/* times has the time of each layer in the last run. */
class times : public nvinfer1::IProfiler {
 public:
  struct layer {
    std::string name;
    int64_t micros;
  };
  std::vector<layer> layers;

  void reportLayerTime(const char* name, float ms) noexcept override {
    try {
      layers.push_back({name, int64_t(double(ms) * 1000 + 0.5)});
    } catch (...) {
    }
  }
};

#if ANYINFER_TENSORRT >= 805
/* output_allocator has the memory of an output whose shape depends on values:
 * TensorRT asks for it during a run. */
class output_allocator : public nvinfer1::IOutputAllocator {
 public:
  Dims dims{};
  memory at;

#if ANYINFER_TENSORRT >= 1000
  void* reallocateOutputAsync(const char*, void*, uint64_t size, uint64_t, cudaStream_t) override { return allocate(size); }
#else
  void* reallocateOutput(const char*, void*, uint64_t size, uint64_t) noexcept override { return allocate(size); }
#endif
  void notifyShape(const char*, const Dims& d) noexcept override { dims = d; }

 private:
  void* allocate(uint64_t size) noexcept {
    try {
      at.reserve(std::max<size_t>(size, 1));
      return reinterpret_cast<void*>(at.device);
    } catch (...) {
      return nullptr; // TensorRT then fails
    }
  }
};
#endif

}  // namespace anyinfer_tensorrt

struct anyinfer_session_t {
  explicit anyinfer_session_t(anyinfer_model_t* m) : model(m), held{m} {}

  // profile_use is a context's use of a profile. It ends after the context.
  struct profile_use {
    anyinfer_model_t* model;
    int index = -1;
    ~profile_use() {
      std::lock_guard<std::mutex> lock(model->mutex);
      change(-1);
    }
    void change(int other) { // with the model's mutex
      if (index >= 0) model->in_use[size_t(index)] = false;
      if (other >= 0) model->in_use[size_t(other)] = true;
      index = other;
    }
  };

  struct place {
    size_t offset, bytes;
    bool known; // whether the shape is known; otherwise it depends on values
  };

  anyinfer_model_t* model;
  profile_use held;
  int profile = -1; // that was chosen for the present inputs
  std::vector<place> in, out;
  size_t in_bytes = 0, out_bytes = 0;
  std::vector<const void*> from; // the caller's inputs
  std::vector<void*> to;         // the caller's outputs
  bool has_dynamic_outputs = false;
  enum { FIRST, SECOND, PLAIN } recording = PLAIN; // SECOND: the next run is recorded as a graph

  // The context uses the members above it.
  anyinfer_tensorrt::memory inputs, outputs; // of all tensors together, so that each run needs only two copies
  anyinfer_tensorrt::stream stream;
  anyinfer_tensorrt::times times;
#if ANYINFER_TENSORRT >= 805
  std::vector<std::unique_ptr<anyinfer_tensorrt::output_allocator>> allocators; // by output; NULL if the shape is known
#endif
  anyinfer_tensorrt::addresses addresses;
  std::unique_ptr<nvinfer1::IExecutionContext> context;
  anyinfer_tensorrt::graph graph;
};

namespace anyinfer_tensorrt {

/* align rounds n up to an offset for the next tensor of a block. */
inline size_t align(size_t n) { return (n + 255) / 256 * 256; }

inline bool has_ranges(const anyinfer_model_t& m) {
  return std::any_of(m.inputs.begin(), m.inputs.end(), [](const port& p) { return !p.ranges.empty(); });
}

/* accepts reports whether these inputs are within a profile's range. */
inline bool accepts(const anyinfer_model_t& m, const std::vector<Dims>& inputs, size_t profile) {
  for (size_t i = 0; i < inputs.size(); i++) {
    if (m.inputs[i].ranges.empty()) continue;
    const auto& r = m.inputs[i].ranges[profile];
    for (int k = 0; k < inputs[i].nbDims; k++)
      if (inputs[i].d[k] < r.first.d[k] || inputs[i].d[k] > r.second.d[k]) return false;
  }
  return true;
}

/* has_own_profile reports whether no two contexts of the plan can have the same profile. */
inline bool has_own_profile(const anyinfer_model_t& m) { return !profiles_are_shared && has_ranges(m); }

/* choose_profile sets a profile that accepts these inputs. It keeps the context's
 * present profile if that accepts them. The lock keeps other sessions from choosing
 * a profile that the context has not given up yet. */
inline void choose_profile(anyinfer_session_t& s, const call& here, const std::vector<Dims>& inputs) {
  anyinfer_model_t& m = *s.model;
  if (s.profile >= 0 && accepts(m, inputs, size_t(s.profile))) return;
  bool any = false;
  {
    std::lock_guard<std::mutex> lock(m.mutex);
    int chosen = -1;
    for (size_t p = 0; p < m.in_use.size() && chosen < 0; p++) {
      if (!accepts(m, inputs, p)) continue;
      any = true;
      if (!has_own_profile(m) || !m.in_use[p] || int(p) == s.held.index) chosen = int(p);
    }
    s.profile = -1;
    if (chosen >= 0) {
      if (has_own_profile(m) || m.in_use.size() > 1)
        here.require(s.context->setOptimizationProfileAsync(chosen, reinterpret_cast<cudaStream_t>(s.stream.handle)), ANYINFER_RUN, "TensorRT refuses a profile");
      s.held.change(chosen);
      s.profile = chosen;
    }
  }
  if (s.profile < 0 && any)
    refuse(ANYINFER_RUN, "all profiles of the plan are in use, and this release of TensorRT cannot share them: load with Options.Sessions");
  if (s.profile < 0) {
    std::string text;
    for (size_t i = 0; i < inputs.size(); i++)
      for (auto& r : m.inputs[i].ranges) text += (text.empty() ? "" : "; ") + m.inputs[i].name + " " + to_text(r.first) + " to " + to_text(r.second);
    refuse(ANYINFER_SHAPE, "the plan was built for %.900s", text.c_str());
  }
  s.stream.wait();
}

/* lay_out reserves memory for tensors of these shapes, and sets their places. */
inline size_t lay_out(const std::vector<port>& ports, const std::vector<Dims>& dims, std::vector<anyinfer_session_t::place>& places, memory& block) {
  size_t end = 0;
  places.clear();
  for (size_t i = 0; i < ports.size(); i++) {
    const bool known = !dynamic(dims[i]);
    const size_t bytes = known ? ports[i].bytes(dims[i]) : 0;
    places.push_back({end, bytes, known});
    end = align(end + std::max<size_t>(bytes, 1));
  }
  block.reserve(std::max<size_t>(end, 1));
  return end;
}

/* set_allocator lets TensorRT ask for the memory of an output during a run. */
inline void set_allocator(anyinfer_session_t& s, size_t output) {
#if ANYINFER_TENSORRT >= 805
  auto& one = s.allocators[output];
  if (s.out[output].known) {
    if (one != nullptr) s.context->setOutputAllocator(s.model->outputs[output].name.c_str(), nullptr);
    one.reset();
    return;
  }
  s.has_dynamic_outputs = true;
  if (one == nullptr) one.reset(new output_allocator);
  if (!s.context->setOutputAllocator(s.model->outputs[output].name.c_str(), one.get())) refuse(ANYINFER_RUN, "TensorRT refuses an allocator");
#else
  if (!s.out[output].known) refuse(ANYINFER_MODEL, "the shape of output \"%.100s\" depends on values, which needs TensorRT 8.5", s.model->outputs[output].name.c_str());
#endif
}

inline void prepare(anyinfer_session_t& s, const call& here, const anyinfer_shape* inputs, anyinfer_shape* outputs) {
  anyinfer_model_t& m = *s.model;
  s.graph.clear();
  std::vector<Dims> in, out;
  for (size_t i = 0; i < m.inputs.size(); i++) in.push_back(to_dims(inputs[i].dims, size_t(inputs[i].rank)));
  choose_profile(s, here, in);
  for (size_t i = 0; i < in.size(); i++) here.require(set_dims(*s.context, m.inputs[i], s.profile, in[i]), ANYINFER_SHAPE, "TensorRT refuses the shape of an input");
  here.require(ready(*s.context), ANYINFER_SHAPE, "TensorRT cannot infer the shapes of the outputs");
  for (auto& p : m.outputs) out.push_back(dims_of(*s.context, p, s.profile));
  s.in_bytes = lay_out(m.inputs, in, s.in, s.inputs);
  s.out_bytes = lay_out(m.outputs, out, s.out, s.outputs);
  for (size_t i = 0; i < in.size(); i++) s.addresses.set(*s.context, m.inputs[i], s.profile, s.inputs.device + s.in[i].offset);
  s.has_dynamic_outputs = false;
  for (size_t i = 0; i < out.size(); i++) {
    outputs[i] = to_shape(out[i], m.outputs[i].name);
    set_allocator(s, i);
    if (s.out[i].known) s.addresses.set(*s.context, m.outputs[i], s.profile, s.outputs.device + s.out[i].offset);
  }
  s.recording = m.graphs && !s.has_dynamic_outputs && !m.profile ? anyinfer_session_t::FIRST : anyinfer_session_t::PLAIN;
}

/* enqueue_run enqueues a run on the stream. */
inline void enqueue_run(anyinfer_session_t& s, const call& here) {
  check(cuda().cuMemcpyHtoDAsync_v2(s.inputs.device, s.inputs.host, s.in_bytes, s.stream.handle), "the inputs cannot be copied");
  here.require(s.addresses.enqueue(*s.context, s.stream.handle), ANYINFER_RUN, "TensorRT cannot run");
  check(cuda().cuMemcpyDtoHAsync_v2(s.outputs.host, s.outputs.device, s.out_bytes, s.stream.handle), "the outputs cannot be copied");
}

/* compute runs on the content of pinned memory. It does not record the first run with
 * new shapes, because TensorRT prepares for them in that run. */
inline void compute(anyinfer_session_t& s, const call& here) {
  if (s.recording == anyinfer_session_t::SECOND) {
    s.recording = anyinfer_session_t::PLAIN;
    if (!s.graph.capture(s.stream, [&] { enqueue_run(s, here); })) logs().write(ANYINFER_WARN, "this model cannot be recorded as a CUDA graph and runs without one");
  }
  if (s.recording == anyinfer_session_t::FIRST) s.recording = anyinfer_session_t::SECOND;
  if (s.graph) s.graph.launch(s.stream);
  else enqueue_run(s, here);
}

inline void run_session(anyinfer_session_t& s, const call& here) {
  s.times.layers.clear();
  for (size_t i = 0; i < s.in.size(); i++) memcpy(s.inputs.host + s.in[i].offset, s.from[i], s.in[i].bytes);
  try {
    compute(s, here);
  } catch (...) {
    cuda().cuStreamSynchronize(s.stream.handle); // enqueued work still uses the memory
    throw;
  }
  s.stream.wait();
  for (size_t i = 0; i < s.out.size(); i++)
    if (s.out[i].known) memcpy(s.to[i], s.outputs.host + s.out[i].offset, s.out[i].bytes);
}

}  // namespace anyinfer_tensorrt

#endif
