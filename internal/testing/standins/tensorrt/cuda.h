// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for the CUDA driver: what its files share. The types are the
// driver's own.
#ifndef ANYINFER_STANDIN_CUDA_H
#define ANYINFER_STANDIN_CUDA_H

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "standin.h"

typedef int CUdevice;
typedef int CUresult;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st* CUcontext;
typedef struct CUstream_st* CUstream;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphExec_st* CUgraphExec;

namespace standin {

enum : CUresult {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201,
  INVALID_HANDLE = 400,
  ILLEGAL_STATE = 401,
  LAUNCH_FAILED = 719,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_WRONG_THREAD = 908,
  UNKNOWN = 999
};

enum Mode { GLOBAL = 0, THREAD_LOCAL = 1, RELAXED = 2 }; // of a capture

// A primary context, from the first retain to the last release.
struct Context {
  int device;
  int retained = 0;
  std::atomic<CUresult> error{SUCCESS}; // that its GPU ran into, which stays
};

struct Block {
  char* data;
  size_t size;
  Context* context;
  std::atomic<bool> freed{false};
};

struct Stream {
  Context* context;
  std::mutex mutex, running; // of what follows; of its work
  std::deque<Work> queue;
  bool capturing = false, spoiled = false;
  int mode = 0;
  std::thread::id thread;
  std::vector<Work> captured;
};

struct State {
  std::mutex mutex;
  bool initialized = false;
  Context* primary[GPUS] = {};
  std::vector<Context*> contexts; // all that there were: a handle stays known
  std::map<uintptr_t, std::shared_ptr<Block>> blocks; // by address
  std::map<uintptr_t, size_t> pinned;
  std::map<void*, std::shared_ptr<Stream>> streams;
  std::map<void*, std::shared_ptr<Stream>> defaults; // by context: what NULL stands for
  std::map<void*, std::vector<Work>> graphs, launchable;
  int pushed = 0;
  int captures = 0; // of the mode GLOBAL
};
State& state();

// enter is what each function begins with. One that gives something back does so
// even where it fails: it then tells of an error of earlier work.
CUresult enter(const char* name, CUresult fault);

// current is this thread's context, or NULL.
Context* current();

// ready is enter for what needs a context.
CUresult ready(const char* name, CUresult fault, Context** context);

// forbidden tells whether a capture forbids calls that wait; it is spoiled then.
bool forbidden();

// stream_of is a stream of a context; NULL stands for its own.
std::shared_ptr<Stream> stream_of(CUstream stream, Context* context);

// held counts what the caller has to give back.
int held();

// close_context frees what a context was left with.
void close_context(Context* context);

}  // namespace standin

// The functions of a file are exported as they are named.
#define CUDA_FUNCTION(name) extern "C" STANDIN_EXPORT CUresult name

#endif
