// SPDX-License-Identifier: Apache-2.0

// What the stand-in for TensorRT has from that for the CUDA driver, and the
// functions of libcuda.so.1 with which tests drive both.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

#define STANDIN_EXPORT __attribute__((visibility("default")))

extern "C" {
// A function fails at its next call, or at the n-th from now: "cuMemAlloc_v2",
// "enqueueV3:2". With !throw and !int a method of TensorRT throws. "" takes it back.
STANDIN_EXPORT void standin_fault(const char* spec);
STANDIN_EXPORT int standin_calls(const char* name);
STANDIN_EXPORT int standin_mistakes(void); // what the caller did wrong; each is printed
STANDIN_EXPORT int standin_leaks(void);    // what the caller has to give back, and mistakes
STANDIN_EXPORT void standin_build_delay(int ms);
}

namespace standin {
enum class Fault { none, fail, exception, number };
// called counts a call, and returns the fault that a test has asked for.
STANDIN_EXPORT Fault called(const char* name);

// fails is called by methods, which can throw.
inline bool fails(const char* name) {
  const Fault fault = called(name);
  if (fault == Fault::exception) throw std::runtime_error(std::string("stand-in: thrown by ") + name + " as asked for");
  if (fault == Fault::number) throw 7;
  return fault == Fault::fail;
}

STANDIN_EXPORT void mistake(const std::string& text);
STANDIN_EXPORT void count_objects(int more); // that the caller has to delete
STANDIN_EXPORT int build_delay();

// The GPUs: the first is a Jetson's, the second stands alone.
const int GPUS = 2;
struct Gpu {
  int major, minor, multiprocessors, integrated, dla_cores;
};
const Gpu gpus[GPUS] = {{8, 7, 16, 1, 2}, {8, 6, 28, 0, 0}};

// current_device is the GPU of this thread's context, -1 where there is none.
STANDIN_EXPORT int current_device();

// bytes_at returns what lies at an address of a GPU, NULL where it has not
// allocated so many bytes there.
STANDIN_EXPORT char* bytes_at(const void* address, size_t bytes, int device);

// Work is queued on a stream, and done when the caller waits for the stream:
// results that are read too early are not there. It returns an error of CUDA's,
// or 0.
enum Result : int { SUCCESS = 0, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_CONTEXT = 201, INVALID_HANDLE = 400, ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719, CAPTURE_INVALIDATED = 901 };
using Work = std::function<int()>;
STANDIN_EXPORT int enqueue(void* stream, Work work);
STANDIN_EXPORT int synchronize(void* stream);
STANDIN_EXPORT int device_of(void* stream); // -1: there is no such stream
STANDIN_EXPORT bool capturing(void* stream);
STANDIN_EXPORT void invalidate_capture(void* stream);
}  // namespace standin
