// SPDX-License-Identifier: Apache-2.0

// A STAND-IN for the CUDA driver, and no part of it: as many of its functions
// as the shim of package tensorrt calls, for tests where there is no GPU. Devices
// and their contexts.
#include "cuda.h"

#include <algorithm>
#include <cstdio>

namespace standin {

State& state() {
  static State* const one = new State; // streams of other libraries' static objects may go later
  return *one;
}

namespace {

thread_local std::vector<Context*> stack;

CUresult check_device(CUdevice device) { return device >= 0 && device < GPUS ? SUCCESS : INVALID_DEVICE; }

}  // namespace

const Gpu& gpu(int device) {
  static const Gpu all[GPUS] = {{8, 7, 16, 1, 2, size_t(8) << 30}, {8, 6, 28, 0, 0, size_t(12) << 30}};
  return all[device];
}

CUresult enter(const char* name, CUresult fault) {
  if (called(name) != Fault::none) return fault;
  std::lock_guard<std::mutex> lock(state().mutex);
  return state().initialized ? SUCCESS : NOT_INITIALIZED;
}

Context* current() {
  std::lock_guard<std::mutex> lock(state().mutex);
  return stack.empty() || stack.back()->retained == 0 ? nullptr : stack.back();
}

CUresult ready(const char* name, CUresult fault, Context** context) {
  *context = current();
  if (CUresult r = enter(name, fault)) return r;
  if (*context == nullptr) {
    mistake(std::string(name) + " without a current context");
    return INVALID_CONTEXT;
  }
  return (*context)->error;
}

int device() {
  const Context* c = current();
  return c == nullptr ? -1 : c->device;
}

bool retained(int device) {
  std::lock_guard<std::mutex> lock(state().mutex);
  return state().primary[device] != nullptr;
}

int held() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  size_t n = s.blocks.size() + s.pinned.size() + s.streams.size() + s.graphs.size() + s.launchable.size() + size_t(s.pushed);
  for (auto* c : s.primary) n += c == nullptr ? 0 : size_t(c->retained);
  return int(n);
}

}  // namespace standin

using namespace standin;

CUDA_FUNCTION(cuInit)(unsigned flags) {
  if (called("cuInit") != Fault::none) return NO_DEVICE;
  if (flags != 0) return INVALID_VALUE;
  std::lock_guard<std::mutex> lock(state().mutex);
  state().initialized = true;
  return SUCCESS;
}

CUDA_FUNCTION(cuDriverGetVersion)(int* version) {
  if (called("cuDriverGetVersion") != Fault::none) return UNKNOWN;
  *version = 12080;
  return SUCCESS;
}

