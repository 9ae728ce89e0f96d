// SPDX-License-Identifier: Apache-2.0

// A STAND-IN for the CUDA driver, and no part of it: the functions that the shim
// of package tensorrt calls, for tests where there is no GPU.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "standin.h"

typedef unsigned long long CUdeviceptr;
#define CUDA_FUNCTION(name) extern "C" STANDIN_EXPORT int name

namespace standin {
namespace {
// A Block of a GPU lies on the heap, where AddressSanitizer sees what goes beyond
// it. Its address is one that the processor cannot use.
struct Block {
  std::unique_ptr<char[]> data;
  size_t size;
  int device;
};
const uintptr_t DEVICE_BIT = uintptr_t(1) << 52;

struct Stream {
  int device;
  std::vector<Work> queue, captured;
  bool capturing = false, invalid = false;
};
struct State {
  std::mutex mutex;
  std::string fault_name;
  int fault_calls = 0; // until it comes
  Fault fault = Fault::none;
  std::map<std::string, int> calls;
  std::atomic<int> objects{0}, mistakes{0}, delay{0};
  int retained[GPUS] = {}, pushed = 0;
  std::map<uintptr_t, Block> blocks; // by address
  std::map<void*, std::unique_ptr<char[]>> pinned;
  std::map<void*, std::unique_ptr<Stream>> streams;
  std::map<void*, std::vector<Work>> graphs; // to be instantiated, and to be launched
  uintptr_t addresses = DEVICE_BIT, handles = 0;
};
using Lock = std::lock_guard<std::mutex>;

// It is never deleted, because other libraries' static objects may go later.
State& state() {
  static State* const one = new State;
  return *one;
}
// Larger ones crash LeakSanitizer, which misreads some blocks of them.
thread_local std::vector<int> contexts; // the GPUs whose contexts were pushed
thread_local int captures = 0;          // that this thread has begun
// begin is what functions begin with that need a context.
int begin(const char* name, Result fault) {
  const bool fail = called(name) != Fault::none;
  if (contexts.empty()) mistake(std::string(name) + " without a current context");
  if (captures > 0 && strncmp(name, "cuMem", 5) == 0 && strncmp(name, "cuMemcpy", 8) != 0) mistake(std::string(name) + " while a stream of this thread is captured");
  return contexts.empty() ? INVALID_CONTEXT : fail ? fault : SUCCESS;
}
Stream* find(void* stream) {
  Lock lock(state().mutex);
  const auto found = state().streams.find(stream);
  return found == state().streams.end() ? nullptr : found->second.get();
}
// find_here finds a stream of the current context.
Stream* find_here(void* stream) { return device_of(stream) == current_device() ? find(stream) : nullptr; }
int copy(const char* name, CUdeviceptr device, void* host, size_t size, void* stream, bool to_device) {
  if (int result = begin(name, LAUNCH_FAILED)) return result;
  if (find_here(stream) == nullptr) return INVALID_HANDLE;
  return enqueue(stream, [=, gpu = current_device()] {
    char* p = bytes_at(reinterpret_cast<void*>(device), size, gpu);
    if (p == nullptr || (reinterpret_cast<uintptr_t>(host) & DEVICE_BIT) != 0) {
      mistake("a copy between addresses that are not the host's and this GPU's, beyond their memory, or freed");
      return ILLEGAL_ADDRESS;
    }
    memcpy(to_device ? p : host, to_device ? host : p, size);
    return SUCCESS;
  });
}
// give_back removes what the caller has had; also where it returns an error.
template <typename M, typename K>
int give_back(const char* name, M& from, const K& key) {
  const int result = begin(name, LAUNCH_FAILED);
  Lock lock(state().mutex);
  if (from.erase(key) == 0) mistake(std::string(name) + " of what is not there");
  return result;
}
void* new_handle() { return reinterpret_cast<void*>(++state().handles << 4); }
}  // namespace

Fault called(const char* name) {
  State& s = state();
  Lock lock(s.mutex);
  s.calls[name]++;
  if (s.fault_name != name || --s.fault_calls > 0) return Fault::none;
  s.fault_name.clear();
  return s.fault;
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
  (s->capturing ? s->captured : s->queue).push_back(std::move(work));
  return SUCCESS;
}
int synchronize(void* stream) {
  Stream* s = find(stream);
  if (s == nullptr) return INVALID_HANDLE;
  if (s->capturing) return s->invalid = true, CAPTURE_INVALIDATED;
  int result = SUCCESS;
  for (auto& work : s->queue)
    if (result == SUCCESS) result = work();
  s->queue.clear();
  return result;
}
int device_of(void* stream) {
  const Stream* s = find(stream);
  return s == nullptr ? -1 : s->device;
}
bool capturing(void* stream) { return find(stream)->capturing; }
void invalidate_capture(void* stream) { find(stream)->invalid = true; }
}  // namespace standin

