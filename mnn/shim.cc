// SPDX-License-Identifier: Apache-2.0

//go:build cgo && mnn

// MNN behind the functions of anyinfer_engine.h.
//
// It uses MNN's Module API, because the Session API supports no control flow
// and locks the model in each run. A module can be cloned: the clones share the
// weights and run in parallel, each with its own runtime.
//
// If the shapes of all outputs follow from those of the inputs, shape inference
// is separated from computing: reshape and bind prepare, and run only computes,
// on the caller's memory. Models with control flow or with shapes that depend
// on values repeat the inference in each run.
#include "model.h"

#include <cstdlib>
#include <thread>

struct anyinfer_engine_t {
  anyinfer_host host;
  std::vector<backend> devices;
};

struct anyinfer_session_t {
  anyinfer_model_t* model;
  runtime session_runtime;
  std::unique_ptr<Module> module;
  watch progress;
  VARPS inputs, outputs;
  std::vector<const void*> input_memory; // the caller's
  bool prepared = false;                 // for the addresses in input_memory
  std::vector<std::vector<char>> packed; // of inputs that are NC4HW4
  struct output_copy {
    const void* plain;            // MNN's memory, if its layout is the caller's, or NULL
    const Tensor* tensor;         // MNN's tensor, which is converted if plain is NULL
    std::unique_ptr<Tensor> host; // over the caller's memory
    size_t bytes;
  };
  std::vector<output_copy> output_copies;
  std::vector<std::vector<char>> unpacked; // of outputs whose shapes are known only after a run
  bool cache_is_old = false;

  explicit anyinfer_session_t(anyinfer_model_t* m) : model(m), session_runtime(m->options) {
    progress.profile = m->options.profile;
    watch::observe(*session_runtime.executor);
  }
  ~anyinfer_session_t() {
    ExecutorScope scope(session_runtime.executor);
    inputs.clear();
    outputs.clear();
    module.reset();
  }
};

namespace {

// Engine

anyinfer_status open_engine(const anyinfer_host* host, anyinfer_engine_t** engine, anyinfer_error* error) {
  return guarded(error, [&] {
    // Runs that are separated from shape inference use the global executor's
    // callbacks: entering a scope in each run would cost as much as a call.
    static std::once_flag once;
    std::call_once(once, [] {
      redirect_prints();
      watch::observe(*Executor::getGlobalExecutor());
    });
    std::unique_ptr<anyinfer_engine_t> e(new anyinfer_engine_t{*host, {}});
    for (auto& b : backends)
      if (available(b)) e->devices.push_back(b);
    if (e->devices.empty()) refuse(ANYINFER_NOT_AVAILABLE, "this MNN was built without any backend");
    logs().add(&e->host);
    *engine = e.release();
  });
}

void close_engine(anyinfer_engine_t* engine) {
  logs().remove(&engine->host);
  delete engine;
}

const char* version(anyinfer_engine_t*) { return MNN::getVersion(); }

anyinfer_status device(anyinfer_engine_t* engine, int32_t index, anyinfer_device* out, anyinfer_error* error) {
  return guarded(error, [&] {
    auto& b = at(engine->devices, index, ANYINFER_DEVICE, "device");
    *out = {b.name, b.description};
  });
}

// Model

// pool_threads returns the number of threads that a run gets. MNN has one pool for
// each process and power mode, with the number of threads of the first model.
int pool_threads(int wanted, BackendConfig::PowerMode power) {
  static std::mutex mutex;
  static int sizes[3];
  std::lock_guard<std::mutex> lock(mutex);
  int& size = sizes[power];
  if (wanted > 1 && size == 0) size = wanted;
  return wanted > 1 ? std::min(wanted, size) : 1;
}

uint64_t digest(const char* data, size_t size) { // FNV-1a
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < size; i++) h = (h ^ uint8_t(data[i])) * 0x100000001b3;
  return h;
}

