// SPDX-License-Identifier: Apache-2.0

/* The reference engine with faults. anyinfer_fault sets the fault of the next calls,
 * "" for none, and its value. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* The number of allocations: run must not allocate. */
static long allocations;

static void* counted_calloc(size_t n, size_t size) {
  __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
  return calloc(n, size);
}

static void* counted_realloc(void* p, size_t size) {
  __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
  return realloc(p, size);
}

#define calloc counted_calloc
#define realloc counted_realloc
#define ANYINFER_ENTRY sound_engine
#include "reference.c"

static char fault[64];
static int64_t value;

ANYINFER_EXPORT void anyinfer_fault(const char* name, const int64_t* v) {
  snprintf(fault, sizeof fault, "%s", name);
  value = *v;
}

static int on(const char* name) { return strcmp(fault, name) == 0; }

/* A function that fails also sets its out-parameter to an invalid address. */
#define GARBAGE ((void*)16)

/* STATUS makes a function return value if the fault has its name. */
#define STATUS(function) \
  if (on(function)) return fail(error, (anyinfer_status)value, "fault in %s", function)

static const char* endless(void) {
  static char text[2 << 20];
  memset(text, 'x', sizeof text - 1);
  return text;
}

/* talk logs lines of all levels, on another thread. */

static void* talk(void* host) {
  static const int32_t levels[] = {ANYINFER_DEBUG, ANYINFER_INFO, ANYINFER_WARN, ANYINFER_ERROR, 99, -99};
  const anyinfer_host* h = (const anyinfer_host*)host;
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
    char line[32];
    snprintf(line, sizeof line, "line %d", (int)levels[i]);
    h->log(h->user, levels[i], line);
  }
  h->log(h->user, ANYINFER_INFO, NULL);
  return NULL;
}

static anyinfer_status bad_open(const anyinfer_host* host, anyinfer_engine_t** engine, anyinfer_error* error) {
  if (on("open")) *engine = (anyinfer_engine_t*)GARBAGE;
  STATUS("open");
  if (on("open: NULL")) return ANYINFER_OK;
  return open_engine(host, engine, error);
}

static const char* bad_version(anyinfer_engine_t* engine) {
  if (on("version: NULL")) return NULL;
  return on("version: endless") ? endless() : version(engine);
}

static anyinfer_status bad_device(anyinfer_engine_t* engine, int32_t index, anyinfer_device* out, anyinfer_error* error) {
  STATUS("device");
  if (on("device: none")) return fail(error, ANYINFER_DEVICE, "no device at all");
  anyinfer_status status = device(engine, on("device: for ever") ? 0 : index, out, error);
  if (on("device: NULL")) out->name = NULL;
  if (on("device: endless")) out->name = endless();
  if (on("device: description")) out->description = endless();
  return status;
}

static anyinfer_status bad_load(anyinfer_engine_t* engine, const anyinfer_source* source, anyinfer_model_t** model, anyinfer_error* error) {
  if (on("load")) *model = (anyinfer_model_t*)GARBAGE;
  STATUS("load");
  if (on("load: NULL")) return ANYINFER_OK;
  if (on("load: no end")) {
    memset(error, 'x', sizeof *error);
    return ANYINFER_MODEL;
  }
  if (on("load: no text")) return ANYINFER_MODEL;
  if (on("load: waits")) {
    while (!*source->canceled) {
      const struct timespec pause = {0, 1000000};
      nanosleep(&pause, NULL);
    }
    return fail(error, ANYINFER_RUN, "cancelled");
  }
  if (on("load: prints")) fprintf(stderr, "WARNING: printed\n");
  if (on("load: talks")) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, talk, &engine->host) == 0) pthread_join(thread, NULL);
  }
  return load(engine, source, model, error);
}

static anyinfer_status bad_property(anyinfer_model_t* model, const char* key, char* text, uint32_t size, anyinfer_error* error) {
  STATUS("property");
  if (on("property: no end")) memset(text, 'x', size);
  else if (on("property: threads") && strcmp(key, "threads") == 0) snprintf(text, size, "%lld", (long long)value);
  else return property(model, key, text, size, error);
  return ANYINFER_OK;
}

static anyinfer_status bad_signature(anyinfer_model_t* model, int32_t index, const char** name, int32_t* inputs, int32_t* outputs, anyinfer_error* error) {
  STATUS("signature");
  if (on("signature: none")) return fail(error, ANYINFER_NAME, "no signature at all");
  anyinfer_status status = signature(model, on("signature: for ever") ? 0 : index, name, inputs, outputs, error);
  if (on("signature: NULL")) *name = NULL;
  if (on("signature: endless")) *name = endless();
  if (on("signature: inputs")) *inputs = (int32_t)value;
  if (on("signature: outputs")) *outputs = (int32_t)value;
  return status;
}