using namespace standin;

// For tests
void standin_fault(const char* spec) {
  const std::string text = spec;
  const size_t how = text.find('!'), colon = text.find(':');
  State& s = state();
  Lock lock(s.mutex);
  s.fault_name = text.substr(0, std::min(how, colon));
  s.fault = how == std::string::npos ? Fault::fail : text.compare(how, 4, "!int") == 0 ? Fault::number : Fault::exception;
  s.fault_calls = colon == std::string::npos ? 1 : atoi(spec + colon + 1);
}
int standin_calls(const char* name) {
  Lock lock(state().mutex);
  return state().calls[name];
}
int standin_leaks() {
  State& s = state();
  Lock lock(s.mutex);
  return int(s.blocks.size() + s.pinned.size() + s.streams.size() + s.graphs.size()) + s.retained[0] + s.retained[1] + s.pushed + s.objects + s.mistakes;
}
int standin_mistakes() { return state().mistakes; }
void standin_build_delay(int ms) { state().delay = ms; }

// Devices and contexts
CUDA_FUNCTION(cuInit)(unsigned) { return called("cuInit") == Fault::none ? SUCCESS : NO_DEVICE; }
CUDA_FUNCTION(cuDeviceGetCount)(int* count) { return *count = called("cuDeviceGetCount") == Fault::none ? GPUS : 0, SUCCESS; }
CUDA_FUNCTION(cuDeviceGet)(int* device, int ordinal) { return *device = ordinal, SUCCESS; }
CUDA_FUNCTION(cuDeviceGetName)(char* name, int size, int) { return snprintf(name, size_t(size), "Stand-in GPU"), SUCCESS; }
CUDA_FUNCTION(cuDeviceTotalMem_v2)(size_t* bytes, int device) { return *bytes = size_t(8 + 4 * device) << 30, SUCCESS; }
CUDA_FUNCTION(cuDeviceGetAttribute)(int* value, int attribute, int device) {
  const Gpu& g = gpus[device];
  return *value = attribute == 16 ? g.multiprocessors : attribute == 18 ? g.integrated : attribute == 75 ? g.major : g.minor, SUCCESS;
}
CUDA_FUNCTION(cuGetErrorString)(int, const char** text) { return *text = "an error of the stand-in", SUCCESS; }
// A context's handle is the address of its count.
CUDA_FUNCTION(cuDevicePrimaryCtxRetain)(int** context, int device) {
  if (called("cuDevicePrimaryCtxRetain") != Fault::none) return OUT_OF_MEMORY;
  Lock lock(state().mutex);
  ++*(*context = &state().retained[device]);
  return SUCCESS;
}
CUDA_FUNCTION(cuCtxPushCurrent_v2)(const int* context) {
  if (called("cuCtxPushCurrent_v2") != Fault::none || context == nullptr) return INVALID_CONTEXT;
  Lock lock(state().mutex);
  contexts.push_back(int(context - state().retained));
  return state().pushed++, SUCCESS;
}
CUDA_FUNCTION(cuCtxPopCurrent_v2)(int** context) {
  const int result = begin("cuCtxPopCurrent_v2", INVALID_CONTEXT);
  if (contexts.empty()) return result;
  Lock lock(state().mutex);
  *context = &state().retained[contexts.back()];
  contexts.pop_back();
  return state().pushed--, result;
}