settings choose(const anyinfer_engine_t& engine, anyinfer::options& o, const char* data, size_t size) {
  settings s;
  s.device = engine.devices[0];
  const std::string name = o.take("device", s.device.name);
  auto found = std::find_if(engine.devices.begin(), engine.devices.end(), [&](const backend& b) { return b.name == name; });
  if (found == engine.devices.end()) refuse(ANYINFER_DEVICE, "there is no device %.100s", name.c_str());
  s.device = *found;
  const bool cpu = s.device.type == MNN_FORWARD_CPU;

  s.config.memory = BackendConfig::MemoryMode(o.choice("memory", {"normal", "high", "low"}));
  s.config.power = BackendConfig::PowerMode(o.choice("power", {"normal", "high", "low"}));
  // The default is the model's own precision: MNN's "normal" is float16 on GPUs.
  s.config.precision = BackendConfig::Precision_High;
  const std::string precision = o.take("precision", "float32");
  if (precision == "float16") {
    s.config.precision = BackendConfig::Precision_Low;
    if (!Executor::newExecutor(s.device.type, s.config, 1)->getCurrentRuntimeStatus(MNN::STATUS_SUPPORT_FP16))
      refuse(ANYINFER_OPTION, "%s does not compute in float16 here", s.device.name);
  } else if (precision != "float32") {
    refuse(ANYINFER_OPTION, "precision cannot be %.100s: MNN does not report whether it supports it", precision.c_str());
  }

  const int threads = o.number("threads", 1024), sessions = std::max(1, o.number("sessions")), processors = o.number("processors");
  if (cpu) {
    s.threads = pool_threads(threads > 0 ? threads : std::max(1, processors / sessions), s.config.power);
    if (threads > s.threads)
      refuse(ANYINFER_OPTION, "threads cannot be %d: MNN has one pool of threads in a process, and the first loaded model set its size to %d", threads, s.threads);
  } else {
    if (threads > 0) refuse(ANYINFER_OPTION, "threads is for the CPU only, the device is %s", s.device.name);
    s.threads = MNN_GPU_TUNING_FAST;
  }

  s.profile = o.take("profile") == "1";
  const std::string folder = o.take("cache_dir");
  if (!folder.empty()) {
    if (cpu) refuse(ANYINFER_OPTION, "cache_dir: MNN has nothing to store for the CPU");
    char file[200];
    snprintf(file, sizeof file, "/mnn-%s-%s-%s-%016llx.cache", MNN::getVersion(), s.device.name, precision.c_str(), (unsigned long long)digest(data, size));
    s.cache = folder + file;
  }
  return s;
}

anyinfer_status load(anyinfer_engine_t* engine, const anyinfer_source* source, anyinfer_model_t** model, anyinfer_error* error) {
  return guarded(error, [&] {
    hosts::call call(&engine->host);
    if (source->format[0] != 0 && strcmp(source->format, "mnn") != 0) refuse(ANYINFER_MODEL, "MNN reads .mnn files; its converter makes them");
    if (source->parts != 1) refuse(ANYINFER_MODEL, "an MNN model is one file, not %d", int(source->parts));
    std::unique_ptr<anyinfer_model_t> m(new anyinfer_model_t);
    m->data = static_cast<const char*>(source->data[0]), m->size = size_t(source->sizes[0]);
    if (m->size > INT32_MAX) refuse(ANYINFER_MODEL, "the file has more than 2 GB: let the converter save weights in a separate file");
    anyinfer::options options(source);
    m->engine = engine;
    m->options = choose(*engine, options, m->data, m->size);
    const shapes shape_options = options.shapes();
    options.done();
    if (source->paths != nullptr) m->options.external = std::string(source->paths[0]) + ".weight";
    m->load_runtime.reset(new runtime(m->options));
    ExecutorScope scope(m->load_runtime->executor);
    watch::observe(*m->load_runtime->executor);
    m->module = m->load(*m->load_runtime);
    if (m->module == nullptr) refuse(ANYINFER_MODEL, "MNN cannot load the model%.900s", reason(call.text).c_str());
    if (*source->canceled) refuse(ANYINFER_RUN, "cancelled");
    m->separated = separate(*m->module);
    describe_inputs(*m, shape_options);
    describe_outputs(*m, shape_options, source->canceled, call.text);
    *model = m.release();
  });
}

void close_model(anyinfer_model_t* model) {
  hosts::call call(&model->engine->host);
  delete model;
}

anyinfer_status property(anyinfer_model_t* model, const char* key, char* text, uint32_t size, anyinfer_error* error) {
  return guarded(error, [&] {
    const settings& s = model->options;
    static const char* modes[] = {"normal", "high", "low"};
    const bool cpu = s.device.type == MNN_FORWARD_CPU;
    std::string value;
    if (strcmp(key, "format") == 0) value = "mnn";
    else if (strcmp(key, "device") == 0) value = s.device.name;
    else if (strcmp(key, "precision") == 0) value = s.config.precision == BackendConfig::Precision_Low ? "float16" : "float32";
    else if (strcmp(key, "threads") == 0) value = cpu ? std::to_string(s.threads) : "";
    else if (strcmp(key, "memory") == 0) value = modes[s.config.memory];
    else if (strcmp(key, "power") == 0) value = modes[s.config.power];
    else if (strcmp(key, "state") == 0) value = "stateless";
    else if (strcmp(key, "files") == 0) value = model->separated ? "copied" : "";
    else if (strcmp(key, "details") == 0) value = model->separated ? "" : "shapes=inferred by each Run";
    else refuse(ANYINFER_OPTION, "there is no property %.100s", key);
    set_text(text, size, value);
  });
}

