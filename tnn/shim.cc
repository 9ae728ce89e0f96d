// SPDX-License-Identifier: Apache-2.0

//go:build cgo && tnn

// TNN behind the functions of anyinfer_engine.h.
//
// A session is a TNN Instance. The instances of a model run in parallel and share
// the weights of the file; each has a copy of them in its device's layout. TNN's
// converters copy between the caller's memory and the network's blobs, of any layout
// and type. Instance::GetOutputMat would return one buffer for all runs.
#include <mutex>
#include <thread>

#include "network.h"

using anyinfer::at;

struct anyinfer_engine_t {
  std::vector<backend> devices;
  int threads; // the maximum of a run on the processor
};

namespace anyinfer_tnn {
struct description {
  std::string name;
  anyinfer_tensor tensor{};
  MatType mat;
};
}  // namespace anyinfer_tnn

struct anyinfer_model_t {
  anyinfer_engine_t* engine;
  TNN net;
  backend device;
  NetworkConfig config;
  std::string precision;
  int threads = 0;
  std::vector<description> inputs, outputs;
  InputShapesMap min, max;
  std::mutex creating;
  std::shared_ptr<Instance> first_instance; // made by load for the first session
};

struct anyinfer_session_t {
  struct place {
    Blob* blob;
    BlobConverter converter;
    DimsVector dims;
    std::unique_ptr<Mat> mat; // the caller's memory
  };
  anyinfer_model_t* model;
  std::shared_ptr<Instance> instance;
  InputShapesMap capacity; // the shapes for which the instance has memory
  void* queue = nullptr;
  std::vector<place> inputs, outputs;
};

