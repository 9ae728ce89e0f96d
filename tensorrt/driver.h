/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA driver (libcuda.so.1). It belongs to the machine and not to an SDK, so it
 * is opened with the engine, and its absence is an error. */
#ifndef ANYINFER_TENSORRT_DRIVER_H
#define ANYINFER_TENSORRT_DRIVER_H

#include <dlfcn.h>

#include "log.h"

namespace anyinfer_tensorrt {

typedef int CUdevice;
typedef int CUresult;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st* CUcontext;
typedef struct CUstream_st* CUstream;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphExec_st* CUgraphExec;

enum { CUDA_NO_DEVICE = 100 };
enum { MULTIPROCESSORS = 16, INTEGRATED = 18, COMPUTE_MAJOR = 75, COMPUTE_MINOR = 76 }; // CUdevice_attribute
enum { STREAM_NON_BLOCKING = 1 };
enum { CAPTURE_THREAD_LOCAL = 1 };

/* The functions called, with their prototypes in the driver's own types. */
#define ANYINFER_CUDA_FUNCTIONS(F)                                                                     \
  F(cuInit, (unsigned flags))                                                                          \
  F(cuGetErrorString, (CUresult error, const char** text))                                             \
  F(cuDeviceGetCount, (int* count))                                                                    \
  F(cuDeviceGet, (CUdevice* device, int ordinal))                                                      \
  F(cuDeviceGetName, (char* name, int size, CUdevice device))                                          \
  F(cuDeviceGetAttribute, (int* value, int attribute, CUdevice device))                                \
  F(cuDeviceTotalMem_v2, (size_t* bytes, CUdevice device))                                             \
  F(cuDevicePrimaryCtxRetain, (CUcontext* context, CUdevice device))                                   \
  F(cuCtxPushCurrent_v2, (CUcontext context))                                                          \
  F(cuCtxPopCurrent_v2, (CUcontext* context))                                                          \
  F(cuMemAlloc_v2, (CUdeviceptr* pointer, size_t size))                                                \
  F(cuMemFree_v2, (CUdeviceptr pointer))                                                               \
  F(cuMemAllocHost_v2, (void** pointer, size_t size))                                                  \
  F(cuMemFreeHost, (void* pointer))                                                                    \
  F(cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void* from, size_t size, CUstream stream))            \
  F(cuMemcpyDtoHAsync_v2, (void* to, CUdeviceptr from, size_t size, CUstream stream))                  \
  F(cuStreamCreate, (CUstream* stream, unsigned flags))                                                \
  F(cuStreamDestroy_v2, (CUstream stream))                                                             \
  F(cuStreamSynchronize, (CUstream stream))

/* The functions of CUDA graphs: drivers before 11.4 (JetPack 4) lack some. */
#define ANYINFER_CUDA_GRAPHS(F)                                                                        \
  F(cuStreamBeginCapture_v2, (CUstream stream, int mode))                                              \
  F(cuStreamEndCapture, (CUstream stream, CUgraph* graph))                                             \
  F(cuGraphInstantiateWithFlags, (CUgraphExec* exec, CUgraph graph, unsigned long long flags))         \
  F(cuGraphLaunch, (CUgraphExec exec, CUstream stream))                                                \
  F(cuGraphExecDestroy, (CUgraphExec exec))                                                            \
  F(cuGraphDestroy, (CUgraph graph))

struct driver {
#define F(name, parameters) CUresult(*name) parameters = nullptr;
  ANYINFER_CUDA_FUNCTIONS(F)
  ANYINFER_CUDA_GRAPHS(F)
#undef F
  bool graphs = true;

  driver() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* why = dlerror();
      refuse(ANYINFER_DEVICE, "no CUDA device: the NVIDIA driver is not installed, or not available in this container (%.500s)", why != nullptr ? why : "");
    }