// Session

anyinfer_status session(anyinfer_model_t* model, int32_t, anyinfer_session_t** out, anyinfer_error* error) {
  return guarded(error, [&] {
    hosts::call call(&model->engine->host);
    std::unique_ptr<anyinfer_session_t> s(new anyinfer_session_t(model));
    ExecutorScope scope(s->session_runtime.executor);
    if (model->separated) {
      Module::CloneContext context;
      context.pRuntimeManager = s->session_runtime.manager;
      std::lock_guard<std::mutex> lock(model->preparing);
      s->module.reset(model->module->clone(&context));
    } else {
      s->module = model->load(s->session_runtime); // not a clone, because clones cannot infer shapes in parallel
    }
    if (s->module == nullptr) refuse(ANYINFER_RUN, "MNN cannot make a session: %.900s", call.text.c_str());
    if (model->separated && !separate(*s->module)) refuse(ANYINFER_RUN, "MNN cannot separate a clone of the model");
    *out = s.release();
  });
}

void close_session(anyinfer_session_t* s) {
  hosts::call call(&s->model->engine->host);
  delete s;
}

// infer makes MNN infer shapes and prepare for the inputs.
void infer(anyinfer_session_t& s, anyinfer_status status, const std::string& printed) {
  std::lock_guard<std::mutex> lock(s.model->preparing);
  s.progress.canceled = false; // a late cancel of the last run may have set it
  s.outputs = forward(*s.module, s.inputs, s.progress);
  if (s.outputs.size() != s.model->outputs.size()) refuse(status, "MNN cannot prepare for these inputs%.900s", reason(printed).c_str());
}

anyinfer_status reshape(anyinfer_session_t* s, const anyinfer_shape* inputs, anyinfer_shape* outputs, anyinfer_error* error) {
  return guarded(error, [&] {
    hosts::call call(&s->model->engine->host);
    ExecutorScope scope(s->session_runtime.executor);
    auto& known = s->model->inputs;
    s->prepared = false;
    s->input_memory.assign(known.size(), nullptr);
    s->inputs.clear();
    s->packed.assign(known.size(), {});
    for (size_t i = 0; i < known.size(); i++) {
      s->inputs.push_back(input_variable(known[i].info, inputs[i]));
      auto info = s->inputs[i]->getInfo();
      if (info->order != MNN::Express::NC4HW4) continue;
      s->packed[i].assign(planes(*info).packed() + 64, 0);
      set_memory(s->inputs[i], s->packed[i].data());
    }
    if (!s->model->separated) {
      for (size_t i = 0; i < s->model->outputs.size(); i++) outputs[i] = s->model->outputs[i].tensor.shape;
      return;
    }
    infer(*s, ANYINFER_SHAPE, call.text);
    for (size_t i = 0; i < s->outputs.size(); i++) {
      auto info = s->outputs[i]->getInfo();
      if (info == nullptr) refuse(ANYINFER_SHAPE, "MNN does not report the shape of output \"%.100s\"", s->model->outputs[i].name.c_str());
      for (int d : info->dim)
        if (d < 0) refuse(ANYINFER_SHAPE, "output \"%.100s\" would have a dimension of %d", s->model->outputs[i].name.c_str(), d);
      outputs[i] = to_shape(info->dim);
    }
  });
}

// plain returns the memory of an output that needs no conversion, or NULL.
const void* plain(const anyinfer_session_t& s, VARP& v) {
  const Tensor* t = v->getTensor();
  if (s.model->options.device.type != MNN_FORWARD_CPU || v->getInfo()->order == MNN::Express::NC4HW4) return nullptr;
  const void* memory = v->readMap<void>();
  return memory == t->host<void>() ? memory : nullptr;
}

anyinfer_status bind_memory(anyinfer_session_t* s, const void* const* inputs, void* const* outputs, anyinfer_error* error) {
  return guarded(error, [&] {
    hosts::call call(&s->model->engine->host);
    ExecutorScope scope(s->session_runtime.executor);
    for (size_t i = 0; i < s->inputs.size(); i++) {
      if (s->input_memory[i] == inputs[i]) continue;
      s->input_memory[i] = inputs[i];
      if (!s->packed[i].empty()) continue;
      set_memory(s->inputs[i], inputs[i]);
      s->prepared = false;
    }
    if (!s->model->separated) return;
    if (!s->prepared) infer(*s, ANYINFER_RUN, call.text); // operators keep the addresses of inputs
    s->prepared = true;
    s->output_copies.clear();
    for (size_t i = 0; i < s->outputs.size(); i++) {
      const Tensor* t = s->outputs[i]->getTensor();
      std::unique_ptr<Tensor> host(new Tensor(t, t->getDimensionType(), false));
      host->buffer().host = static_cast<uint8_t*>(outputs[i]);
      s->output_copies.push_back({plain(*s, s->outputs[i]), t, std::move(host), bytes_of(*s->outputs[i]->getInfo())});
    }
    s->cache_is_old = !s->model->options.cache.empty();
  });
}