namespace {

// Engine

anyinfer_status open_engine(const anyinfer_host*, anyinfer_engine_t** engine, anyinfer_error* error) {
  return guarded(error, [&] {
    std::unique_ptr<anyinfer_engine_t> e(new anyinfer_engine_t{{}, 1});
    for (auto& b : backends) {
      if (!built_in(b.type)) continue;
      auto instance = smallest_instance(b.type);
      if (instance == nullptr) continue; // this machine has no such device
      if (e->devices.empty() && b.cpu) e->threads = max_threads(*instance);
      e->devices.push_back(b);
    }
    if (e->devices.empty()) refuse(ANYINFER_NOT_AVAILABLE, "this TNN supports no device of this machine; a static TNN must be linked with --whole-archive");
    *engine = e.release();
  });
}

void close_engine(anyinfer_engine_t* engine) { delete engine; }

const char* version(anyinfer_engine_t*) { return ANYINFER_TNN_VERSION; }

anyinfer_status device(anyinfer_engine_t* engine, int32_t index, anyinfer_device* out, anyinfer_error* error) {
  return guarded(error, [&] {
    auto& b = at(engine->devices, index, ANYINFER_DEVICE, "device");
    *out = {b.name, b.description};
  });
}

// Model

void choose(anyinfer_model_t& m, anyinfer::options& o) {
  m.device = m.engine->devices[0];
  const std::string name = o.take("device", m.device.name);
  auto found = std::find_if(m.engine->devices.begin(), m.engine->devices.end(), [&](const backend& b) { return b.name == name; });
  if (found == m.engine->devices.end()) refuse(ANYINFER_DEVICE, "there is no device %.100s", name.c_str());
  m.device = *found;
  m.config.device_type = m.device.type;

  // The meaning of TNN's precisions depends on the device. TNN's default would be
  // less than the model's own precision if the device supports that.
  m.precision = o.take("precision", m.device.type == DEVICE_METAL ? "float16" : "float32");
  const bool arm = m.device.type == DEVICE_ARM, half = m.precision == "float16";
  if (m.precision == "float32" && m.device.type != DEVICE_METAL) m.config.precision = PRECISION_HIGH;
  else if (half && m.device.type == DEVICE_METAL) m.config.precision = PRECISION_NORMAL;
  else if (half && arm && CpuUtils::CpuSupportFp16()) m.config.precision = PRECISION_NORMAL;
  else if (half && m.device.type == DEVICE_OPENCL) m.config.precision = PRECISION_LOW;
  else if (m.precision == "bfloat16" && arm) m.config.precision = PRECISION_LOW;
  else refuse(ANYINFER_OPTION, "%s does not compute in %.100s here", m.device.name, m.precision.c_str());

  const int threads = o.number("threads", 1024), sessions = std::max(1, o.number("sessions")), limit = m.engine->threads, processors = o.number("processors");
  if (!m.device.cpu) {
    if (threads > 0) refuse(ANYINFER_OPTION, "threads is for processors only, the device is %s", m.device.name);
    return;
  }
  if (threads > limit)
    refuse(ANYINFER_OPTION, "threads cannot be %d: %s", threads, limit == 1 ? "this TNN was built without OpenMP, or the machine has one core" : "TNN uses at most one thread for each core");
  m.threads = threads > 0 ? threads : std::max(1, std::min(limit, processors) / sessions);
}

std::shared_ptr<Instance> create(anyinfer_model_t& m, const InputShapesMap& min, const InputShapesMap& max, anyinfer_status kind) {
  std::lock_guard<std::mutex> lock(m.creating);
  Status status;
  auto instance = m.net.CreateInst(m.config, status, min, max);
  require(status, kind, "TNN cannot prepare the model");
  if (instance == nullptr) refuse(kind, "TNN cannot prepare the model");
  if (m.device.cpu) require(instance->SetCpuNumThreads(m.threads), ANYINFER_OPTION, "threads");
  return instance;
}

BlobMap blobs_of(Instance& instance, bool inputs) {
  BlobMap blobs;
  require(inputs ? instance.GetAllInputBlobs(blobs) : instance.GetAllOutputBlobs(blobs), ANYINFER_RUN, "TNN does not report its blobs");
  return blobs;
}

Blob& find(const BlobMap& blobs, const std::string& name) {
  auto found = blobs.find(name);
  if (found == blobs.end() || found->second == nullptr) refuse(ANYINFER_MODEL, "TNN has no blob \"%.100s\"", name.c_str());
  return *found->second;
}

// describe returns the type into which TNN's converter turns a blob. The caller sees
// neither smaller types of arithmetic nor quantization.
description describe(const std::string& name, BlobDesc& blob, const DimsVector& min) {
  description d;
  d.name = name;
  switch (blob.data_type) {
    case DATA_TYPE_FLOAT:
    case DATA_TYPE_HALF:
    case DATA_TYPE_BFP16:
    case DATA_TYPE_INT8:
      d.tensor.dtype = ANYINFER_FLOAT32, d.mat = NCHW_FLOAT;
      break;
    case DATA_TYPE_INT32:
      d.tensor.dtype = ANYINFER_INT32, d.mat = NC_INT32;
      break;
    default:
      refuse(ANYINFER_DTYPE, "\"%.100s\" is of TNN's type %d, which its converters do not support", name.c_str(), int(blob.data_type));
  }
  d.tensor.shape = to_shape(blob.dims);
  for (size_t k = 0; k < blob.dims.size(); k++)
    if (k >= min.size() || min[k] != blob.dims[k]) d.tensor.shape.dims[k] = -1;
  return d;
}

// bounds sets the smallest and largest shapes of the inputs, from the options or the file.
void bounds(anyinfer_model_t& m, const std::map<std::string, anyinfer::range>& given) {
  require(m.net.GetModelInputShapesMap(m.max), ANYINFER_MODEL, "TNN does not report its inputs");
  m.min = m.max;
  for (auto& g : given) {
    auto found = m.max.find(g.first);
    if (found == m.max.end()) refuse(ANYINFER_NAME, "there is no input \"%.100s\"", g.first.c_str());
    if (found->second.size() != g.second.max.size()) refuse(ANYINFER_SHAPE, "input \"%.100s\" has %zu dimensions", g.first.c_str(), found->second.size());
    m.min[g.first].assign(g.second.min.begin(), g.second.min.end());
    found->second.assign(g.second.max.begin(), g.second.max.end());
  }
}

void describe_all(anyinfer_model_t& m, const header& names) {
  m.first_instance = create(m, m.min, m.max, ANYINFER_MODEL);
  const bool dynamic = m.min != m.max;
  auto small = dynamic ? create(m, m.min, m.min, ANYINFER_MODEL) : m.first_instance;
  const BlobMap in = blobs_of(*m.first_instance, true), out = blobs_of(*m.first_instance, false), small_out = blobs_of(*small, false);
  for (auto& name : names.inputs) m.inputs.push_back(describe(name, find(in, name).GetBlobDesc(), m.min[name]));
  for (auto& name : names.outputs) {
    Blob& blob = find(out, name);
    if (blob.NeedAllocateInForward()) refuse(ANYINFER_MODEL, "the shape of output \"%.100s\" depends on values, which this engine does not support", name.c_str());
    m.outputs.push_back(describe(name, blob.GetBlobDesc(), find(small_out, name).GetBlobDesc().dims));
  }
  for (auto* all : {&m.inputs, &m.outputs})
    for (auto& d : *all) d.tensor.name = d.name.c_str();
}

anyinfer_status load(anyinfer_engine_t* engine, const anyinfer_source* source, anyinfer_model_t** model, anyinfer_error* error) {
  return guarded(error, [&] {
    if (source->format[0] != 0 && strcmp(source->format, "tnn") != 0) refuse(ANYINFER_MODEL, "TNN reads .tnnproto files with .tnnmodel files; its converter makes them");
    if (source->parts != 2) refuse(ANYINFER_MODEL, "a TNN model is two files, a .tnnproto and its .tnnmodel, not %d", int(source->parts));
    std::unique_ptr<anyinfer_model_t> m(new anyinfer_model_t);
    m->engine = engine;
    anyinfer::options options(source);
    choose(*m, options);
    const auto given = options.shapes();
    options.done();
    ModelConfig config;
    config.params = {anyinfer::part(source, 0), anyinfer::part(source, 1)};
    const header names = read_header(config.params[0]);
    require(m->net.Init(config), ANYINFER_MODEL, "TNN cannot read the model");
    if (*source->canceled) refuse(ANYINFER_RUN, "cancelled");
    bounds(*m, given);
    describe_all(*m, names);
    *model = m.release();
  });
}

void close_model(anyinfer_model_t* model) { delete model; }

anyinfer_status property(anyinfer_model_t* model, const char* key, char* text, uint32_t size, anyinfer_error* error) {
  return guarded(error, [&] {
    std::string value;
    if (strcmp(key, "format") == 0) value = "tnn";
    else if (strcmp(key, "device") == 0) value = model->device.name;
    else if (strcmp(key, "precision") == 0) value = model->precision;
    else if (strcmp(key, "threads") == 0) value = model->threads > 0 ? std::to_string(model->threads) : "";
    else if (strcmp(key, "state") == 0) value = "stateless";
    else if (strcmp(key, "files") == 0) value = "copied";
    else if (strcmp(key, "details") != 0) refuse(ANYINFER_OPTION, "there is no property %.100s", key);
    set_text(text, size, value);
  });
}

// Session

anyinfer_status session(anyinfer_model_t* model, int32_t, anyinfer_session_t** out, anyinfer_error* error) {
  return guarded(error, [&] {
    std::unique_ptr<anyinfer_session_t> s(new anyinfer_session_t{model, nullptr, model->max});
    {
      std::lock_guard<std::mutex> lock(model->creating);
      s->instance = std::move(model->first_instance);
    }
    if (s->instance == nullptr) s->instance = create(*model, model->min, model->max, ANYINFER_RUN);
    *out = s.release();
  });
}

void close_session(anyinfer_session_t* s) { delete s; }

// checked_shapes returns the shapes of inputs, because TNN does not check them: it
// would write beyond its memory.
InputShapesMap checked_shapes(const anyinfer_model_t& m, const anyinfer_shape* inputs) {
  InputShapesMap shapes;
  for (size_t i = 0; i < m.inputs.size(); i++) {
    const std::string& name = m.inputs[i].name;
    const DimsVector &min = m.min.at(name), &max = m.max.at(name);
    bool good = size_t(inputs[i].rank) == max.size();
    for (size_t k = 0; good && k < max.size(); k++) good = inputs[i].dims[k] >= min[k] && inputs[i].dims[k] <= max[k];
    if (!good) refuse(ANYINFER_SHAPE, "input \"%.100s\" has a shape outside the range of the model or of Options.Shapes", name.c_str());
    shapes[name].assign(inputs[i].dims, inputs[i].dims + inputs[i].rank);
  }
  return shapes;
}

// with_batches returns shapes with the batch sizes of others.
InputShapesMap with_batches(InputShapesMap shapes, const InputShapesMap& others) {
  for (auto& s : shapes)
    if (!s.second.empty()) s.second[0] = others.at(s.first)[0];
  return shapes;
}

anyinfer_status reshape(anyinfer_session_t* s, const anyinfer_shape* inputs, anyinfer_shape* outputs, anyinfer_error* error) {
  return guarded(error, [&] {
    anyinfer_model_t& m = *s->model;
    const InputShapesMap shapes = checked_shapes(m, inputs);
    // After a failure TNN's state is undefined, so the instance is deleted.
    std::shared_ptr<Instance> instance = std::move(s->instance);
    s->inputs.clear();
    s->outputs.clear();
    // Instance::Reshape supports only other batch sizes. For other changes, TNN's
    // layers keep values of the old shapes, such as a pooling layer's padding.
    const InputShapesMap largest = with_batches(shapes, m.max);
    if (instance == nullptr || s->capacity != largest) {
      instance.reset(); // first, so that two never exist at once
      instance = create(m, with_batches(shapes, m.min), largest, ANYINFER_SHAPE);
      s->capacity = largest;
    }
    require(instance->Reshape(shapes), ANYINFER_SHAPE, "TNN cannot prepare for these inputs");
    require(instance->GetCommandQueue(&s->queue), ANYINFER_RUN, "TNN has no queue");
    const BlobMap in = blobs_of(*instance, true), out = blobs_of(*instance, false);
    for (auto& d : m.inputs) {
      Blob& blob = find(in, d.name);
      s->inputs.push_back({&blob, BlobConverter(&blob), blob.GetBlobDesc().dims, nullptr});
    }
    for (size_t i = 0; i < m.outputs.size(); i++) {
      Blob& blob = find(out, m.outputs[i].name);
      s->outputs.push_back({&blob, BlobConverter(&blob), blob.GetBlobDesc().dims, nullptr});
      outputs[i] = to_shape(blob.GetBlobDesc().dims);
    }
    s->instance = std::move(instance);
  });
}

anyinfer_status bind_memory(anyinfer_session_t* s, const void* const* inputs, void* const* outputs, anyinfer_error* error) {
  return guarded(error, [&] {
    for (size_t i = 0; i < s->inputs.size(); i++) s->inputs[i].mat.reset(new Mat(host, s->model->inputs[i].mat, s->inputs[i].dims, const_cast<void*>(inputs[i])));
    for (size_t i = 0; i < s->outputs.size(); i++) s->outputs[i].mat.reset(new Mat(host, s->model->outputs[i].mat, s->outputs[i].dims, outputs[i]));
  });
}

anyinfer_status run(anyinfer_session_t* s, anyinfer_error* error) {
  return guarded(error, [&] {
    static const MatConvertParam identity;
    for (auto& p : s->inputs) require(p.converter.ConvertFromMat(*p.mat, identity, s->queue), ANYINFER_RUN, "TNN cannot convert an input");
    require(s->instance->Forward(), ANYINFER_RUN, "TNN failed");
    for (auto& p : s->outputs) {
      if (p.blob->GetBlobDesc().dims != p.dims) refuse(ANYINFER_RUN, "TNN has changed the shape of an output during the run, which this engine does not support");
      require(p.converter.ConvertToMat(*p.mat, identity, s->queue), ANYINFER_RUN, "TNN cannot convert an output");
    }
  });
}

// No output has a shape that depends on values.
anyinfer_status result(anyinfer_session_t*, int32_t index, anyinfer_shape*, const void**, anyinfer_error* error) {
  return guarded(error, [&] { refuse(ANYINFER_NAME, "output %d is in the bound memory", int(index)); });
}

const anyinfer_api api = {
    ANYINFER_ABI, sizeof(anyinfer_api), "tnn", "tnn", open_engine, close_engine, version, device, load, close_model, property,
    anyinfer::signature, anyinfer::input, anyinfer::output, session, close_session, reshape, bind_memory, run, result,
    nullptr, // cancel: TNN cannot be interrupted
    nullptr, // reset: TNN has no variables
    nullptr, // layer: TNN measures times only in special builds
};

}  // namespace

const anyinfer_api* ANYINFER_ENTRY(void) { return &api; }
