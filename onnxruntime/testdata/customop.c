// SPDX-License-Identifier: Apache-2.0

// A library with one operator, Twice of the domain test.anyinfer: y = 2x for tensors of float.

#include "onnxruntime_c_api.h"

static const OrtApi *ort;

static void *create(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info) { return (void *)op; }
static void destroy(void *kernel) {}
static const char *name(const OrtCustomOp *op) { return "Twice"; }
static const char *provider(const OrtCustomOp *op) { return NULL; }
static ONNXTensorElementDataType type(const OrtCustomOp *op, size_t i) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
static size_t one(const OrtCustomOp *op) { return 1; }
static OrtMemType memory(const OrtCustomOp *op, size_t i) { return OrtMemTypeDefault; }
static OrtCustomOpInputOutputCharacteristic required(const OrtCustomOp *op, size_t i) { return INPUT_OUTPUT_REQUIRED; }

static void compute(void *kernel, OrtKernelContext *context) {
  const OrtValue *x;
  OrtValue *y;
  OrtTensorTypeAndShapeInfo *info;
  int64_t dims[8];
  size_t rank, n;
  float *in, *out;
  ort->KernelContext_GetInput(context, 0, &x);
  ort->GetTensorTypeAndShape(x, &info);
  ort->GetDimensionsCount(info, &rank);
  ort->GetDimensions(info, dims, rank);
  ort->GetTensorShapeElementCount(info, &n);
  ort->ReleaseTensorTypeAndShapeInfo(info);
  ort->KernelContext_GetOutput(context, 0, dims, rank, &y);
  ort->GetTensorMutableData((OrtValue *)x, (void **)&in);
  ort->GetTensorMutableData(y, (void **)&out);
  for (size_t i = 0; i < n; i++) out[i] = 2 * in[i];
}

static OrtCustomOp twice = {
    .version = 15,
    .CreateKernel = create,
    .GetName = name,
    .GetExecutionProviderType = provider,
    .GetInputType = type,
    .GetInputTypeCount = one,
    .GetOutputType = type,
    .GetOutputTypeCount = one,
    .KernelCompute = compute,
    .KernelDestroy = destroy,
    .GetInputCharacteristic = required,
    .GetOutputCharacteristic = required,
    .GetInputMemoryType = memory,
};

OrtStatus *RegisterCustomOps(OrtSessionOptions *options, const OrtApiBase *base) {
  OrtCustomOpDomain *domain;
  ort = base->GetApi(17);
  OrtStatus *status = ort->CreateCustomOpDomain("test.anyinfer", &domain); // which lives as long as the process
  if (status == NULL) status = ort->CustomOpDomain_Add(domain, &twice);
  if (status == NULL) status = ort->AddCustomOpDomain(options, domain);
  return status;
}
