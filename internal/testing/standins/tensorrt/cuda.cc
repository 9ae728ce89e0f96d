// SPDX-License-Identifier: Apache-2.0

// A STAND-IN for the CUDA driver, and no part of it: the functions that the shim
// of package tensorrt calls, for tests where there is no GPU.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "standin.h"

typedef int CUresult;
typedef unsigned long long CUdeviceptr;
#define CUDA_FUNCTION(name) extern "C" STANDIN_EXPORT CUresult name

namespace standin {

namespace {

struct PendingFault {
  std::string name;
  int calls; // until it comes
  Fault fault;
};

// A Block of a GPU lies on the heap, where AddressSanitizer sees what goes beyond
// it, under an address that the processor cannot use.
struct Block {
  std::unique_ptr<char[]> data;
  size_t size;
  int device;
};
const uintptr_t DEVICE_BIT = uintptr_t(1) << 52;

struct Stream {
  int device;
  std::deque<Work> queue;
  bool capturing = false, invalid = false;
  std::vector<Work> captured;
};

struct State {
  std::mutex mutex;
  PendingFault pending{"", 0, Fault::none};
  std::map<std::string, int> calls;
  std::atomic<int> objects{0}, mistakes{0}, delay{0};
  int retained[GPUS] = {}, pushed = 0;
  std::map<uintptr_t, Block> blocks;                 // by address
  std::map<uintptr_t, std::vector<char>> pinned;     // by address
  std::map<void*, std::unique_ptr<Stream>> streams;
  std::map<void*, std::vector<Work>> graphs, executables;
  uintptr_t handles = 0;
};

// It is never deleted, because other libraries' static objects may go later.
State& state() {
  static State* const one = new State;
  return *one;
}

using Lock = std::lock_guard<std::mutex>;

thread_local std::vector<int> contexts; // the GPUs whose contexts were pushed
thread_local int captures = 0;          // that this thread has begun

// begin is what functions that need a context begin with.
CUresult begin(const char* name, CUresult fault) {
  const bool fail = called(name) != Fault::none;
  if (contexts.empty()) {
    mistake(std::string(name) + " without a current context");
    return INVALID_CONTEXT;
  }
  return fail ? fault : CUresult(SUCCESS);
}

// allocating finds calls that would invalidate a capture.
void allocating(const char* name) {
  if (captures > 0) mistake(std::string(name) + " while a stream of this thread is captured");
}

Stream* find(void* stream) {
  Lock lock(state().mutex);
  const auto found = state().streams.find(stream);
  return found == state().streams.end() ? nullptr : found->second.get();
}

// find_here finds a stream of the current context.
Stream* find_here(void* stream) {
  Stream* s = find(stream);
  return s != nullptr && s->device == current_device() ? s : nullptr;
}

// fits tells whether bytes of the host are, if they are pinned, within their
// block.
bool fits(const void* address, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  Lock lock(state().mutex);
  auto i = state().pinned.upper_bound(at);
  if (i == state().pinned.begin()) return true;
  --i;
  const uintptr_t end = i->first + i->second.size();
  return at >= end || bytes <= end - at;
}

CUresult copy(CUdeviceptr device, void* host, size_t size, void* stream, bool to_device) {
  const Stream* s = find_here(stream);
  if (s == nullptr) return INVALID_HANDLE;
  const int gpu = s->device;
  const auto* address = reinterpret_cast<const void*>(uintptr_t(device));
  if (host == nullptr || (reinterpret_cast<uintptr_t>(host) & DEVICE_BIT) != 0 || !fits(host, size) || bytes_at(address, size, gpu) == nullptr) {
    mistake("a copy between addresses that are not the host's and this GPU's, or beyond their memory");
    return INVALID_VALUE;
  }
  return enqueue(stream, [=]() -> CUresult {
    char* p = bytes_at(address, size, gpu);
    if (p == nullptr) {
      mistake("a copy with memory of the GPU that was freed meanwhile");
      return ILLEGAL_ADDRESS;
    }
    memcpy(to_device ? p : host, to_device ? host : p, size);
    return SUCCESS;
  });
}

// erase removes a handle, which the caller must have.
template <typename M, typename K>
void erase(const char* name, M& from, const K& key) {
  Lock lock(state().mutex);
  if (from.erase(key) == 0) mistake(std::string(name) + " of what is not there");
}

void* new_handle() { return reinterpret_cast<void*>(++state().handles << 4); }

}  // namespace

Fault called(const char* name) {
  State& s = state();
  Lock lock(s.mutex);
  s.calls[name]++;
  if (s.pending.name != name || --s.pending.calls > 0) return Fault::none;
  s.pending.name.clear();
  return s.pending.fault;
}

void mistake(const std::string& text) {
  state().mistakes++;
  fprintf(stderr, "stand-in for TensorRT: MISTAKE: %s\n", text.c_str());
}

void count_objects(int more) { state().objects += more; }

int build_delay() { return state().delay; }

int current_device() { return contexts.empty() ? -1 : contexts.back(); }

char* bytes_at(const void* address, size_t bytes, int device) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  Lock lock(state().mutex);
  auto i = state().blocks.upper_bound(at);
  if (i == state().blocks.begin()) return nullptr;
  --i;
  const size_t offset = at - i->first, size = i->second.size;
  return offset > size || bytes > size - offset || i->second.device != device ? nullptr : i->second.data.get() + offset;
}

