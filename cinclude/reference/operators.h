// SPDX-License-Identifier: Apache-2.0

/* The operators of a graph. Each has a rule, which computes the shape of its
 * output before a run, and a kernel. They take the place of an SDK, and are simple
 * and exact rather than fast. */
#ifndef REFERENCE_OPERATORS_H
#define REFERENCE_OPERATORS_H

#include <math.h>

#include "model.h"

/* tensor is a tensor of a session. */
typedef struct {
  const definition* def;
  anyinfer_shape shape;      /* with a -1 before the run that finds the dimension */
  int64_t max;               /* the largest possible number of elements */
  int64_t inner;             /* the number of elements for each index of the axis of scales */
  const unsigned char* data; /* the memory to read */
  unsigned char* target;     /* the same memory, if it may be written */
  unsigned char* own;        /* the same memory, if the session has allocated it; else NULL */
} tensor;

/* operands are the tensors of one operation; an entry of in may be NULL. */
typedef struct {
  const int32_t* attribute;
  const tensor* in[INPUTS_MAX];
  tensor* out;
  const volatile int32_t* cancel; /* becomes 1 when the run must stop */
} operands;

/* Elements are read and written with memcpy, because the memory of a model may
 * begin at any address. */

static double stored(const tensor* t, int64_t i) {
  const unsigned char* p = t->data + (size_t)i * t->def->size;
  switch (t->def->info.dtype) {
    case ANYINFER_INT8: {
      int8_t v;
      memcpy(&v, p, sizeof v);
      return v;
    }
    case ANYINFER_INT32: {
      int32_t v;
      memcpy(&v, p, sizeof v);
      return v;
    }
    case ANYINFER_INT64: {
      int64_t v;
      memcpy(&v, p, sizeof v);
      return (double)v;
    }
    default: {
      float v;
      memcpy(&v, p, sizeof v);
      return v;
    }
  }
}

/* scale_of returns the index of the scale for element i. */
static int64_t scale_of(const tensor* t, int64_t i) {
  return t->def->info.scales > 1 ? i / t->inner % t->def->info.scales : 0;
}

/* get returns the real number that element i represents. */
static double get(const tensor* t, int64_t i) {
  double v = stored(t, i);
  if (t->def->info.scales > 0) {
    int64_t s = scale_of(t, i);
    v = t->def->scale[s] * (v - (double)t->def->zero_point[s]);
  }
  return v;
}

static void set(tensor* t, int64_t i, double v) {
  unsigned char* p = t->target + (size_t)i * t->def->size;
  if (t->def->info.scales > 0) {
    int64_t s = scale_of(t, i);
    v = floor(v / t->def->scale[s] + 0.5) + (double)t->def->zero_point[s];
  }
  if (t->def->info.dtype == ANYINFER_INT8) {
    int8_t q = (int8_t)(v >= 127 ? 127 : v > -128 ? v : -128); /* written like this, NaN becomes -128 */
    memcpy(p, &q, sizeof q);
  } else {
    float f = (float)v;
    memcpy(p, &f, sizeof f);
  }
}

/* readable and writable report whether get and set support the type. */
static int writable(const tensor* t) { return t->def->info.dtype == ANYINFER_FLOAT32 || t->def->info.dtype == ANYINFER_INT8; }

static int readable(const tensor* t) {
  return writable(t) || t->def->info.dtype == ANYINFER_INT32 || t->def->info.dtype == ANYINFER_INT64;
}

static int same_type(const tensor* a, const tensor* b) { return a->def->info.dtype == b->def->info.dtype; }

/* dim returns dimension i, counted from the end if i is negative. */
static int64_t dim(const tensor* t, int32_t i) { return t->shape.dims[i < 0 ? t->shape.rank + i : i]; }

/* The rules set out->shape, and out->max if the shape is not known. They return
 * an error's text, or NULL. */

static const char* vectors_fit(const operands* o, int32_t rank, int64_t n) {
  const tensor *w = o->in[1], *b = o->in[2];
  if (o->in[0]->shape.rank != rank || w->shape.rank != rank) return "the rank of its input or weights";
  if (b != NULL && (!readable(b) || b->shape.rank != 1 || dim(b, 0) != n)) return "its bias";
  return NULL;
}