#define F(name, parameters)                                                   \
  name = reinterpret_cast<CUresult(*) parameters>(dlsym(library, #name));     \
  if (name == nullptr) refuse(ANYINFER_DEVICE, "the NVIDIA driver is too old: its libcuda.so.1 lacks " #name);
    ANYINFER_CUDA_FUNCTIONS(F)
#undef F
#define F(name, parameters)                                               \
  name = reinterpret_cast<CUresult(*) parameters>(dlsym(library, #name)); \
  graphs = graphs && name != nullptr;
    ANYINFER_CUDA_GRAPHS(F)
#undef F
  }
};

/* cuda returns the driver. It throws if the driver cannot be opened. */
inline const driver& cuda() {
  static const driver* const one = new driver; // TensorRT uses it until the process ends
  return *one;
}

inline std::string cuda_error(CUresult result) {
  const char* text = nullptr;
  cuda().cuGetErrorString(result, &text);
  return text != nullptr ? text : "CUDA error";
}

/* check throws an error if a call of the driver has failed. */
inline void check(CUresult result, const char* what) {
  if (result != 0) throw anyinfer::failure{ANYINFER_DEVICE, result, what + std::string(": ") + cuda_error(result)};
}

/* A processor that runs models: a GPU, or a DLA core beside one. */
struct processor {
  std::string name, description;
  CUdevice gpu;
  int dla; // -1: the GPU itself
};

/* primary returns a GPU's primary context, which TensorRT uses, too. It stays open
 * until the process ends, because the CUDA runtime inside TensorRT does not expect
 * its release. */
inline CUcontext primary(CUdevice device) {
  static std::mutex mutex;
  static auto* all = new std::map<CUdevice, CUcontext>;
  std::lock_guard<std::mutex> lock(mutex);
  CUcontext& context = (*all)[device];
  if (context == nullptr) check(cuda().cuDevicePrimaryCtxRetain(&context, device), "the GPU cannot be used");
  return context;
}

/* While a current object exists, a GPU's primary context is current on this thread.
 * Each call needs one, because goroutines move from thread to thread. */
class current {
 public:
  explicit current(CUcontext primary) : result_(cuda().cuCtxPushCurrent_v2(primary)) { check(result_, "the GPU cannot be used"); }
  /* This constructor is for closing, which continues even if a GPU is lost. */
  current(CUcontext primary, std::nothrow_t) : result_(cuda().cuCtxPushCurrent_v2(primary)) {}
  ~current() {
    CUcontext popped;
    if (result_ == 0) cuda().cuCtxPopCurrent_v2(&popped);
  }
  current(const current&) = delete;

 private:
  CUresult result_;
};

inline int attribute(int which, CUdevice device) {
  int value = 0;
  check(cuda().cuDeviceGetAttribute(&value, which, device), "the attributes of a GPU cannot be read");
  return value;
}

/* gpus returns the GPUs of this machine, at least one. It is called before any
 * function of TensorRT, whose factories return objects that crash without a GPU. */
inline std::vector<processor> gpus() {
  const CUresult result = cuda().cuInit(0);
  int n = 0;
  if (result == 0) check(cuda().cuDeviceGetCount(&n), "the GPUs cannot be counted");
  if (n == 0) throw anyinfer::failure{ANYINFER_DEVICE, result, "no CUDA device" + (result == 0 ? "" : ": " + cuda_error(result))};
  std::vector<processor> all;
  for (int i = 0; i < n; i++) {
    CUdevice device;
    char name[200] = "";
    size_t bytes = 0;
    check(cuda().cuDeviceGet(&device, i), "a GPU cannot be used");
    check(cuda().cuDeviceGetName(name, sizeof name, device), "the name of a GPU cannot be read");
    check(cuda().cuDeviceTotalMem_v2(&bytes, device), "the memory size of a GPU cannot be read");
    char text[300];
    snprintf(text, sizeof text, "%s, compute capability %d.%d, %d multiprocessors, %.1f GB", name, attribute(COMPUTE_MAJOR, device),
             attribute(COMPUTE_MINOR, device), attribute(MULTIPROCESSORS, device), double(bytes) / 1e9);
    all.push_back({"GPU." + std::to_string(i), text, device, -1});
  }
  return all;
}

/* memory is a block on the GPU and a block of the same size in pinned memory of the
 * host, which the GPU accesses directly. */
class memory {
 public:
  memory() = default;
  ~memory() { release(); }
  memory(const memory&) = delete;

  /* reserve makes the blocks at least this large; their content is lost. */
  void reserve(size_t bytes) {
    if (bytes <= size_) return;
    release();
    check(cuda().cuMemAlloc_v2(&device, bytes), "no memory on the GPU");
    check(cuda().cuMemAllocHost_v2(reinterpret_cast<void**>(&host), bytes), "no pinned memory");
    size_ = bytes;
  }

  CUdeviceptr device = 0;
  char* host = nullptr;

 private:
  void release() {
    if (device != 0) cuda().cuMemFree_v2(device);
    if (host != nullptr) cuda().cuMemFreeHost(host);
    device = 0, host = nullptr, size_ = 0;
  }

  size_t size_ = 0;
};

class stream {
 public:
  stream() { check(cuda().cuStreamCreate(&handle, STREAM_NON_BLOCKING), "no stream on the GPU"); }
  ~stream() { cuda().cuStreamDestroy_v2(handle); }
  stream(const stream&) = delete;

  void wait() const { check(cuda().cuStreamSynchronize(handle), "the GPU failed"); }

  CUstream handle = nullptr;
};

/* graph is recorded work of a stream, which one call launches. */
class graph {
 public:
  ~graph() { clear(); }

  /* capture records the work that f enqueues on s. It returns false, without a
   * graph, if the work cannot be recorded. */
  template <typename F>
  bool capture(const stream& s, F&& f) {
    clear();
    if (cuda().cuStreamBeginCapture_v2(s.handle, CAPTURE_THREAD_LOCAL) != 0) return false;
    bool good = true;
    try {
      f();
    } catch (const anyinfer::failure&) {
      good = false;
    }
    CUgraph recorded = nullptr;
    good = cuda().cuStreamEndCapture(s.handle, &recorded) == 0 && good;
    good = good && cuda().cuGraphInstantiateWithFlags(&exec_, recorded, 0) == 0;
    if (recorded != nullptr) cuda().cuGraphDestroy(recorded);
    if (!good) exec_ = nullptr;
    return good;
  }

  void launch(const stream& s) const { check(cuda().cuGraphLaunch(exec_, s.handle), "the graph cannot be launched"); }

  explicit operator bool() const { return exec_ != nullptr; }

  void clear() {
    if (exec_ != nullptr) cuda().cuGraphExecDestroy(exec_);
    exec_ = nullptr;
  }

 private:
  CUgraphExec exec_ = nullptr;
};

}  // namespace anyinfer_tensorrt

#endif