int enqueue(void* stream, Work work) {
  Stream* s = find(stream);
  if (s == nullptr) return INVALID_HANDLE;
  if (s->capturing) s->captured.push_back(std::move(work));
  else s->queue.push_back(std::move(work));
  return SUCCESS;
}

int synchronize(void* stream) {
  Stream* s = find(stream);
  if (s == nullptr) return INVALID_HANDLE;
  if (s->capturing) {
    s->invalid = true;
    return CAPTURE_INVALIDATED;
  }
  int result = SUCCESS;
  for (; !s->queue.empty(); s->queue.pop_front())
    if (result == SUCCESS) result = s->queue.front()();
  return result;
}

int device_of(void* stream) {
  const Stream* s = find(stream);
  return s == nullptr ? -1 : s->device;
}

bool capturing(void* stream) {
  const Stream* s = find(stream);
  return s != nullptr && s->capturing;
}

void invalidate_capture(void* stream) { find(stream)->invalid = true; }

}  // namespace standin

using namespace standin;

// For tests

void standin_fault(const char* spec) {
  std::string name = spec;
  Fault fault = Fault::fail;
  int calls = 1;
  const size_t colon = name.find(':');
  if (colon != std::string::npos) calls = atoi(spec + colon + 1), name.resize(colon);
  const size_t how = name.find('!');
  if (how != std::string::npos) fault = name.substr(how) == "!int" ? Fault::number : Fault::exception, name.resize(how);
  Lock lock(state().mutex);
  state().pending = {name, calls, fault};
}

int standin_calls(const char* name) {
  Lock lock(state().mutex);
  return state().calls[name];
}

int standin_mistakes() { return state().mistakes; }

int standin_leaks() {
  State& s = state();
  Lock lock(s.mutex);
  return int(s.blocks.size() + s.pinned.size() + s.streams.size() + s.graphs.size() + s.executables.size()) + s.retained[0] + s.retained[1] + s.pushed + s.objects + s.mistakes;
}

void standin_build_delay(int ms) { state().delay = ms; }

// Devices and contexts

CUDA_FUNCTION(cuInit)(unsigned) { return called("cuInit") == Fault::none ? SUCCESS : NO_DEVICE; }

CUDA_FUNCTION(cuGetErrorString)(CUresult error, const char** text) {
  thread_local char line[40];
  snprintf(line, sizeof line, "the stand-in's error %d", error);
  *text = line;
  return SUCCESS;
}

CUDA_FUNCTION(cuDeviceGetCount)(int* count) {
  *count = called("cuDeviceGetCount") == Fault::none ? GPUS : 0;
  return SUCCESS;
}

CUDA_FUNCTION(cuDeviceGet)(int* device, int ordinal) { return *device = ordinal, SUCCESS; }