static const char* conv_rule(const operands* o) {
  const tensor *x = o->in[0], *w = o->in[1];
  int32_t stride = o->attribute[0], pad = o->attribute[1];
  const char* wrong = vectors_fit(o, 4, w->shape.dims[0]);
  if (wrong != NULL) return wrong;
  if (dim(x, 1) != dim(w, 1)) return "the number of channels";
  if (stride < 1 || pad < 0 || pad >= dim(w, 2) || pad >= dim(w, 3)) return "its stride or padding";
  o->out->shape = x->shape;
  o->out->shape.dims[1] = dim(w, 0);
  for (int32_t i = 2; i < 4; i++) {
    int64_t span = dim(x, i) + 2 * (int64_t)pad - dim(w, i);
    if (span < 0) return "an image smaller than its kernel";
    o->out->shape.dims[i] = span / stride + 1;
  }
  return NULL;
}

static const char* maxpool_rule(const operands* o) {
  int32_t size = o->attribute[0];
  if (o->in[0]->shape.rank != 4) return "the rank of its input";
  if (size < 1) return "its size";
  o->out->shape = o->in[0]->shape;
  for (int32_t i = 2; i < 4; i++) {
    if (dim(o->in[0], i) < size) return "an image smaller than its window";
    o->out->shape.dims[i] /= size;
  }
  return NULL;
}

static const char* dense_rule(const operands* o) {
  const char* wrong = vectors_fit(o, 2, o->in[1]->shape.dims[0]);
  if (wrong != NULL) return wrong;
  if (dim(o->in[0], 1) != dim(o->in[1], 1)) return "the length of its input";
  o->out->shape = o->in[0]->shape;
  o->out->shape.dims[1] = dim(o->in[1], 0);
  return NULL;
}

static const char* softmax_rule(const operands* o) {
  if (o->in[0]->shape.rank < 1) return "a scalar";
  o->out->shape = o->in[0]->shape;
  return NULL;
}

/* The output of reshape has the shape in the file, where a -1 stands for the
 * dimension that makes the numbers of elements equal. */
static const char* reshape_rule(const operands* o) {
  int64_t n = elements(&o->in[0]->shape), known = 1;
  int32_t open = -1;
  if (!same_type(o->in[0], o->out)) return "another type";
  o->out->shape = o->out->def->info.shape;
  for (int32_t i = 0; i < o->out->shape.rank; i++) {
    int64_t d = dim(o->out, i);
    if (d == -1 && open >= 0) return "two dimensions of -1";
    if (d == -1) open = i;
    else if (d == 0 || d > MAX_ELEMENTS || known > MAX_ELEMENTS / d) return "its shape";
    else known *= d;
  }
  if (open >= 0) o->out->shape.dims[open] = n / known;
  return elements(&o->out->shape) == n ? NULL : "the number of elements";
}

static const char* arithmetic_rule(const operands* o) {
  const tensor *a = o->in[0], *b = o->in[1];
  if (elements(&b->shape) != 1 && !(accepts(&a->shape, &b->shape))) return "the shapes of its inputs";
  o->out->shape = a->shape;
  return NULL;
}

static const char* transpose_rule(const operands* o) {
  const anyinfer_shape* from = &o->in[0]->shape;
  int32_t seen = 0;
  if (!same_type(o->in[0], o->out)) return "another type";
  if (from->rank > ATTRIBUTES) return "the rank of its input";
  o->out->shape = *from;
  for (int32_t i = 0; i < from->rank; i++) {
    int32_t axis = o->attribute[i];
    if (axis < 0 || axis >= from->rank || (seen & 1 << axis) != 0) return "its order of dimensions";
    seen |= 1 << axis;
    o->out->shape.dims[i] = from->dims[axis];
  }
  return NULL;
}

static const char* nonzero_rule(const operands* o) {
  const tensor* x = o->in[0];
  if (!readable(x)) return "the type of its input";
  if (o->out->def->info.dtype != ANYINFER_INT64) return "an output that is not int64";
  o->out->shape.rank = 2;
  o->out->shape.dims[0] = -1;
  o->out->shape.dims[1] = x->shape.rank;
  o->out->max = elements(&x->shape) * x->shape.rank;
  return NULL;
}

static const char* cast_rule(const operands* o) {
  o->out->shape = o->in[0]->shape;
  o->out->max = o->in[0]->max;
  return NULL;
}

static const char* assign_rule(const operands* o) {
  if (!same_type(o->in[0], o->out)) return "another type";
  return accepts(&o->out->shape, &o->in[0]->shape) ? NULL : "another shape than the variable's";
}

/* The kernels. The rules have checked their operands. */

