// SPDX-License-Identifier: Apache-2.0

//go:build cgo && tensorrt

// TensorRT behind the functions of anyinfer_engine.h.
//
// A model is a plan. load builds the plan of an ONNX file; with the option "save"
// it also writes the plan to a file, for the cache in Go. Inputs and outputs are
// copied through pinned memory, which the GPU accesses directly in the session's
// stream, because the caller's memory is not pinned.
#include "session.h"

namespace {

using namespace anyinfer_tensorrt;

// Engine

// release formats a version of getInferLibVersion, which has two forms.
std::string release(int v) {
  const int major = v >= 100000 ? v / 10000 : v / 1000, minor = v >= 100000 ? v / 100 % 100 : v / 100 % 10;
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(v % 100);
}

// check_version refuses a library that may lack functions of the headers: within a
// major version, later releases have all functions of the earlier ones.
void check_version() {
  const int v = getInferLibVersion(), major = v >= 100000 ? v / 10000 : v / 1000, minor = v >= 100000 ? v / 100 % 100 : v / 100 % 10;
  if (major != NV_TENSORRT_MAJOR || minor < NV_TENSORRT_MINOR)
    refuse(ANYINFER_VERSION, "the library is TensorRT %s, and the shim was compiled for %d.%d: compile it again, with `anyinfer shim build tensorrt`",
           release(v).c_str(), NV_TENSORRT_MAJOR, NV_TENSORRT_MINOR);
}

// add_dla finds the DLA cores of a Jetson.
void add_dla(std::vector<processor>& all) {
  const std::vector<processor> gpus = all;
  for (auto& g : gpus) {
    if (attribute(INTEGRATED, g.gpu) == 0) continue;
    const current now(primary(g.gpu));
    const std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(trt_logger()));
    const int cores = runtime == nullptr ? 0 : runtime->getNbDLACores();
    for (int i = 0; i < cores; i++) all.push_back({"DLA." + std::to_string(i), "Deep Learning Accelerator, with unsupported layers on " + g.name, g.gpu, i});
  }
}

anyinfer_status open_engine(const anyinfer_host* host, anyinfer_engine_t** engine, anyinfer_error* error) {
  return guarded(error, [&] {
    call here(host);
    check_version();
    std::unique_ptr<anyinfer_engine_t> e(new anyinfer_engine_t{*host, release(getInferLibVersion()), gpus()});
#ifdef ANYINFER_TENSORRT_STANDIN
    e->version += " standin";
#endif
    add_dla(e->processors);
    logs().add(&e->host);
    *engine = e.release();
  });
}

void close_engine(anyinfer_engine_t* engine) {
  logs().remove(&engine->host);
  delete engine;
}

const char* version(anyinfer_engine_t* engine) { return engine->version.c_str(); }

anyinfer_status device(anyinfer_engine_t* engine, int32_t index, anyinfer_device* out, anyinfer_error* error) {
  return guarded(error, [&] {
    auto& p = at(engine->processors, index, ANYINFER_DEVICE, "device");
    *out = {p.name.c_str(), p.description.c_str()};
  });
}

// Model

anyinfer_status load(anyinfer_engine_t* engine, const anyinfer_source* source, anyinfer_model_t** model, anyinfer_error* error) {
  return guarded(error, [&] {
    const call here(&engine->host);
    anyinfer::options options(source);
    const processor& device = choose(*engine, options.take("device"));
    const CUcontext gpu = primary(device.gpu);
    const current now(gpu);
    std::unique_ptr<anyinfer_model_t> m(new anyinfer_model_t);
    m->engine = engine, m->device = device, m->gpu = gpu;
    load_model(*m, here, source, options);
    *model = m.release();
  });
}

void close_model(anyinfer_model_t* model) {
  const current now(model->gpu, std::nothrow);
  const call here(&model->engine->host);
  delete model;
}

anyinfer_status property(anyinfer_model_t* model, const char* key, char* text, uint32_t size, anyinfer_error* error) {
  return guarded(error, [&] {
    std::string value;
    if (strcmp(key, "format") == 0) value = model->format;
    else if (strcmp(key, "device") == 0) value = model->device.name;
    else if (strcmp(key, "precision") == 0) value = model->precision;
    else if (strcmp(key, "profiles") == 0) value = std::to_string(model->plan->getNbOptimizationProfiles());
    else if (strcmp(key, "state") == 0) value = "stateless";
    else if (strcmp(key, "files") == 0) value = "copied";
    else if (strcmp(key, "details") == 0) value = model->graphs ? "cuda_graphs=on" : "";
    else if (strcmp(key, "threads") != 0) refuse(ANYINFER_OPTION, "there is no property %.100s", key);
    anyinfer::set_text(text, size, value);
  });
}

