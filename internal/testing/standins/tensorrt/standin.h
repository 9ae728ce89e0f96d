// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: what its libraries have from the stand-in for
// the CUDA driver, and the functions with which tests drive both. Tests find
// these in libcuda.so.1:
//
//   standin_fault        makes the next call of a function fail, or the n-th
//                        from now: "cuMemAlloc", "enqueueV3:2"; with !throw and
//                        !int a method of TensorRT's throws. Several are
//                        separated by commas, "" takes all back.
//   standin_calls        counts the calls of a function.
//   standin_leaks        counts what lives: memory, streams, graphs, retained
//                        and pushed contexts, objects of TensorRT's; and the
//                        mistakes found, which never go away.
//   standin_mistakes     counts these alone, which are told on stderr.
//   standin_build_delay  has buildSerializedNetwork take so long.
#ifndef ANYINFER_STANDIN_H
#define ANYINFER_STANDIN_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#define STANDIN_EXPORT __attribute__((visibility("default")))

extern "C" {
STANDIN_EXPORT void standin_fault(const char* spec);
STANDIN_EXPORT int standin_calls(const char* name);
STANDIN_EXPORT int standin_leaks(void);
STANDIN_EXPORT int standin_mistakes(void);
STANDIN_EXPORT void standin_build_delay(int ms);
}

namespace standin {

enum class Fault { none, fail, exception, number };

// called counts a call, and tells whether it is to fail.
STANDIN_EXPORT Fault called(const char* name);

// fails is called for methods, which can throw.
inline bool fails(const char* name) {
  switch (called(name)) {
    case Fault::none: return false;
    case Fault::fail: return true;
    case Fault::exception: throw std::runtime_error(std::string("stand-in: thrown by ") + name + " as asked for");
    case Fault::number: throw 7;
  }
  return false;
}

// mistake counts what the caller has done wrong, and tells it on stderr.
STANDIN_EXPORT void mistake(const std::string& text);

// live counts objects of TensorRT's.
STANDIN_EXPORT void live(int more);

STANDIN_EXPORT int build_delay();

// The GPUs: the first is that of a Jetson, the second stands alone.
struct Gpu {
  int major, minor, multiprocessors, integrated, dla_cores;
  size_t memory;
};
const int GPUS = 2;
STANDIN_EXPORT const Gpu& gpu(int device);

// device is whose context is current on this thread, -1 where none is.
STANDIN_EXPORT int device();

// retained tells whether somebody keeps the primary context of a device.
STANDIN_EXPORT bool retained(int device);

// Memory is a part of a block on a GPU, of which data is NULL once it is freed.
struct Block;
struct Memory {
  std::shared_ptr<Block> block;
  size_t offset = 0;
  STANDIN_EXPORT char* data() const;
};

// memory is what lies at an address, with no block where there are no such
// bytes on that device.
STANDIN_EXPORT Memory memory(const void* address, size_t bytes, int device);

// A stream has a queue of work, which is done when somebody waits for it: what
// reads results without waiting finds what was there before. Work returns an
// error of CUDA's, or 0.
using Work = std::function<int()>;
STANDIN_EXPORT int push(void* stream, Work work);
STANDIN_EXPORT int drain(void* stream);
STANDIN_EXPORT int device_of(void* stream); // -1: it is no stream
STANDIN_EXPORT bool capturing(void* stream);
STANDIN_EXPORT void spoil(void* stream); // its capture, with what cannot be captured

enum { ILLEGAL_ADDRESS = 700 };

}  // namespace standin

#endif