static void conv(const operands* o) {
  const tensor *x = o->in[0], *w = o->in[1], *b = o->in[2];
  int64_t stride = o->attribute[0], pad = o->attribute[1], relu = o->attribute[2];
  int64_t channels = dim(x, 1), height = dim(x, 2), width = dim(x, 3), kh = dim(w, 2), kw = dim(w, 3);
  int64_t at = 0;
  for (int64_t n = 0; n < dim(x, 0); n++)
    for (int64_t m = 0; m < dim(w, 0); m++)
      for (int64_t oy = 0; oy < dim(o->out, 2) && !*o->cancel; oy++)
        for (int64_t ox = 0; ox < dim(o->out, 3); ox++) {
          double sum = b != NULL ? get(b, m) : 0;
          for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < kh; i++) {
              int64_t y = oy * stride + i - pad;
              for (int64_t j = 0; j < kw; j++) {
                int64_t z = ox * stride + j - pad;
                if (y < 0 || y >= height || z < 0 || z >= width) continue;
                sum += get(x, ((n * channels + c) * height + y) * width + z) * get(w, ((m * channels + c) * kh + i) * kw + j);
              }
            }
          set(o->out, at++, relu && sum < 0 ? 0 : sum);
        }
}

static void maxpool(const operands* o) {
  const tensor* x = o->in[0];
  int64_t size = o->attribute[0], height = dim(x, 2), width = dim(x, 3);
  int64_t at = 0;
  for (int64_t image = 0; image < dim(x, 0) * dim(x, 1); image++)
    for (int64_t y = 0; y < dim(o->out, 2); y++)
      for (int64_t z = 0; z < dim(o->out, 3); z++) {
        double max = -HUGE_VAL;
        for (int64_t i = 0; i < size; i++)
          for (int64_t j = 0; j < size; j++) {
            double v = get(x, (image * height + y * size + i) * width + z * size + j);
            if (v > max) max = v;
          }
        set(o->out, at++, max);
      }
}

static void dense(const operands* o) {
  int64_t n = dim(o->in[0], 1), at = 0;
  for (int64_t row = 0; row < dim(o->in[0], 0); row++)
    for (int64_t m = 0; m < dim(o->in[1], 0); m++) {
      double sum = o->in[2] != NULL ? get(o->in[2], m) : 0;
      for (int64_t i = 0; i < n; i++) sum += get(o->in[0], row * n + i) * get(o->in[1], m * n + i);
      set(o->out, at++, sum);
    }
}

static void softmax(const operands* o) {
  const tensor* x = o->in[0];
  int64_t n = dim(x, -1);
  for (int64_t begin = 0; begin < elements(&x->shape); begin += n) {
    double max = -HUGE_VAL, sum = 0;
    for (int64_t i = begin; i < begin + n; i++)
      if (get(x, i) > max) max = get(x, i);
    for (int64_t i = begin; i < begin + n; i++) sum += exp(get(x, i) - max);
    for (int64_t i = begin; i < begin + n; i++) set(o->out, i, exp(get(x, i) - max) / sum);
  }
}

/* copy implements reshape and assign, which keep the order of elements. */
static void copy(const operands* o) {
  memmove(o->out->target, o->in[0]->data, (size_t)elements(&o->out->shape) * o->out->def->size);
}

static void add(const operands* o) {
  int64_t n = elements(&o->out->shape), step = elements(&o->in[1]->shape) == 1 ? 0 : 1;
  for (int64_t i = 0; i < n; i++) set(o->out, i, get(o->in[0], i) + get(o->in[1], i * step));
}

static void mul(const operands* o) {
  int64_t n = elements(&o->out->shape), step = elements(&o->in[1]->shape) == 1 ? 0 : 1;
  for (int64_t i = 0; i < n; i++) set(o->out, i, get(o->in[0], i) * get(o->in[1], i * step));
}

static void transpose(const operands* o) {
  const anyinfer_shape *from = &o->in[0]->shape, *to = &o->out->shape;
  size_t size = o->out->def->size;
  int64_t stride[ATTRIBUTES], step = 1, n = elements(to);
  for (int32_t k = from->rank - 1; k >= 0; k--) {
    stride[k] = step;
    step *= from->dims[k];
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = i, source = 0;
    for (int32_t k = to->rank - 1; k >= 0; k--) {
      source += rest % to->dims[k] * stride[o->attribute[k]];
      rest /= to->dims[k];
    }
    memcpy(o->out->target + (size_t)i * size, o->in[0]->data + (size_t)source * size, size);
  }
}

