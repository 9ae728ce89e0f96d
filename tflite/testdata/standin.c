// SPDX-License-Identifier: Apache-2.0

// A stand-in for an external delegate. It takes the ADD operators and adds a
// bias, so that a test sees that they ran here. It is built against the TFLite
// library under test with declarations of its own.
//
// Options: bias; log, a file to append to; fail=prepare. The creation fails
// for any other option.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct Node Node;
typedef struct Operator Operator;
typedef struct Tensor Tensor;
typedef struct { int size; int data[]; } IntArray;
typedef struct {
  void* data;
  int (*prepare)(Context*, Delegate*, void* data);
  void* copy_from_buffer_handle;
  void* copy_to_buffer_handle;
  void* free_buffer_handle;
  int64_t flags;
} Builder;
typedef struct { Delegate* delegate; void* data; } Params;

Delegate* TfLiteOpaqueDelegateCreate(const Builder*);
void TfLiteOpaqueDelegateDelete(Delegate*);
void* TfLiteOpaqueDelegateGetData(const Delegate*);
int TfLiteOpaqueContextGetExecutionPlan(Context*, IntArray**);
int TfLiteOpaqueContextGetNodeAndRegistration(Context*, int, Node**, Operator**);
int TfLiteOpaqueContextReplaceNodeSubsetsWithDelegateKernels(Context*, Operator*, const IntArray*, Delegate*);
IntArray* TfLiteIntArrayCreate(int);
void TfLiteIntArrayFree(IntArray*);
Operator* TfLiteOperatorCreate(int code, const char* name, int version, void* user_data);
int TfLiteOperatorGetBuiltInCode(const Operator*);
void TfLiteOperatorSetInit(Operator*, void* (*)(Context*, const char*, size_t));
void TfLiteOperatorSetFree(Operator*, void (*)(Context*, void*));
void TfLiteOperatorSetInvoke(Operator*, int (*)(Context*, Node*));
const Tensor* TfLiteOpaqueNodeGetInput(const Context*, const Node*, int);
Tensor* TfLiteOpaqueNodeGetOutput(Context*, const Node*, int);
void* TfLiteOpaqueNodeGetUserData(const Node*);
size_t TfLiteOpaqueTensorByteSize(const Tensor*);
void* TfLiteOpaqueTensorData(const Tensor*);

enum { add = 0, delegate_kernel = 51 };

typedef struct { float bias; int fail; char log[1024]; } Data;

static void note(Data* d, const char* what) {
  FILE* f = d->log[0] ? fopen(d->log, "a") : NULL;
  if (f) { fprintf(f, "%s %g\n", what, d->bias); fclose(f); }
}

static void* init(Context* c, const char* params, size_t size) { return ((Params*)params)->data; }

static void done(Context* c, void* data) { note(data, "free"); }

static int invoke(Context* c, Node* n) {
  const float* a = TfLiteOpaqueTensorData(TfLiteOpaqueNodeGetInput(c, n, 0));
  const float* b = TfLiteOpaqueTensorData(TfLiteOpaqueNodeGetInput(c, n, 1));
  Tensor* out = TfLiteOpaqueNodeGetOutput(c, n, 0);
  float* y = TfLiteOpaqueTensorData(out);
  Data* d = TfLiteOpaqueNodeGetUserData(n);
  for (size_t i = 0; i < TfLiteOpaqueTensorByteSize(out) / sizeof *y; i++) y[i] = a[i] + b[i] + d->bias;
  return 0;
}

static int prepare(Context* c, Delegate* delegate, void* data) {
  if (((Data*)data)->fail) return 1;
  IntArray* plan;
  if (TfLiteOpaqueContextGetExecutionPlan(c, &plan)) return 1;
  IntArray* mine = TfLiteIntArrayCreate(plan->size);
  mine->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node* n;
    Operator* op;
    if (TfLiteOpaqueContextGetNodeAndRegistration(c, plan->data[i], &n, &op)) return 1;
    if (TfLiteOperatorGetBuiltInCode(op) == add) mine->data[mine->size++] = plan->data[i];
  }
  Operator* kernel = TfLiteOperatorCreate(delegate_kernel, "stand-in", 1, NULL);
  TfLiteOperatorSetInit(kernel, init);
  TfLiteOperatorSetFree(kernel, done);
  TfLiteOperatorSetInvoke(kernel, invoke);
  int status = TfLiteOpaqueContextReplaceNodeSubsetsWithDelegateKernels(c, kernel, mine, delegate);
  TfLiteIntArrayFree(mine);
  return status;
}

Delegate* tflite_plugin_create_delegate(const char* const* keys, const char* const* values, size_t n, void (*report_error)(const char*)) {
  Data* d = calloc(1, sizeof *d);
  for (size_t i = 0; i < n; i++) {
    if (!strcmp(keys[i], "bias")) d->bias = atof(values[i]);
    else if (!strcmp(keys[i], "log")) strncpy(d->log, values[i], sizeof d->log - 1);
    else if (!strcmp(keys[i], "fail") && !strcmp(values[i], "prepare")) d->fail = 1;
    else {
      report_error("the stand-in knows no option so named:");
      report_error(keys[i]);
      free(d);
      return NULL;
    }
  }
  note(d, "create");
  Builder b = {d, prepare};
  return TfLiteOpaqueDelegateCreate(&b);
}

void tflite_plugin_destroy_delegate(Delegate* delegate) {
  Data* d = TfLiteOpaqueDelegateGetData(delegate);
  note(d, "destroy");
  TfLiteOpaqueDelegateDelete(delegate);
  free(d);
}