CUDA_FUNCTION(cuDeviceGetName)(char* name, int size, int) { return snprintf(name, size_t(size), "Stand-in GPU"), SUCCESS; }

CUDA_FUNCTION(cuDeviceGetAttribute)(int* value, int attribute, int device) {
  const Gpu& g = gpus[device];
  const std::map<int, int> values = {{16, g.multiprocessors}, {18, g.integrated}, {75, g.major}, {76, g.minor}};
  *value = values.at(attribute);
  return SUCCESS;
}

CUDA_FUNCTION(cuDeviceTotalMem_v2)(size_t* bytes, int device) { return *bytes = size_t(8 + 4 * device) << 30, SUCCESS; }

// A context's handle is the place of its count.
CUDA_FUNCTION(cuDevicePrimaryCtxRetain)(int** context, int device) {
  if (called("cuDevicePrimaryCtxRetain") != Fault::none) return OUT_OF_MEMORY;
  Lock lock(state().mutex);
  *context = &state().retained[device];
  ++**context;
  return SUCCESS;
}

CUDA_FUNCTION(cuCtxPushCurrent_v2)(const int* context) {
  if (called("cuCtxPushCurrent_v2") != Fault::none) return INVALID_CONTEXT;
  Lock lock(state().mutex);
  if (context == nullptr || *context == 0) return INVALID_CONTEXT;
  contexts.push_back(int(context - state().retained));
  state().pushed++;
  return SUCCESS;
}

CUDA_FUNCTION(cuCtxPopCurrent_v2)(int** context) {
  const CUresult r = begin("cuCtxPopCurrent_v2", INVALID_CONTEXT);
  if (contexts.empty()) return r;
  Lock lock(state().mutex);
  *context = &state().retained[contexts.back()];
  contexts.pop_back();
  state().pushed--;
  return r;
}

// Memory, which is filled: who reads before something was written sees it.
// What gives something back does so even where it fails.

CUDA_FUNCTION(cuMemAlloc_v2)(CUdeviceptr* pointer, size_t size) {
  if (CUresult r = begin("cuMemAlloc_v2", OUT_OF_MEMORY)) return r;
  allocating("cuMemAlloc_v2");
  if (size == 0) return INVALID_VALUE;
  // Addresses of a GPU are aligned to 256 bytes, those of the heap are not.
  std::unique_ptr<char[]> data(new char[size]);
  memset(data.get(), 0xa5, size);
  Lock lock(state().mutex);
  static uintptr_t next = DEVICE_BIT;
  *pointer = next;
  state().blocks[next] = {std::move(data), size, current_device()};
  next += (size + 511) / 256 * 256;
  return SUCCESS;
}

CUDA_FUNCTION(cuMemFree_v2)(CUdeviceptr pointer) {
  const CUresult r = begin("cuMemFree_v2", LAUNCH_FAILED);
  allocating("cuMemFree_v2");
  erase("cuMemFree_v2", state().blocks, uintptr_t(pointer));
  return r;
}

CUDA_FUNCTION(cuMemAllocHost_v2)(void** pointer, size_t size) {
  if (CUresult r = begin("cuMemAllocHost_v2", OUT_OF_MEMORY)) return r;
  allocating("cuMemAllocHost_v2");
  if (size == 0) return INVALID_VALUE;
  std::vector<char> data(size, 0x5a);
  *pointer = data.data();
  Lock lock(state().mutex);
  state().pinned[reinterpret_cast<uintptr_t>(*pointer)] = std::move(data);
  return SUCCESS;
}

CUDA_FUNCTION(cuMemFreeHost)(void* pointer) {
  const CUresult r = begin("cuMemFreeHost", LAUNCH_FAILED);
  allocating("cuMemFreeHost");
  erase("cuMemFreeHost", state().pinned, reinterpret_cast<uintptr_t>(pointer));
  return r;
}