// Memory. It is filled, so that what is read too early is seen.
CUDA_FUNCTION(cuMemAlloc_v2)(CUdeviceptr* pointer, size_t size) {
  if (int result = begin("cuMemAlloc_v2", OUT_OF_MEMORY)) return result;
  State& s = state();
  Lock lock(s.mutex);
  Block& block = s.blocks[*pointer = s.addresses] = {std::unique_ptr<char[]>(new char[size]), size, current_device()};
  memset(block.data.get(), 0xa5, size);
  s.addresses += (size + 511) / 256 * 256; // aligned as a GPU's are, with a gap
  return SUCCESS;
}
CUDA_FUNCTION(cuMemFree_v2)(CUdeviceptr pointer) { return give_back("cuMemFree_v2", state().blocks, uintptr_t(pointer)); }
CUDA_FUNCTION(cuMemAllocHost_v2)(void** pointer, size_t size) {
  if (int result = begin("cuMemAllocHost_v2", OUT_OF_MEMORY)) return result;
  std::unique_ptr<char[]> data(new char[size]);
  *pointer = memset(data.get(), 0x5a, size);
  Lock lock(state().mutex);
  state().pinned[*pointer] = std::move(data);
  return SUCCESS;
}
CUDA_FUNCTION(cuMemFreeHost)(void* pointer) { return give_back("cuMemFreeHost", state().pinned, pointer); }
CUDA_FUNCTION(cuMemcpyHtoDAsync_v2)(CUdeviceptr to, void* from, size_t size, void* stream) { return copy("cuMemcpyHtoDAsync_v2", to, from, size, stream, true); }
CUDA_FUNCTION(cuMemcpyDtoHAsync_v2)(void* to, CUdeviceptr from, size_t size, void* stream) { return copy("cuMemcpyDtoHAsync_v2", from, to, size, stream, false); }

// Streams and graphs
CUDA_FUNCTION(cuStreamCreate)(void** stream, unsigned) {
  if (int result = begin("cuStreamCreate", OUT_OF_MEMORY)) return result;
  Lock lock(state().mutex);
  state().streams[*stream = new_handle()].reset(new Stream{current_device(), {}, {}, false, false});
  return SUCCESS;
}
CUDA_FUNCTION(cuStreamDestroy_v2)(void* stream) {
  synchronize(stream); // a GPU goes on with what it was given
  return give_back("cuStreamDestroy_v2", state().streams, stream);
}
CUDA_FUNCTION(cuStreamSynchronize)(void* stream) {
  const int result = begin("cuStreamSynchronize", LAUNCH_FAILED);
  Stream* s = find_here(stream);
  if (s == nullptr) return INVALID_HANDLE;
  if (result == SUCCESS) return synchronize(stream);
  return s->queue.clear(), result; // what failed is over, and has written nothing
}
CUDA_FUNCTION(cuStreamBeginCapture_v2)(void* stream, int mode) {
  if (int result = begin("cuStreamBeginCapture_v2", LAUNCH_FAILED)) return result;
  Stream* s = find_here(stream);
  if (s == nullptr || s->capturing) return INVALID_HANDLE;
  if (mode != 1) mistake("a capture that is not local to its thread: it forbids others to allocate");
  s->capturing = true, s->invalid = false;
  return captures++, SUCCESS;
}
CUDA_FUNCTION(cuStreamEndCapture)(void* stream, void** graph) {
  const int result = begin("cuStreamEndCapture", LAUNCH_FAILED);
  Stream* s = find_here(stream);
  if (s == nullptr || !s->capturing) return INVALID_HANDLE;
  captures--;
  s->capturing = false;
  const std::vector<Work> captured = std::move(s->captured);
  s->captured.clear();
  if (result != SUCCESS || s->invalid) return result != SUCCESS ? result : CAPTURE_INVALIDATED;
  Lock lock(state().mutex);
  state().graphs[*graph = new_handle()] = captured;
  return SUCCESS;
}
CUDA_FUNCTION(cuGraphInstantiateWithFlags)(void** executable, void* graph, unsigned long long) {
  if (int result = begin("cuGraphInstantiateWithFlags", OUT_OF_MEMORY)) return result;
  Lock lock(state().mutex);
  state().graphs[*executable = new_handle()] = state().graphs.at(graph);
  return SUCCESS;
}
CUDA_FUNCTION(cuGraphLaunch)(void* executable, void* stream) {
  if (int result = begin("cuGraphLaunch", LAUNCH_FAILED)) return result;
  Stream* s = find_here(stream);
  if (s == nullptr) return INVALID_HANDLE;
  Lock lock(state().mutex);
  const std::vector<Work>& work = state().graphs.at(executable);
  s->queue.insert(s->queue.end(), work.begin(), work.end());
  return SUCCESS;
}
CUDA_FUNCTION(cuGraphExecDestroy)(void* executable) { return give_back("cuGraphExecDestroy", state().graphs, executable); }
CUDA_FUNCTION(cuGraphDestroy)(void* graph) { return give_back("cuGraphDestroy", state().graphs, graph); }
