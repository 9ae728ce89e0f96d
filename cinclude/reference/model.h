// SPDX-License-Identifier: Apache-2.0

/* The format of .ref files, and the code that reads them.
 *
 * A file is a sequence of little-endian 32-bit numbers, strings and bytes. Strings
 * and bytes follow their length, which includes the NUL of a string:
 *
 *   "ANYREF1\n"
 *   number of graphs; for each, which is a signature:
 *     its name
 *     number of tensors; for each:
 *       name, kind, anyinfer_dtype
 *       number of dimensions, and each: -1 if it is known only after a run
 *       number of scales, and each with its zero point: float32, int32
 *       axis of the scales
 *       bytes: the content of a constant, the first content of a variable
 *     number of operators, in the order to run them; for each:
 *       code, 3 inputs (tensors; -1: none), output (tensor), 8 attributes
 *
 * A file may be damaged or malicious, so everything in it is checked: each count
 * against the rest of the file before memory is allocated, and each index against
 * the array that it refers to.
 */
#ifndef REFERENCE_MODEL_H
#define REFERENCE_MODEL_H

#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anyinfer_engine.h"

/* fail sets the caller's error, unless it is NULL, and returns status. */
static anyinfer_status fail(anyinfer_error* error, anyinfer_status status, const char* format, ...) {
  if (error != NULL) {
    va_list args;
    va_start(args, format);
    error->code = 0; /* with an SDK, this would be its own code */
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
  }
  return status;
}

static anyinfer_status out_of_memory(anyinfer_error* error) {
  return fail(error, ANYINFER_RUN, "out of memory");
}

/* array allocates n elements of zeros. With n of 0 it does not return NULL. */
static void* array(int32_t n, size_t size) { return calloc(n > 0 ? (size_t)n : 1, size); }

enum { INTERMEDIATE, INPUT, OUTPUT, CONSTANT, VARIABLE, KINDS };

enum { CONV = 1, MAXPOOL, DENSE, SOFTMAX, RESHAPE, ADD, MUL, TRANSPOSE, NONZERO, CAST, ASSIGN, OPERATORS };

enum { INPUTS_MAX = 3, ATTRIBUTES = 8 };

typedef struct {
  anyinfer_tensor info; /* the description that the caller gets */
  int32_t kind;
  size_t size;                  /* of an element */
  int32_t bytes;
  const unsigned char* content; /* of constants and variables: in the file */
  float* scale;                 /* the array in info, to be freed */
  int64_t* zero_point;          /* the array in info, to be freed */
} definition;

typedef struct {
  int32_t code;
  int32_t in[INPUTS_MAX];
  int32_t out;
  int32_t attribute[ATTRIBUTES];
} operation;

typedef struct {
  const char* name;
  definition* tensors;
  operation* operations;
  int32_t n_tensors, n_operations;
} graph;

/* find returns the index of tensor n of a kind, -1 if there are fewer. */
static int32_t find(const graph* g, int32_t kind, int32_t n) {
  for (int32_t i = 0; i < g->n_tensors; i++)
    if (g->tensors[i].kind == kind && n-- == 0) return i;
  return -1;
}

static int32_t count(const graph* g, int32_t kind) {
  int32_t n = 0;
  for (int32_t i = 0; i < g->n_tensors; i++) n += g->tensors[i].kind == kind;
  return n;
}

static size_t element_size(anyinfer_dtype dtype) {
  switch (dtype) {
    case ANYINFER_BOOL:
    case ANYINFER_INT8:
    case ANYINFER_UINT8: return 1;
    case ANYINFER_INT16:
    case ANYINFER_UINT16:
    case ANYINFER_FLOAT16:
    case ANYINFER_BFLOAT16: return 2;
    case ANYINFER_INT32:
    case ANYINFER_UINT32:
    case ANYINFER_FLOAT32: return 4;
    case ANYINFER_INT64:
    case ANYINFER_UINT64:
    case ANYINFER_FLOAT64: return 8;
  }
  return 0;
}

/* Tensors with more elements than this are refused, so that their size in bytes,
 * and sums of a few dimensions, fit in every integer type used here. */
#define MAX_ELEMENTS ((int64_t)1 << 27)

/* elements returns the product of the dimensions; -1 if one of them is not known
 * or the product is too large. */
