/* SPDX-License-Identifier: Apache-2.0 */
/* Models: options, plans and the description of their tensors. */
#ifndef ANYINFER_TENSORRT_MODEL_H
#define ANYINFER_TENSORRT_MODEL_H

#include "build.h"

struct anyinfer_engine_t {
  anyinfer_host host;
  std::string version;
  std::vector<anyinfer_tensorrt::processor> processors; // the default first
};

struct anyinfer_model_t {
  anyinfer_engine_t* engine;
  anyinfer_tensorrt::processor device;
  anyinfer_tensorrt::CUcontext gpu; // must be current for any use of the members below
  std::string format, precision;
  bool profile = false, graphs = false;
  std::unique_ptr<nvinfer1::IRuntime> runtime; // outlives the plan
  std::unique_ptr<nvinfer1::ICudaEngine> plan;
  std::vector<anyinfer_tensorrt::port> inputs, outputs;

  std::mutex mutex;                                   // guards the members below
  std::unique_ptr<nvinfer1::IExecutionContext> first_context; // made by load, as a test, for the first session
  std::vector<bool> in_use;                            // by profile: whether a context uses it
};

namespace anyinfer_tensorrt {

/* Since 8.6 several contexts can have one profile. */
const bool profiles_are_shared = ANYINFER_TENSORRT >= 806;

/* load_plugins opens libraries of plugins, one path in each line. They register
 * themselves and stay open. The library of TensorRT's own plugins may be absent. */
inline void load_plugins(const std::string& paths) {
  static std::once_flag own;
  std::call_once(own, [] {
    const std::string name = "libnvinfer_plugin.so." + std::to_string(NV_TENSORRT_MAJOR);
    void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    auto init = library == nullptr ? nullptr : reinterpret_cast<bool (*)(void*, const char*)>(dlsym(library, "initLibNvInferPlugins"));
    if (init != nullptr) init(&trt_logger(), "");
  });
  for (size_t i = 0, end; i < paths.size(); i = end + 1) {
    end = std::min(paths.find('\n', i), paths.size());
    const std::string path = paths.substr(i, end - i);
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
      const char* why = dlerror();
      refuse(ANYINFER_OPTION, "plugins: %.900s", why != nullptr ? why : path.c_str());
    }
  }
}

inline const processor& choose(const anyinfer_engine_t& engine, const std::string& name) {
  for (auto& p : engine.processors)
    if (name.empty() || p.name == name) return p;
  refuse(ANYINFER_DEVICE, "there is no device %.100s", name.c_str());
}

/* model_file is the file of a model. */
struct model_file {
  explicit model_file(const anyinfer_source* s) {
    if (s->parts != 1) refuse(ANYINFER_MODEL, "a model for TensorRT is one file, not %d", int(s->parts));
    data = static_cast<const char*>(s->data[0]), size = size_t(s->sizes[0]);
  }
  const char* data;
  size_t size;
};

inline long long whole_number(const std::string& key, const std::string& text) {
  char* end;
  const long long n = strtoll(text.c_str(), &end, 10);
  if (*end != 0 || n < 0) refuse(ANYINFER_OPTION, "%s cannot be %.100s", key.c_str(), text.c_str());
  return n;
}

/* save writes a plan to the file at path. */
inline void save(const std::string& path, const IHostMemory& plan) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(plan.data()), std::streamsize(plan.size()));
  file.close();
  if (!file) refuse(ANYINFER_RUN, "cannot write %.900s", path.c_str());
}

/* fix_output_shapes sets the shapes of outputs if each input has only one shape. */
inline void fix_output_shapes(anyinfer_model_t& m) {
  for (auto& p : m.inputs)
    for (int i = 0; i < p.tensor.shape.rank; i++)
      if (p.tensor.shape.dims[i] < 0) return;
  for (auto& p : m.inputs)
    if (!set_dims(*m.first_context, p, 0, to_dims(p.tensor.shape.dims, size_t(p.tensor.shape.rank)))) return;
  if (!ready(*m.first_context)) return;
  for (auto& p : m.outputs) p.tensor.shape = to_shape(dims_of(*m.first_context, p, 0), p.name);
}

/* open_plan makes a plan ready to run. */
inline void open_plan(anyinfer_model_t& m, const call& here, const void* data, size_t size) {
  m.runtime.reset(here.not_null(nvinfer1::createInferRuntime(trt_logger()), ANYINFER_DEVICE, "TensorRT cannot run on this machine"));
  if (m.device.dla >= 0) m.runtime->setDLACore(m.device.dla);
  m.plan.reset(here.not_null(m.runtime->deserializeCudaEngine(data, size), ANYINFER_MODEL, "TensorRT cannot load this plan; plans are for the release and the kind of GPU that made them"));
#if ANYINFER_TENSORRT < 1000
  if (m.plan->hasImplicitBatchDimension()) refuse(ANYINFER_MODEL, "the plan has an implicit batch dimension, as only UFF and Caffe models had; build it of an ONNX file");
#endif
  for (int i = 0; i < ports(*m.plan); i++) (is_input(*m.plan, i) ? m.inputs : m.outputs).push_back(describe(*m.plan, i));
  for (auto* all : {&m.inputs, &m.outputs})
    for (auto& p : *all) p.tensor.name = p.name.c_str();
  m.in_use.resize(size_t(m.plan->getNbOptimizationProfiles()));
  m.first_context.reset(here.not_null(m.plan->createExecutionContext(), ANYINFER_DEVICE, "TensorRT cannot prepare to run the plan"));
  fix_output_shapes(m);
}

inline void load_model(anyinfer_model_t& m, const call& here, const anyinfer_source* source, anyinfer::options& o) {
  const model_file model(source);
  m.format = source->format;
  if (m.format.empty()) m.format = model.size > 0 && model.data[0] == 8 ? "onnx" : "tensorrt"; // ONNX begins with its version, field 1
  if (m.format != "onnx" && m.format != "tensorrt") refuse(ANYINFER_MODEL, "TensorRT reads ONNX files, and plans");
  o.take("processors"); // a GPU does not use them
  load_plugins(o.take("plugins"));
  m.profile = o.take("profile") == "1";
  m.graphs = o.take("graphs") == "1";
  if (m.graphs && !cuda().graphs) refuse(ANYINFER_OPTION, "CUDAGraphs: the NVIDIA driver is too old for CUDA graphs");
  if (m.format == "tensorrt") {
    o.number("sessions"); // any number: a plan has its profiles already
    m.format = o.take("built_from", m.format);
    m.precision = o.take("built_precision");
    o.done(": the options of a plan are fixed when it is built");
    return open_plan(m, here, model.data, model.size);
  }
  build_options options;
  options.precision = o.take("precision");
  options.shapes = o.shapes();
  options.workspace = whole_number("workspace", o.take("workspace", "0"));
  options.level = o.number("level", 5);
  options.sessions = std::max(1, o.number("sessions"));
  options.tf32 = o.take("tf32") == "1";
  options.timing_cache = o.take("timing_cache");
  const std::string path = o.take("save");
  o.done();
  std::unique_ptr<IHostMemory> plan;
  {
    builder b(m.engine->host, here, m.device, options, *source->canceled);
    b.parse(model.data, model.size, source->paths == nullptr ? nullptr : source->paths[0]);
    plan = b.plan(m.precision);
  }
  if (!path.empty()) save(path, *plan);
  open_plan(m, here, plan->data(), plan->size());
}

}  // namespace anyinfer_tensorrt

#endif