/* nonzero writes a row of coordinates for each element that is not 0. The shape
 * of its output is known only now. */
static void nonzero(const operands* o) {
  const tensor* x = o->in[0];
  int32_t rank = x->shape.rank;
  int64_t n = elements(&x->shape), found = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = i;
    if (get(x, i) == 0) continue;
    for (int32_t k = rank - 1; k >= 0; k--) {
      int64_t at = rest % x->shape.dims[k];
      memcpy(o->out->target + (size_t)(found * rank + k) * sizeof at, &at, sizeof at);
      rest /= x->shape.dims[k];
    }
    found++;
  }
  o->out->shape.dims[0] = found;
}

static void cast(const operands* o) {
  o->out->shape = o->in[0]->shape; /* which may be unknown until now */
  int64_t n = elements(&o->out->shape);
  for (int64_t i = 0; i < n; i++) set(o->out, i, get(o->in[0], i));
}

/* The properties of an operator: it reads or writes numbers, so get and set must
 * support the types; it accepts an input whose shape is known only after a run. */
enum { NUMBERS = 1, DYNAMIC = 2 };

static const struct {
  const char* (*rule)(const operands*);
  void (*run)(const operands*);
  int traits;
} kernels[OPERATORS] = {
    {NULL, NULL, 0},
    {conv_rule, conv, NUMBERS},
    {maxpool_rule, maxpool, NUMBERS},
    {dense_rule, dense, NUMBERS},
    {softmax_rule, softmax, NUMBERS},
    {reshape_rule, copy, 0},
    {arithmetic_rule, add, NUMBERS},
    {arithmetic_rule, mul, NUMBERS},
    {transpose_rule, transpose, 0},
    {nonzero_rule, nonzero, 0},
    {cast_rule, cast, NUMBERS | DYNAMIC},
    {assign_rule, copy, 0},
};

static operands operands_of(const operation* op, tensor* tensors, const volatile int32_t* cancel) {
  operands o;
  for (int32_t i = 0; i < INPUTS_MAX; i++) o.in[i] = op->in[i] == -1 ? NULL : &tensors[op->in[i]];
  o.out = &tensors[op->out];
  o.attribute = op->attribute;
  o.cancel = cancel;
  return o;
}

/* rule applies the rule of one operator. */
static const char* rule(const operation* op, const operands* o) {
  for (int32_t i = 0; i < INPUTS_MAX && o->in[i] != NULL; i++) {
    if ((kernels[op->code].traits & DYNAMIC) == 0 && elements(&o->in[i]->shape) < 0) return "an input whose shape is known only after a run";
    if ((kernels[op->code].traits & NUMBERS) != 0 && !readable(o->in[i])) return "the type of an input";
  }
  if ((kernels[op->code].traits & NUMBERS) != 0 && !writable(o->out)) return "the type of its output";
  o->out->max = -1;
  const char* wrong = kernels[op->code].rule(o);
  if (wrong != NULL) return wrong;
  if (o->out->max == -1) o->out->max = elements(&o->out->shape);
  if (o->out->max < 0 || o->out->max > MAX_ELEMENTS) return "an output that is too large";
  return accepts(&o->out->def->info.shape, &o->out->shape) ? NULL : "an output with another shape than in the file";
}

/* infer applies the rules of all operators, after the shapes of the inputs are
 * set. It returns status if the shapes do not fit. */
static anyinfer_status infer(const graph* g, tensor* tensors, anyinfer_status status, anyinfer_error* error) {
  for (int32_t i = 0; i < g->n_tensors; i++) {
    tensor* t = &tensors[i];
    if (t->def->kind == INPUT) t->max = elements(&t->shape);
  }
  for (int32_t i = 0; i < g->n_operations; i++) {
    operands o = operands_of(&g->operations[i], tensors, NULL);
    const char* wrong = rule(&g->operations[i], &o);
    if (wrong != NULL)
      return fail(error, status, "operator %s, number %d: it cannot take %s", operators[g->operations[i].code].name, (int)i, wrong);
  }
  for (int32_t i = 0; i < g->n_tensors; i++) {
    tensor* t = &tensors[i];
    t->inner = 1;
    if (t->def->info.scales > 1)
      for (int32_t k = t->def->info.axis + 1; k < t->shape.rank; k++) t->inner *= t->shape.dims[k];
  }
  return ANYINFER_OK;
}

#endif