static int64_t elements(const anyinfer_shape* shape) {
  int64_t n = 1;
  for (int32_t i = 0; i < shape->rank; i++) {
    int64_t d = shape->dims[i];
    if (d < 0 || d > MAX_ELEMENTS || (d > 0 && n > MAX_ELEMENTS / d)) return -1;
    n *= d;
  }
  return n;
}

/* accepts reports whether a shape fits wanted, which may be dynamic. */
static int accepts(const anyinfer_shape* wanted, const anyinfer_shape* shape) {
  if (wanted->rank != shape->rank) return 0;
  for (int32_t i = 0; i < wanted->rank; i++)
    if (wanted->dims[i] != -1 && wanted->dims[i] != shape->dims[i]) return 0;
  return 1;
}

/* A reader is a position in the file. A read past the end returns 0 and sets bad,
 * so that the caller can check bad once after several reads. */
typedef struct {
  const unsigned char* at;
  size_t left;
  int bad;
} reader;

static const unsigned char* take(reader* r, size_t n) {
  const unsigned char* p = r->at;
  if (r->bad || n > r->left) {
    r->bad = 1;
    return NULL;
  }
  r->at += n;
  r->left -= n;
  return p;
}

static int32_t number(reader* r) {
  int32_t v = 0;
  const unsigned char* p = take(r, sizeof v);
  if (p != NULL) memcpy(&v, p, sizeof v); /* open has checked that the machine is little-endian */
  return v;
}

static float real(reader* r) {
  float v = 0;
  const unsigned char* p = take(r, sizeof v);
  if (p != NULL) memcpy(&v, p, sizeof v);
  return v;
}

/* how_many reads the number of the next items, of at least size bytes each. */
static int32_t how_many(reader* r, size_t size) {
  int32_t n = number(r);
  if (n < 0 || (size_t)n > r->left / size) r->bad = 1;
  return r->bad ? 0 : n;
}

static const char* string(reader* r) {
  int32_t n = how_many(r, 1);
  const unsigned char* p = take(r, (size_t)n);
  if (p == NULL || n == 0 || p[n - 1] != 0) {
    r->bad = 1;
    return "";
  }
  return (const char*)p; /* valid as long as the file's bytes, so as long as the model */
}

static anyinfer_status read_tensor(reader* r, definition* d, anyinfer_error* error) {
  anyinfer_tensor* info = &d->info;
  info->name = string(r);
  d->kind = number(r);
  info->dtype = number(r);
  d->size = element_size(info->dtype);
  info->shape.rank = number(r);
  if (info->shape.rank < 0 || info->shape.rank > ANYINFER_MAX_RANK) r->bad = 1;
  for (int32_t i = 0; i < info->shape.rank && !r->bad; i++) {
    info->shape.dims[i] = number(r);
    if (info->shape.dims[i] < -1) r->bad = 1;
  }
  info->scales = how_many(r, sizeof(float) + sizeof(int32_t));
  d->scale = (float*)array(info->scales, sizeof *d->scale);
  d->zero_point = (int64_t*)array(info->scales, sizeof *d->zero_point);
  if (d->scale == NULL || d->zero_point == NULL) return out_of_memory(error);
  info->scale = d->scale;
  info->zero_point = d->zero_point;
  for (int32_t i = 0; i < info->scales; i++) {
    d->scale[i] = real(r);
    d->zero_point[i] = number(r);
    if (!(d->scale[i] > 0 && d->scale[i] <= FLT_MAX)) r->bad = 1; /* written like this, NaN is bad, too */
  }
  info->axis = number(r);
  d->bytes = how_many(r, 1);
  d->content = take(r, (size_t)d->bytes);
  if (r->bad || d->kind < 0 || d->kind >= KINDS || d->size == 0)
    return fail(error, ANYINFER_MODEL, "the file is damaged: tensor \"%.100s\"", r->bad ? "" : info->name);
  if (info->scales > 1 && (info->axis < 0 || info->axis >= info->shape.rank || info->shape.dims[info->axis] != info->scales))
    return fail(error, ANYINFER_MODEL, "tensor \"%.100s\" has %d scales", info->name, (int)info->scales);
  int64_t n = elements(&info->shape);
  if ((d->kind == CONSTANT || d->kind == VARIABLE) && (n < 0 || (size_t)n * d->size != (size_t)d->bytes))
    return fail(error, ANYINFER_MODEL, "tensor \"%.100s\" has %d bytes, which is not its size", info->name, (int)d->bytes);
  return ANYINFER_OK;
}