void check(const anyinfer_session_t& s, bool good, const std::string& printed) {
  if (s.progress.canceled) refuse(ANYINFER_RUN, "cancelled");
  if (!good || s.progress.begun != s.progress.ended) refuse(ANYINFER_RUN, "MNN failed%.900s", reason(printed).c_str());
}

anyinfer_status run(anyinfer_session_t* s, anyinfer_error* error) {
  return guarded(error, [&] {
    hosts::call call(&s->model->engine->host);
    s->progress.canceled = false; // the caller repeats a cancel that came too early
    for (size_t i = 0; i < s->inputs.size(); i++)
      if (!s->packed[i].empty()) planes(*s->inputs[i]->getInfo()).pack(static_cast<const char*>(s->input_memory[i]), s->packed[i].data());
    if (!s->model->separated) {
      ExecutorScope scope(s->session_runtime.executor);
      s->outputs = forward(*s->module, s->inputs, s->progress);
      check(*s, s->outputs.size() == s->model->outputs.size(), call.text);
      return;
    }
    forward(*s->module, {}, s->progress);
    check(*s, true, call.text);
    for (auto& p : s->output_copies)
      if (p.plain != nullptr) memcpy(p.host->buffer().host, p.plain, p.bytes);
      else if (!p.tensor->copyToHostTensor(p.host.get())) refuse(ANYINFER_RUN, "MNN cannot copy an output");
    if (s->cache_is_old) s->session_runtime.manager->updateCache();
    s->cache_is_old = false;
  });
}

anyinfer_status result(anyinfer_session_t* s, int32_t index, anyinfer_shape* shape, const void** data, anyinfer_error* error) {
  return guarded(error, [&] {
    hosts::call call(&s->model->engine->host);
    ExecutorScope scope(s->session_runtime.executor);
    auto& v = at(s->outputs, index, ANYINFER_NAME, "output");
    auto info = v->getInfo();
    if (info == nullptr) refuse(ANYINFER_RUN, "MNN does not report the shape of output %d", int(index));
    const auto& name = s->model->outputs[size_t(index)].name;
    if (dtype_of(info->type, name) != s->model->outputs[size_t(index)].tensor.dtype) refuse(ANYINFER_RUN, "output \"%.100s\" has changed its type", name.c_str());
    *shape = to_shape(info->dim);
    *data = nullptr;
    if (info->size == 0) return;
    if (info->order == MNN::Express::NC4HW4) {
      s->unpacked.resize(s->outputs.size());
      auto& memory = s->unpacked[size_t(index)];
      memory.resize(bytes_of(*info));
      Tensor to(v->getTensor(), Tensor::CAFFE, false);
      to.buffer().host = reinterpret_cast<uint8_t*>(memory.data());
      if (!v->getTensor()->copyToHostTensor(&to)) refuse(ANYINFER_RUN, "MNN cannot copy output \"%.100s\"", name.c_str());
      *data = memory.data();
    } else if ((*data = v->readMap<void>()) == nullptr) {
      refuse(ANYINFER_RUN, "MNN has not computed output \"%.100s\"", name.c_str());
    }
  });
}

void cancel(anyinfer_session_t* s) { s->progress.canceled = true; }

anyinfer_status layer(anyinfer_session_t* s, int32_t index, anyinfer_layer* out, anyinfer_error* error) {
  return guarded(error, [&] {
    if (index < 0 || index >= s->progress.ended || !s->progress.profile) refuse(ANYINFER_NAME, "there is no layer %d", int(index));
    auto& l = s->progress.layers[size_t(index)];
    *out = {l.micros, l.name.c_str(), l.type.c_str(), "", nullptr};
  });
}

const anyinfer_api api = {
    ANYINFER_ABI, sizeof(anyinfer_api), "mnn", "mnn", open_engine, close_engine, version, device, load, close_model, property,
    anyinfer::signature, anyinfer::input, anyinfer::output, session, close_session, reshape, bind_memory, run, result, cancel,
    nullptr, // reset: MNN keeps no variables
    layer,
};

}  // namespace

const anyinfer_api* ANYINFER_ENTRY(void) { return &api; }