CUDA_FUNCTION(cuMemcpyHtoDAsync_v2)(CUdeviceptr to, const void* from, size_t size, void* stream) {
  const CUresult r = begin("cuMemcpyHtoDAsync_v2", LAUNCH_FAILED);
  return r != SUCCESS ? r : copy(to, const_cast<void*>(from), size, stream, true);
}

CUDA_FUNCTION(cuMemcpyDtoHAsync_v2)(void* to, CUdeviceptr from, size_t size, void* stream) {
  const CUresult r = begin("cuMemcpyDtoHAsync_v2", LAUNCH_FAILED);
  return r != SUCCESS ? r : copy(from, to, size, stream, false);
}

// Streams

CUDA_FUNCTION(cuStreamCreate)(void** stream, unsigned) {
  if (CUresult r = begin("cuStreamCreate", OUT_OF_MEMORY)) return r;
  Lock lock(state().mutex);
  *stream = new_handle();
  state().streams[*stream].reset(new Stream{current_device(), {}, false, false, {}});
  return SUCCESS;
}

CUDA_FUNCTION(cuStreamDestroy_v2)(void* stream) {
  const CUresult r = begin("cuStreamDestroy_v2", LAUNCH_FAILED);
  synchronize(stream); // a GPU goes on with what it was given
  erase("cuStreamDestroy_v2", state().streams, stream);
  return r;
}

CUDA_FUNCTION(cuStreamSynchronize)(void* stream) {
  const CUresult r = begin("cuStreamSynchronize", LAUNCH_FAILED);
  Stream* s = find_here(stream);
  if (s == nullptr) return INVALID_HANDLE;
  if (r == SUCCESS) return synchronize(stream);
  s->queue.clear(); // what failed is over, and has written nothing
  return r;
}

// Graphs

CUDA_FUNCTION(cuStreamBeginCapture_v2)(void* stream, int mode) {
  if (CUresult r = begin("cuStreamBeginCapture_v2", LAUNCH_FAILED)) return r;
  Stream* s = find_here(stream);
  if (s == nullptr || s->capturing) return INVALID_HANDLE;
  if (mode != 1) mistake("a capture that is not local to its thread: it forbids others to allocate");
  s->capturing = true, s->invalid = false;
  captures++;
  return SUCCESS;
}

CUDA_FUNCTION(cuStreamEndCapture)(void* stream, void** graph) {
  const CUresult r = begin("cuStreamEndCapture", LAUNCH_FAILED);
  *graph = nullptr;
  Stream* s = find_here(stream);
  if (s == nullptr || !s->capturing) return INVALID_HANDLE;
  captures--;
  s->capturing = false;
  std::vector<Work> captured = std::move(s->captured);
  s->captured.clear();
  if (r != SUCCESS || s->invalid) return r != SUCCESS ? r : CUresult(CAPTURE_INVALIDATED);
  Lock lock(state().mutex);
  *graph = new_handle();
  state().graphs[*graph] = std::move(captured);
  return SUCCESS;
}

CUDA_FUNCTION(cuGraphInstantiateWithFlags)(void** executable, void* graph, unsigned long long) {
  if (CUresult r = begin("cuGraphInstantiateWithFlags", OUT_OF_MEMORY)) return r;
  Lock lock(state().mutex);
  *executable = new_handle();
  state().executables[*executable] = state().graphs.at(graph);
  return SUCCESS;
}

CUDA_FUNCTION(cuGraphLaunch)(void* executable, void* stream) {
  if (CUresult r = begin("cuGraphLaunch", LAUNCH_FAILED)) return r;
  Stream* s = find_here(stream);
  if (s == nullptr) return INVALID_HANDLE;
  Lock lock(state().mutex);
  for (auto& work : state().executables.at(executable)) s->queue.push_back(work);
  return SUCCESS;
}

CUDA_FUNCTION(cuGraphExecDestroy)(void* executable) {
  called("cuGraphExecDestroy");
  erase("cuGraphExecDestroy", state().executables, executable);
  return SUCCESS;
}

CUDA_FUNCTION(cuGraphDestroy)(void* graph) {
  called("cuGraphDestroy");
  erase("cuGraphDestroy", state().graphs, graph);
  return SUCCESS;
}