static const struct {
  const char* name;
  int min, max; /* inputs */
} operators[OPERATORS] = {
    {"", 0, 0},        {"conv", 2, 3},    {"maxpool", 1, 1}, {"dense", 2, 3},
    {"softmax", 1, 1}, {"reshape", 1, 1}, {"add", 2, 2},     {"mul", 2, 2},
    {"transpose", 1, 1}, {"nonzero", 1, 1}, {"cast", 1, 1},  {"assign", 1, 1},
};

/* read_operation checks that the operator has all its inputs, that earlier
 * operators write them, and that only variables are written twice. written has an
 * entry for each tensor. */
static anyinfer_status read_operation(reader* r, const graph* g, operation* o, char* written, anyinfer_error* error) {
  o->code = number(r);
  for (int32_t i = 0; i < INPUTS_MAX; i++) o->in[i] = number(r);
  o->out = number(r);
  for (int32_t i = 0; i < ATTRIBUTES; i++) o->attribute[i] = number(r);
  if (r->bad || o->code <= 0 || o->code >= OPERATORS || o->out < 0 || o->out >= g->n_tensors)
    return fail(error, ANYINFER_MODEL, "the file is damaged: operator of code %d", (int)o->code);
  int32_t given = 0, kind = g->tensors[o->out].kind;
  for (; given < INPUTS_MAX && o->in[given] != -1; given++) {
    int32_t in = o->in[given];
    if (in < 0 || in >= g->n_tensors || !written[in])
      return fail(error, ANYINFER_MODEL, "operator %s reads a tensor before it is written", operators[o->code].name);
  }
  if (given < operators[o->code].min || given > operators[o->code].max)
    return fail(error, ANYINFER_MODEL, "operator %s has %d inputs", operators[o->code].name, (int)given);
  if (o->code == ASSIGN ? kind != VARIABLE : (kind != INTERMEDIATE && kind != OUTPUT) || written[o->out])
    return fail(error, ANYINFER_MODEL, "operator %s writes a tensor that it must not write", operators[o->code].name);
  written[o->out] = 1;
  return ANYINFER_OK;
}

static anyinfer_status read_operations(reader* r, graph* g, char* written, anyinfer_error* error) {
  for (int32_t i = 0; i < g->n_tensors; i++) {
    int32_t kind = g->tensors[i].kind;
    written[i] = kind == INPUT || kind == CONSTANT || kind == VARIABLE;
  }
  for (int32_t i = 0; i < g->n_operations; i++) {
    anyinfer_status status = read_operation(r, g, &g->operations[i], written, error);
    if (status != ANYINFER_OK) return status;
  }
  for (int32_t i = 0; i < g->n_tensors; i++)
    if (!written[i]) return fail(error, ANYINFER_MODEL, "nothing writes tensor \"%.100s\"", g->tensors[i].info.name);
  return ANYINFER_OK;
}

/* The minimum sizes in a file, in bytes. */
enum { TENSOR_BYTES = 5 + 6 * 4, OPERATION_BYTES = (1 + INPUTS_MAX + 1 + ATTRIBUTES) * 4, GRAPH_BYTES = 5 + 2 * 4 };

static anyinfer_status read_graph(reader* r, graph* g, anyinfer_error* error) {
  g->name = string(r);
  int32_t n = how_many(r, TENSOR_BYTES);
  g->tensors = (definition*)array(n, sizeof *g->tensors);
  if (g->tensors == NULL) return out_of_memory(error);
  g->n_tensors = n;
  for (int32_t i = 0; i < n; i++) {
    anyinfer_status status = read_tensor(r, &g->tensors[i], error);
    if (status != ANYINFER_OK) return status;
  }
  g->n_operations = how_many(r, OPERATION_BYTES);
  if (r->bad) return fail(error, ANYINFER_MODEL, "the file is damaged");
  g->operations = (operation*)array(g->n_operations, sizeof *g->operations);
  char* written = (char*)array(n, 1);
  anyinfer_status status = g->operations != NULL && written != NULL ? read_operations(r, g, written, error) : out_of_memory(error);
  free(written);
  return status;
}

static void free_graph(graph* g) {
  for (int32_t i = 0; i < g->n_tensors; i++) {
    free(g->tensors[i].scale);
    free(g->tensors[i].zero_point);
  }
  free(g->tensors);
  free(g->operations);
}

#endif
