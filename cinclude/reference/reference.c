// SPDX-License-Identifier: Apache-2.0

//go:build cgo && reference

/* The reference engine: a complete example of an engine, for which the conformance
 * suite needs no SDK. This file implements the functions of anyinfer_engine.h, as
 * every engine does by calling its SDK. Two small headers take the place of the SDK:
 * model.h reads files, operators.h computes.
 *
 * Comments name the rules of anyinfer_engine.h that the code follows.
 */
#include <time.h>

#include "anyinfer_engine.h"
#include "model.h"
#include "operators.h"

struct anyinfer_engine_t {
  anyinfer_host host; /* a copy, because the caller's struct is valid only during open */
};

struct anyinfer_model_t {
  anyinfer_host host;
  graph* graphs;
  int32_t n_graphs;
  int profile, verbose;
};

struct anyinfer_session_t {
  const anyinfer_model_t* model;
  const graph* g;
  tensor* tensors;         /* one for each tensor of the graph */
  int64_t* micros;         /* of each operator in the last run */
  volatile int32_t cancel; /* C99 has no atomics; for a flag, volatile suffices on all supported machines */
};

/* Engine */

/* set_text copies value to text, cut to size bytes including the NUL. */
static void set_text(char* text, uint32_t size, const char* value) {
  if (size > 0) snprintf(text, size, "%s", value);
}

static anyinfer_status open_engine(const anyinfer_host* host, anyinfer_engine_t** engine, anyinfer_error* error) {
  const uint32_t one = 1;
  if (*(const unsigned char*)&one != 1)
    return fail(error, ANYINFER_NOT_AVAILABLE, "weights are read in place from the file, which is little-endian; this machine is big-endian");
  anyinfer_engine_t* e = (anyinfer_engine_t*)calloc(1, sizeof *e);
  if (e == NULL) return out_of_memory(error);
  e->host = *host;
  *engine = e; /* last, because a call that fails makes no object */
  return ANYINFER_OK;
}

static void close_engine(anyinfer_engine_t* engine) { free(engine); }

static const char* version(anyinfer_engine_t* engine) {
  (void)engine;
  return "1.0";
}

static anyinfer_status device(anyinfer_engine_t* engine, int32_t index, anyinfer_device* out, anyinfer_error* error) {
  (void)engine;
  if (index != 0) return fail(error, ANYINFER_DEVICE, "there is no device %d", (int)index); /* past the last */
  out->name = "CPU";
  out->description = "one thread of portable C";
  return ANYINFER_OK;
}

/* Model */

static void close_model(anyinfer_model_t* model) {
  for (int32_t i = 0; i < model->n_graphs; i++) free_graph(&model->graphs[i]);
  free(model->graphs);
  free(model);
}

static anyinfer_status read_model(anyinfer_model_t* model, const unsigned char* data, size_t size, const anyinfer_source* source, anyinfer_error* error) {
  static const char magic[] = "ANYREF1\n";
  reader r = {data, size, 0};
  const unsigned char* begin = take(&r, sizeof magic - 1);
  if (begin == NULL || memcmp(begin, magic, sizeof magic - 1) != 0) return fail(error, ANYINFER_MODEL, "the file is not a .ref file");
  int32_t n = how_many(&r, GRAPH_BYTES);
  model->graphs = (graph*)array(n, sizeof *model->graphs);
  if (model->graphs == NULL) return out_of_memory(error);
  model->n_graphs = n; /* free_graph accepts zeroed graphs */
  for (int32_t i = 0; i < n; i++) {
    if (*source->canceled) return fail(error, ANYINFER_RUN, "cancelled");
    anyinfer_status status = read_graph(&r, &model->graphs[i], error);
    if (status != ANYINFER_OK) return status;
  }
  if (r.bad || r.left > 0 || n == 0) return fail(error, ANYINFER_MODEL, "the file is damaged");
  return ANYINFER_OK;
}

static tensor* make_tensors(const graph* g) {
  tensor* tensors = (tensor*)array(g->n_tensors, sizeof *tensors);
  for (int32_t i = 0; tensors != NULL && i < g->n_tensors; i++) {
    tensors[i].def = &g->tensors[i];
    tensors[i].shape = g->tensors[i].info.shape;
    tensors[i].max = elements(&tensors[i].shape);
    if (tensors[i].def->kind == CONSTANT) tensors[i].data = tensors[i].def->content;
  }
  return tensors;
}

/* describe_outputs computes the shapes of the outputs if those of all inputs are
 * known. It refuses a graph that cannot run with them, before reshape would. */