CUDA_FUNCTION(cuGetErrorString)(CUresult error, const char** text) {
  called("cuGetErrorString");
  static const std::map<CUresult, const char*> texts = {
    {SUCCESS, "no error"},
    {INVALID_VALUE, "invalid argument"},
    {OUT_OF_MEMORY, "out of memory"},
    {NOT_INITIALIZED, "initialization error"},
    {NO_DEVICE, "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "invalid device ordinal"},
    {INVALID_CONTEXT, "invalid device context"},
    {INVALID_HANDLE, "invalid resource handle"},
    {ILLEGAL_STATE, "the operation cannot be performed in the present state"},
    {ILLEGAL_ADDRESS, "an illegal memory access was encountered"},
    {LAUNCH_FAILED, "unspecified launch failure"},
    {CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"},
    {CAPTURE_INVALIDATED, "operation failed due to a previous error during capture"},
    {CAPTURE_WRONG_THREAD, "attempt to terminate a thread-local capture sequence from another thread"},
    {UNKNOWN, "unknown error"},
  };
  const auto found = texts.find(error);
  *text = found == texts.end() ? nullptr : found->second;
  return *text == nullptr ? INVALID_VALUE : SUCCESS;
}

CUDA_FUNCTION(cuDeviceGetCount)(int* count) {
  const Fault fault = called("cuDeviceGetCount");
  std::lock_guard<std::mutex> lock(state().mutex);
  if (!state().initialized) return NOT_INITIALIZED;
  *count = fault == Fault::none ? GPUS : 0;
  return SUCCESS;
}

CUDA_FUNCTION(cuDeviceGet)(CUdevice* device, int ordinal) {
  if (CUresult r = enter("cuDeviceGet", UNKNOWN)) return r;
  *device = ordinal;
  return check_device(ordinal);
}

CUDA_FUNCTION(cuDeviceGetName)(char* name, int size, CUdevice device) {
  if (CUresult r = enter("cuDeviceGetName", UNKNOWN)) return r;
  if (CUresult r = check_device(device)) return r;
  snprintf(name, size_t(size), "Stand-in GPU");
  return SUCCESS;
}

CUDA_FUNCTION(cuDeviceGetAttribute)(int* value, int attribute, CUdevice device) {
  if (CUresult r = enter("cuDeviceGetAttribute", UNKNOWN)) return r;
  if (CUresult r = check_device(device)) return r;
  const Gpu& g = gpu(device);
  const std::map<int, int> values = {{16, g.multiprocessors}, {18, g.integrated}, {75, g.major}, {76, g.minor}};
  const auto found = values.find(attribute);
  if (found == values.end()) return INVALID_VALUE;
  *value = found->second;
  return SUCCESS;
}

CUDA_FUNCTION(cuDeviceTotalMem_v2)(size_t* bytes, CUdevice device) {
  if (CUresult r = enter("cuDeviceTotalMem", UNKNOWN)) return r;
  if (CUresult r = check_device(device)) return r;
  *bytes = gpu(device).memory;
  return SUCCESS;
}

// Contexts

CUDA_FUNCTION(cuDevicePrimaryCtxRetain)(CUcontext* context, CUdevice device) {
  if (CUresult r = enter("cuDevicePrimaryCtxRetain", OUT_OF_MEMORY)) return r;
  if (CUresult r = check_device(device)) return r;
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  Context*& c = s.primary[device];
  if (c == nullptr) {
    c = new Context;
    c->device = device;
    s.contexts.push_back(c);
  }
  c->retained++;
  *context = reinterpret_cast<CUcontext>(c);
  return SUCCESS;
}

CUDA_FUNCTION(cuDevicePrimaryCtxRelease_v2)(CUdevice device) {
  const CUresult r = enter("cuDevicePrimaryCtxRelease", UNKNOWN);
  if (check_device(device) != SUCCESS) return INVALID_DEVICE;
  Context* last = nullptr;
  {
    State& s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    Context*& c = s.primary[device];
    if (c == nullptr) return INVALID_CONTEXT;
    if (--c->retained == 0) std::swap(last, c);
  }
  if (last != nullptr) close_context(last);
  return r;
}

// Drivers have this name, too.
CUDA_FUNCTION(cuDevicePrimaryCtxRelease)(CUdevice device) { return cuDevicePrimaryCtxRelease_v2(device); }

CUDA_FUNCTION(cuCtxPushCurrent_v2)(CUcontext context) {
  if (CUresult r = enter("cuCtxPushCurrent", INVALID_CONTEXT)) return r;
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  auto* c = reinterpret_cast<Context*>(context);
  if (std::find(s.contexts.begin(), s.contexts.end(), c) == s.contexts.end() || c->retained == 0) return INVALID_CONTEXT;
  stack.push_back(c);
  s.pushed++;
  return SUCCESS;
}

CUDA_FUNCTION(cuCtxPopCurrent_v2)(CUcontext* context) {
  const CUresult r = enter("cuCtxPopCurrent", INVALID_CONTEXT);
  if (stack.empty()) {
    mistake("cuCtxPopCurrent without a current context");
    return INVALID_CONTEXT;
  }
  if (context != nullptr) *context = reinterpret_cast<CUcontext>(stack.back());
  stack.pop_back();
  std::lock_guard<std::mutex> lock(state().mutex);
  state().pushed--;
  return r;
}