// Session

anyinfer_status session(anyinfer_model_t* model, int32_t, anyinfer_session_t** out, anyinfer_error* error) {
  return guarded(error, [&] {
    const call here(&model->engine->host);
    const current now(model->gpu);
    std::unique_ptr<anyinfer_session_t> s(new anyinfer_session_t(model));
    {
      std::lock_guard<std::mutex> lock(model->mutex);
      s->context = std::move(model->first_context);
      if (s->context == nullptr) s->context.reset(here.not_null(model->plan->createExecutionContext(), ANYINFER_DEVICE, "TensorRT cannot prepare one more session"));
      if (has_own_profile(*model) && !model->in_use[0]) s->held.change(0); // with which a context begins
    }
#if ANYINFER_TENSORRT >= 805
    s->allocators.resize(model->outputs.size());
#endif
    if (model->profile) s->context->setProfiler(&s->times);
    *out = s.release();
  });
}

void close_session(anyinfer_session_t* s) {
  const current now(s->model->gpu, std::nothrow);
  const call here(&s->model->engine->host);
  delete s;
}

anyinfer_status reshape(anyinfer_session_t* s, const anyinfer_shape* inputs, anyinfer_shape* outputs, anyinfer_error* error) {
  return guarded(error, [&] {
    const call here(&s->model->engine->host);
    const current now(s->model->gpu);
    prepare(*s, here, inputs, outputs);
  });
}

anyinfer_status bind_memory(anyinfer_session_t* s, const void* const* inputs, void* const* outputs, anyinfer_error* error) {
  return guarded(error, [&] {
    s->from.assign(inputs, inputs + s->in.size());
    s->to.assign(outputs, outputs + s->out.size());
  });
}

anyinfer_status run(anyinfer_session_t* s, anyinfer_error* error) {
  return guarded(error, [&] {
    const call here(&s->model->engine->host);
    const current now(s->model->gpu);
    run_session(*s, here);
  });
}

anyinfer_status result(anyinfer_session_t* s, int32_t index, anyinfer_shape* shape, const void** data, anyinfer_error* error) {
  return guarded(error, [&] {
    if (at(s->out, index, ANYINFER_NAME, "output").known) refuse(ANYINFER_NAME, "output %d is in the bound memory", int(index));
#if ANYINFER_TENSORRT >= 805
    output_allocator& one = *s->allocators[size_t(index)];
    const port& p = s->model->outputs[size_t(index)];
    if (dynamic(one.dims)) refuse(ANYINFER_RUN, "TensorRT has not reported the shape of output \"%.100s\"", p.name.c_str());
    *shape = to_shape(one.dims, p.name);
    *data = one.at.host;
    const size_t bytes = p.bytes(one.dims);
    if (bytes == 0) return;
    const current now(s->model->gpu);
    check(cuda().cuMemcpyDtoHAsync_v2(one.at.host, one.at.device, bytes, s->stream.handle), "an output cannot be copied");
    s->stream.wait();
#else
    (void)shape, (void)data; // no such output exists: see set_allocator
#endif
  });
}

anyinfer_status layer(anyinfer_session_t* s, int32_t index, anyinfer_layer* out, anyinfer_error* error) {
  return guarded(error, [&] {
    auto& l = at(s->times.layers, index, ANYINFER_NAME, "layer");
    *out = {l.micros, l.name.c_str(), "", "", nullptr};
  });
}

const anyinfer_api api = {
    ANYINFER_ABI, sizeof(anyinfer_api), "tensorrt", "tensorrt,onnx", open_engine, close_engine, version, device, load, close_model, property,
    anyinfer::signature, anyinfer::input, anyinfer::output, session, close_session, reshape, bind_memory, run, result,
    nullptr, // cancel: a GPU finishes enqueued work
    nullptr, // reset: a plan has no variables
    layer,
};

}  // namespace

const anyinfer_api* ANYINFER_ENTRY(void) { return &api; }