static anyinfer_status describe_outputs(graph* g, anyinfer_error* error) {
  for (int32_t i = 0; i < g->n_tensors; i++)
    if (g->tensors[i].kind == INPUT && elements(&g->tensors[i].info.shape) < 0) return ANYINFER_OK;
  tensor* tensors = make_tensors(g);
  if (tensors == NULL) return out_of_memory(error);
  anyinfer_status status = infer(g, tensors, ANYINFER_MODEL, error);
  for (int32_t i = 0; i < g->n_tensors && status == ANYINFER_OK; i++)
    if (g->tensors[i].kind == OUTPUT) g->tensors[i].info.shape = tensors[i].shape;
  free(tensors);
  return status;
}

/* parse_shape reads one of the three shapes of an option, and the separator. */
static int parse_shape(const char** text, char separator, anyinfer_shape* shape) {
  shape->rank = 0;
  while (**text != separator) {
    char* end;
    long d = strtol(*text, &end, 10);
    if (end == *text || d < 1 || d > MAX_ELEMENTS || shape->rank == ANYINFER_MAX_RANK) return 0;
    shape->dims[shape->rank++] = d;
    if (*end == ',') end++;
    else if (*end != separator) return 0;
    *text = end;
  }
  if (separator != 0) ++*text;
  return 1;
}

/* narrow sets the shape of an input to the value of an option shape:NAME. */
static anyinfer_status narrow(anyinfer_model_t* model, const char* name, const char* value, anyinfer_error* error) {
  anyinfer_shape min, opt, max;
  int found = 0;
  if (!parse_shape(&value, ';', &min) || !parse_shape(&value, ';', &opt) || !parse_shape(&value, 0, &max) || min.rank != max.rank)
    return fail(error, ANYINFER_OPTION, "the shapes of \"%.100s\" are not MIN;OPT;MAX", name);
  for (int32_t k = 0; k < min.rank; k++)
    if (min.dims[k] != max.dims[k]) min.dims[k] = -1;
  for (int32_t i = 0; i < model->n_graphs; i++)
    for (int32_t k = 0; k < model->graphs[i].n_tensors; k++) {
      definition* d = &model->graphs[i].tensors[k];
      if (d->kind != INPUT || strcmp(d->info.name, name) != 0) continue;
      if (!accepts(&d->info.shape, &min)) return fail(error, ANYINFER_SHAPE, "input \"%.100s\" cannot have this shape", name);
      d->info.shape = min;
      found = 1;
    }
  return found ? ANYINFER_OK : fail(error, ANYINFER_NAME, "there is no input \"%.100s\"", name);
}

/* set_options applies the options. An engine refuses an option that it does not
 * support; ignoring it would mislead the user. */
static anyinfer_status set_options(anyinfer_model_t* model, const anyinfer_source* source, anyinfer_error* error) {
  for (int32_t i = 0; i < source->options; i++) {
    const char *key = source->keys[i], *value = source->values[i];
    anyinfer_status status = ANYINFER_OK;
    if (strncmp(key, "shape:", 6) == 0) status = narrow(model, key + 6, value, error);
    else if (strcmp(key, "profile") == 0) model->profile = strcmp(value, "1") == 0;
    else if (strcmp(key, "verbose") == 0) model->verbose = strcmp(value, "1") == 0; /* an option of this engine alone */
    else if (strcmp(key, "device") == 0 || strcmp(key, "sessions") == 0) continue; /* one device; sessions share no mutable state */
    else if (strcmp(key, "processors") == 0) continue; /* a run has one thread */
    else if (strcmp(key, "threads") == 0 && strcmp(value, "1") == 0) continue;
    else if (strcmp(key, "precision") == 0 && strcmp(value, "float32") == 0) continue;
    else status = fail(error, ANYINFER_OPTION, "this engine cannot honour %.100s=%.100s", key, value);
    if (status != ANYINFER_OK) return status;
  }
  return ANYINFER_OK;
}

static anyinfer_status fill_model(anyinfer_model_t* model, const anyinfer_source* source, anyinfer_error* error) {
  if (source->format[0] != 0 && strcmp(source->format, "reference") != 0)
    return fail(error, ANYINFER_MODEL, "this engine reads .ref files only");
  if (source->parts != 1) return fail(error, ANYINFER_MODEL, "a .ref model is one file, not %d", (int)source->parts);
  /* The bytes are valid until model_close, so they need not be copied. */
  anyinfer_status status = read_model(model, (const unsigned char*)source->data[0], (size_t)source->sizes[0], source, error);
  if (status == ANYINFER_OK) status = set_options(model, source, error);
  for (int32_t i = 0; i < model->n_graphs && status == ANYINFER_OK; i++) status = describe_outputs(&model->graphs[i], error);
  return status;
}