static void spoil(const char* side, anyinfer_tensor* out) {
  static const float scale[3] = {1, 1, 1};
  static const int64_t zero_point[3] = {0, 0, 0};
  char name[64];
#define ON(what) (snprintf(name, sizeof name, "%s: %s", side, what), on(name))
  if (ON("NULL")) out->name = NULL;
  if (ON("endless")) out->name = endless();
  if (ON("dtype")) out->dtype = (anyinfer_dtype)value;
  if (ON("rank")) out->shape.rank = (int32_t)value;
  if (ON("dimension")) out->shape.dims[0] = value;
  if (ON("scales")) out->scales = (int32_t)value;
  if (ON("axis")) out->scales = 3;
  if (ON("no scale") || ON("no zero point") || ON("axis of one")) out->scales = 1;
  if (ON("axis") || ON("axis of one")) out->axis = (int32_t)value;
  if (out->scales != 0) out->scale = scale, out->zero_point = zero_point;
  if (ON("no scale")) out->scale = NULL;
  if (ON("no zero point")) out->zero_point = NULL;
}

static anyinfer_status bad_input(anyinfer_model_t* model, int32_t which, int32_t index, anyinfer_tensor* out, anyinfer_error* error) {
  STATUS("input");
  anyinfer_status status = input(model, on("signature: for ever") ? 0 : which, index, out, error);
  spoil("input", out);
  return status;
}

static anyinfer_status bad_output(anyinfer_model_t* model, int32_t which, int32_t index, anyinfer_tensor* out, anyinfer_error* error) {
  STATUS("output");
  anyinfer_status status = output(model, on("signature: for ever") ? 0 : which, index, out, error);
  spoil("output", out);
  return status;
}

static anyinfer_status bad_session(anyinfer_model_t* model, int32_t which, anyinfer_session_t** out, anyinfer_error* error) {
  if (on("session")) *out = (anyinfer_session_t*)GARBAGE;
  STATUS("session");
  if (on("session: NULL")) return ANYINFER_OK;
  return session(model, which, out, error);
}

static anyinfer_status bad_reshape(anyinfer_session_t* s, const anyinfer_shape* inputs, anyinfer_shape* outputs, anyinfer_error* error) {
  STATUS("reshape");
  anyinfer_status status = reshape(s, inputs, outputs, error);
  if (on("reshape: rank")) outputs[0].rank = (int32_t)value;
  if (on("reshape: dimension")) outputs[0].dims[0] = value;
  return status;
}

static anyinfer_status bad_bind(anyinfer_session_t* s, const void* const* inputs, void* const* outputs, anyinfer_error* error) {
  STATUS("bind");
  return bind_memory(s, inputs, outputs, error);
}

static anyinfer_status bad_run(anyinfer_session_t* s, anyinfer_error* error) {
  STATUS("run");
  if (on("run: no text")) return ANYINFER_RUN;
  s->cancel = 0;
  for (int64_t i = 0; on("run: slow") && i < value && !s->cancel; i++) {
    const struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
  }
  long before = allocations;
  anyinfer_status status = s->cancel ? fail(error, ANYINFER_RUN, "cancelled") : run(s, error);
  return allocations == before ? status : fail(error, ANYINFER_RUN, "run has allocated memory");
}

static anyinfer_status bad_result(anyinfer_session_t* s, int32_t index, anyinfer_shape* shape, const void** data, anyinfer_error* error) {
  STATUS("result");
  anyinfer_status status = result(s, index, shape, data, error);
  if (on("result: rank")) shape->rank = (int32_t)value;
  if (on("result: dimension")) shape->dims[0] = value;
  if (on("result: NULL")) *data = NULL;
  return status;
}

static anyinfer_status bad_reset(anyinfer_session_t* s, anyinfer_error* error) {
  STATUS("reset");
  return reset(s, error);
}

static anyinfer_status bad_layer(anyinfer_session_t* s, int32_t index, anyinfer_layer* out, anyinfer_error* error) {
  STATUS("layer");
  anyinfer_status status = layer(s, on("layer: for ever") ? 0 : index, out, error);
  if (on("layer: NULL")) out->name = out->type = out->kernel = NULL;
  if (on("layer: endless")) out->name = endless();
  return status;
}

ANYINFER_EXPORT const anyinfer_api* anyinfer_engine(void) {
  static anyinfer_api table;
  table = *sound_engine();
  table.name = "faulty"; /* the reference engine may be in the program, too */
  table.open = bad_open;
  table.version = bad_version;
  table.device = bad_device;
  table.load = bad_load;
  table.property = bad_property;
  table.signature = bad_signature;
  table.input = bad_input;
  table.output = bad_output;
  table.session = bad_session;
  table.reshape = bad_reshape;
  table.bind = bad_bind;
  table.run = bad_run;
  table.result = bad_result;
  table.reset = bad_reset;
  table.layer = bad_layer;
  if (on("table: ABI")) table.abi = (uint32_t)value;
  if (on("table: size")) table.size = (uint32_t)value;
  if (on("table: name")) table.name = "another";
  if (on("table: no name")) table.name = NULL;
  if (on("table: function")) memset((char*)&table.open + (size_t)value * sizeof table.open, 0, sizeof table.open);
  return on("table: NULL") ? NULL : &table;
}
