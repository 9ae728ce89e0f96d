// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for the CUDA driver: memory. Blocks of a "GPU" lie on the heap,
// so that AddressSanitizer sees what goes beyond them, under addresses with a
// bit set that the processor knows none with: who uses one as the host's
// crashes, as with a GPU.
#include <cstdlib>
#include <cstring>

#include "cuda.h"

namespace standin {

namespace {

const uintptr_t TAG = uintptr_t(1) << 52;
const size_t ALIGNMENT = 256;

// is_device tells whether an address is, or was, of a GPU.
bool is_device(const void* address) { return (reinterpret_cast<uintptr_t>(address) & TAG) != 0; }

char* allocate(size_t size, unsigned char fill) {
  void* p = nullptr;
  if (size > size_t(4) << 30 || posix_memalign(&p, ALIGNMENT, size) != 0) return nullptr;
  memset(p, fill, size); // who reads before something was written gets none of it
  return static_cast<char*>(p);
}

// within tells whether bytes of the host are, if pinned, within their block.
bool within(const void* address, size_t bytes) {
  State& s = state();
  const auto at = reinterpret_cast<uintptr_t>(address);
  std::lock_guard<std::mutex> lock(s.mutex);
  auto i = s.pinned.upper_bound(at);
  if (i == s.pinned.begin()) return true;
  --i;
  return at >= i->first + i->second || bytes <= i->first + i->second - at;
}

CUresult refuse_copy(const char* why) {
  mistake(std::string("a copy ") + why);
  return INVALID_VALUE;
}

// copy puts a copy on a stream, from or to the host.
CUresult copy(Context* context, CUdeviceptr device, void* host, size_t size, CUstream stream, bool to_device) {
  if (device_of(stream) != context->device) return INVALID_HANDLE;
  if (size == 0) return SUCCESS;
  if (host == nullptr || is_device(host)) return refuse_copy("where an address of the host was expected has none");
  if (!within(host, size)) return refuse_copy("goes beyond the end of pinned memory");
  const Memory m = memory(reinterpret_cast<const void*>(device), size, context->device);
  if (m.block == nullptr) return refuse_copy("where memory of the GPU was expected has none, has too little, or that of another GPU");
  return push(stream, [m, host, size, to_device]() -> CUresult {
    char* p = m.data();
    if (p == nullptr) {
      mistake("a copy with memory of the GPU that was freed meanwhile");
      return ILLEGAL_ADDRESS;
    }
    if (to_device) memcpy(p, host, size);
    else memcpy(host, p, size);
    return SUCCESS;
  });
}

}  // namespace

char* Memory::data() const { return block == nullptr || block->freed ? nullptr : block->data + offset; }

Memory memory(const void* address, size_t bytes, int device) {
  State& s = state();
  const auto at = reinterpret_cast<uintptr_t>(address);
  std::lock_guard<std::mutex> lock(s.mutex);
  auto i = s.blocks.upper_bound(at);
  if (i == s.blocks.begin()) return {};
  --i;
  const size_t offset = at - i->first, size = i->second->size;
  if (offset > size || bytes > size - offset || i->second->context->device != device) return {};
  return {i->second, offset};
}

void close_context(Context* context) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  size_t n = 0;
  for (auto i = s.blocks.begin(); i != s.blocks.end();) {
    if (i->second->context != context) {
      ++i;
      continue;
    }
    n++;
    i->second->freed = true;
    free(i->second->data);
    i = s.blocks.erase(i);
  }
  for (auto i = s.streams.begin(); i != s.streams.end();) {
    if (i->second->context != context) {
      ++i;
      continue;
    }
    n++;
    i = s.streams.erase(i);
  }
  s.defaults.erase(context);
  if (n > 0) mistake("the last release of a context that has " + std::to_string(n) + " blocks and streams, which go");
}

}  // namespace standin

using namespace standin;

CUDA_FUNCTION(cuMemAlloc_v2)(CUdeviceptr* pointer, size_t size) {
  Context* context;
  if (CUresult r = ready("cuMemAlloc", OUT_OF_MEMORY, &context)) return r;
  if (forbidden()) return CAPTURE_UNSUPPORTED;
  if (size == 0) return INVALID_VALUE;
  char* data = allocate(size, 0xa5);
  if (data == nullptr) return OUT_OF_MEMORY;
  auto block = std::make_shared<Block>();
  block->data = data, block->size = size, block->context = context;
  const uintptr_t at = reinterpret_cast<uintptr_t>(data) | TAG;
  std::lock_guard<std::mutex> lock(state().mutex);
  state().blocks[at] = block;
  *pointer = at;
  return SUCCESS;
}

CUDA_FUNCTION(cuMemFree_v2)(CUdeviceptr pointer) {
  Context* context;
  const CUresult r = ready("cuMemFree", LAUNCH_FAILED, &context);
  if (context == nullptr) return r;
  if (pointer == 0) return r;
  if (forbidden()) return CAPTURE_UNSUPPORTED;
  std::lock_guard<std::mutex> lock(state().mutex);
  const auto found = state().blocks.find(uintptr_t(pointer));
  if (found == state().blocks.end()) {
    mistake("cuMemFree of what is no memory of a GPU");
    return INVALID_VALUE;
  }
  found->second->freed = true;
  free(found->second->data);
  state().blocks.erase(found);
  return r;
}

CUDA_FUNCTION(cuMemAllocHost_v2)(void** pointer, size_t size) {
  Context* context;
  if (CUresult r = ready("cuMemAllocHost", OUT_OF_MEMORY, &context)) return r;
  if (forbidden()) return CAPTURE_UNSUPPORTED;
  if (size == 0) return INVALID_VALUE;
  *pointer = allocate(size, 0x5a);
  if (*pointer == nullptr) return OUT_OF_MEMORY;
  std::lock_guard<std::mutex> lock(state().mutex);
  state().pinned[reinterpret_cast<uintptr_t>(*pointer)] = size;
  return SUCCESS;
}

CUDA_FUNCTION(cuMemFreeHost)(void* pointer) {
  Context* context;
  const CUresult r = ready("cuMemFreeHost", LAUNCH_FAILED, &context);
  if (context == nullptr) return r;
  if (forbidden()) return CAPTURE_UNSUPPORTED;
  std::lock_guard<std::mutex> lock(state().mutex);
  if (state().pinned.erase(reinterpret_cast<uintptr_t>(pointer)) == 0) {
    mistake("cuMemFreeHost of what is no pinned memory");
    return INVALID_VALUE;
  }
  free(pointer);
  return r;
}

CUDA_FUNCTION(cuMemcpyHtoDAsync_v2)(CUdeviceptr to, const void* from, size_t size, CUstream stream) {
  Context* context;
  if (CUresult r = ready("cuMemcpyHtoDAsync", LAUNCH_FAILED, &context)) return r;
  return copy(context, to, const_cast<void*>(from), size, stream, true);
}

CUDA_FUNCTION(cuMemcpyDtoHAsync_v2)(void* to, CUdeviceptr from, size_t size, CUstream stream) {
  Context* context;
  if (CUresult r = ready("cuMemcpyDtoHAsync", LAUNCH_FAILED, &context)) return r;
  return copy(context, from, to, size, stream, false);
}