static anyinfer_status load(anyinfer_engine_t* engine, const anyinfer_source* source, anyinfer_model_t** model, anyinfer_error* error) {
  anyinfer_model_t* m = (anyinfer_model_t*)calloc(1, sizeof *m);
  if (m == NULL) return out_of_memory(error);
  m->host = engine->host;
  anyinfer_status status = fill_model(m, source, error);
  if (status == ANYINFER_OK) *model = m;
  else close_model(m); /* a failed call must not leak */
  return status;
}

static anyinfer_status property(anyinfer_model_t* model, const char* key, char* text, uint32_t size, anyinfer_error* error) {
  int stateful = 0;
  for (int32_t i = 0; i < model->n_graphs; i++)
    for (int32_t k = 0; k < model->graphs[i].n_tensors; k++) stateful = stateful || model->graphs[i].tensors[k].kind == VARIABLE;
  if (strcmp(key, "format") == 0) set_text(text, size, "reference");
  else if (strcmp(key, "device") == 0) set_text(text, size, "CPU");
  else if (strcmp(key, "precision") == 0) set_text(text, size, "float32");
  else if (strcmp(key, "threads") == 0) set_text(text, size, "1");
  else if (strcmp(key, "details") == 0 || strcmp(key, "files") == 0) set_text(text, size, "");
  else if (strcmp(key, "state") == 0) set_text(text, size, stateful ? "stateful" : "stateless");
  else return fail(error, ANYINFER_OPTION, "there is no property %.100s", key);
  return ANYINFER_OK;
}

static anyinfer_status signature(anyinfer_model_t* model, int32_t index, const char** name, int32_t* inputs, int32_t* outputs, anyinfer_error* error) {
  if (index < 0 || index >= model->n_graphs) return fail(error, ANYINFER_NAME, "there is no signature %d", (int)index); /* past the last */
  *name = model->graphs[index].name;
  *inputs = count(&model->graphs[index], INPUT);
  *outputs = count(&model->graphs[index], OUTPUT);
  return ANYINFER_OK;
}

static anyinfer_status describe(anyinfer_model_t* model, int32_t which, int32_t kind, int32_t index, anyinfer_tensor* out, anyinfer_error* error) {
  const graph* g = &model->graphs[which];
  int32_t i = find(g, kind, index);
  if (i < 0) return fail(error, ANYINFER_NAME, "there is no tensor %d", (int)index);
  *out = g->tensors[i].info; /* its pointers belong to the model */
  return ANYINFER_OK;
}

static anyinfer_status input(anyinfer_model_t* model, int32_t which, int32_t index, anyinfer_tensor* out, anyinfer_error* error) {
  return describe(model, which, INPUT, index, out, error);
}

static anyinfer_status output(anyinfer_model_t* model, int32_t which, int32_t index, anyinfer_tensor* out, anyinfer_error* error) {
  return describe(model, which, OUTPUT, index, out, error);
}

/* Session */

static void close_session(anyinfer_session_t* s) {
  for (int32_t i = 0; s->tensors != NULL && i < s->g->n_tensors; i++) free(s->tensors[i].own);
  free(s->tensors);
  free(s->micros);
  free(s);
}

/* own allocates memory of the session for a tensor. Only session and reshape
 * allocate; run does not. */
static int own(tensor* t) {
  size_t size = (size_t)t->max * t->def->size;
  unsigned char* p = (unsigned char*)realloc(t->own, size > 0 ? size : 1);
  if (p == NULL) return 0;
  t->data = t->target = t->own = p;
  return 1;
}

static anyinfer_status reset(anyinfer_session_t* s, anyinfer_error* error) {
  (void)error;
  for (int32_t i = 0; i < s->g->n_tensors; i++)
    if (s->tensors[i].def->kind == VARIABLE) memcpy(s->tensors[i].target, s->tensors[i].def->content, (size_t)s->tensors[i].def->bytes);
  return ANYINFER_OK;
}

static anyinfer_status session(anyinfer_model_t* model, int32_t which, anyinfer_session_t** out, anyinfer_error* error) {
  anyinfer_session_t* s = (anyinfer_session_t*)calloc(1, sizeof *s);
  if (s == NULL) return out_of_memory(error);
  s->model = model;
  s->g = &model->graphs[which];
  s->tensors = make_tensors(s->g);
  s->micros = (int64_t*)array(s->g->n_operations, sizeof *s->micros);
  int ready = s->tensors != NULL && s->micros != NULL;
  for (int32_t i = 0; ready && i < s->g->n_tensors; i++)
    if (s->tensors[i].def->kind == VARIABLE) ready = own(&s->tensors[i]);
  if (!ready) {
    close_session(s);
    return out_of_memory(error);
  }
  *out = s;
  return reset(s, error);
}

static anyinfer_status reshape(anyinfer_session_t* s, const anyinfer_shape* inputs, anyinfer_shape* outputs, anyinfer_error* error) {
  for (int32_t i = 0; i < s->g->n_tensors; i++) {
    tensor* t = &s->tensors[i];
    if (t->def->kind != INPUT) continue;
    t->shape = *inputs++;
    if (!accepts(&t->def->info.shape, &t->shape) || elements(&t->shape) < 0)
      return fail(error, ANYINFER_SHAPE, "input \"%.100s\" cannot have this shape", t->def->info.name);
  }
  anyinfer_status status = infer(s->g, s->tensors, ANYINFER_SHAPE, error);
  if (status != ANYINFER_OK) return status;
  for (int32_t i = 0; i < s->g->n_tensors; i++) {
    tensor* t = &s->tensors[i];
    int dynamic = elements(&t->shape) < 0; /* the shape is known only after run, so the caller binds no memory for it */
    if (t->def->kind == OUTPUT) *outputs++ = t->shape;
    if ((t->def->kind == INTERMEDIATE || (t->def->kind == OUTPUT && dynamic)) && !own(t)) return out_of_memory(error);
  }
  return ANYINFER_OK;
}

/* bind_memory sets the caller's memory, which run reads and writes in place until
 * the next bind. */
static anyinfer_status bind_memory(anyinfer_session_t* s, const void* const* inputs, void* const* outputs, anyinfer_error* error) {
  (void)error;
  for (int32_t i = 0; i < s->g->n_tensors; i++) {
    tensor* t = &s->tensors[i];
    if (t->def->kind == INPUT) {
      t->data = (const unsigned char*)*inputs++;
    } else if (t->def->kind == OUTPUT) {
      void* memory = *outputs++;
      if (memory != NULL) t->data = t->target = (unsigned char*)memory;
    }
  }
  return ANYINFER_OK;
}

static int64_t now_micros(void) {
#ifdef TIME_UTC /* C11 */
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
#else
  return (int64_t)((double)clock() * 1e6 / CLOCKS_PER_SEC);
#endif
}

/* log_operation logs an operator. Any thread may log. */
static void log_operation(const anyinfer_session_t* s, const operation* op) {
  char line[200];
  snprintf(line, sizeof line, "%s writes %.100s", operators[op->code].name, s->g->tensors[op->out].info.name);
  s->model->host.log(s->model->host.user, ANYINFER_DEBUG, line);
}

static anyinfer_status run(anyinfer_session_t* s, anyinfer_error* error) {
  s->cancel = 0; /* an early cancel must not stop a later run; the caller repeats it */
  for (int32_t i = 0; i < s->g->n_operations && !s->cancel; i++) {
    const operation* op = &s->g->operations[i];
    operands o = operands_of(op, s->tensors, &s->cancel);
    int64_t start = s->model->profile ? now_micros() : 0;
    kernels[op->code].run(&o);
    if (s->model->profile) s->micros[i] = now_micros() - start;
    if (s->model->verbose) log_operation(s, op);
  }
  return s->cancel ? fail(error, ANYINFER_RUN, "cancelled") : ANYINFER_OK;
}

static anyinfer_status result(anyinfer_session_t* s, int32_t index, anyinfer_shape* shape, const void** data, anyinfer_error* error) {
  int32_t i = find(s->g, OUTPUT, index);
  if (i < 0) return fail(error, ANYINFER_NAME, "there is no output %d", (int)index);
  *shape = s->tensors[i].shape;
  *data = s->tensors[i].data;
  return ANYINFER_OK;
}

/* cancel is called on another thread while run executes. */
static void cancel(anyinfer_session_t* s) { s->cancel = 1; }

static anyinfer_status layer(anyinfer_session_t* s, int32_t index, anyinfer_layer* out, anyinfer_error* error) {
  if (index < 0 || index >= s->g->n_operations) return fail(error, ANYINFER_NAME, "there is no layer %d", (int)index); /* past the last */
  out->name = s->g->tensors[s->g->operations[index].out].info.name;
  out->type = operators[s->g->operations[index].code].name;
  out->kernel = "";
  out->micros = s->micros[index];
  return ANYINFER_OK;
}

/* The table, in the order of anyinfer_api. */
static const anyinfer_api api = {
    ANYINFER_ABI,
    sizeof(anyinfer_api),
    "reference",
    "reference", /* formats */
    open_engine,
    close_engine,
    version,
    device,
    load,
    close_model,
    property,
    signature,
    input,
    output,
    session,
    close_session,
    reshape,
    bind_memory,
    run,
    result,
    cancel,
    reset,
    layer,
};

const anyinfer_api* ANYINFER_ENTRY(void) { return &api; }
