// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for the CUDA driver: streams, and graphs of what was put on
// one. Work is done in cuStreamSynchronize, or when a stream goes.
#include "cuda.h"

namespace standin {

namespace {

// capturing_here are this thread's captures that forbid it to wait.
thread_local std::vector<std::weak_ptr<Stream>> capturing_here;

std::shared_ptr<Stream> find(void* stream) {
  Context* context = stream == nullptr ? current() : nullptr;
  return stream == nullptr && context == nullptr ? nullptr : stream_of(static_cast<CUstream>(stream), context);
}

void end_capture(Stream& s) {
  if (s.mode == GLOBAL) {
    std::lock_guard<std::mutex> lock(state().mutex);
    state().captures--;
  }
  s.capturing = s.spoiled = false;
  s.captured.clear();
}

}  // namespace

std::shared_ptr<Stream> stream_of(CUstream stream, Context* context) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  if (stream != nullptr) {
    const auto found = s.streams.find(stream);
    return found == s.streams.end() || (context != nullptr && found->second->context != context) ? nullptr : found->second;
  }
  auto& own = s.defaults[context];
  if (own == nullptr) {
    own = std::make_shared<Stream>();
    own->context = context;
  }
  return own;
}

bool forbidden() {
  {
    std::lock_guard<std::mutex> lock(state().mutex);
    if (state().captures == 0 && capturing_here.empty()) return false;
  }
  bool any = false;
  for (auto& w : capturing_here) {
    const auto s = w.lock();
    if (s == nullptr) continue;
    std::lock_guard<std::mutex> lock(s->mutex);
    if (!s->capturing) continue;
    any = s->spoiled = true;
  }
  std::lock_guard<std::mutex> lock(state().mutex);
  return any || state().captures > 0;
}

int push(void* stream, Work work) {
  const auto s = find(stream);
  if (s == nullptr) return INVALID_HANDLE;
  std::lock_guard<std::mutex> lock(s->mutex);
  if (s->capturing && s->spoiled) return CAPTURE_INVALIDATED;
  if (s->capturing) s->captured.push_back(std::move(work));
  else s->queue.push_back(std::move(work));
  return SUCCESS;
}

int drain(void* stream) {
  const auto s = find(stream);
  if (s == nullptr) return INVALID_HANDLE;
  std::lock_guard<std::mutex> running(s->running);
  for (;;) {
    Work next;
    {
      std::lock_guard<std::mutex> lock(s->mutex);
      if (s->capturing) {
        s->spoiled = true;
        return CAPTURE_UNSUPPORTED;
      }
      if (s->context->error != SUCCESS) s->queue.clear();
      if (s->queue.empty()) return s->context->error;
      next = std::move(s->queue.front());
      s->queue.pop_front();
    }
    if (CUresult r = next()) s->context->error = r;
  }
}

int device_of(void* stream) {
  const auto s = find(stream);
  return s == nullptr ? -1 : s->context->device;
}

bool capturing(void* stream) {
  const auto s = find(stream);
  if (s == nullptr) return false;
  std::lock_guard<std::mutex> lock(s->mutex);
  return s->capturing;
}

void spoil(void* stream) {
  const auto s = find(stream);
  if (s == nullptr) return;
  std::lock_guard<std::mutex> lock(s->mutex);
  s->spoiled = s->capturing;
}

}  // namespace standin

using namespace standin;

CUDA_FUNCTION(cuStreamCreate)(CUstream* stream, unsigned) {
  Context* context;
  if (CUresult r = ready("cuStreamCreate", OUT_OF_MEMORY, &context)) return r;
  auto s = std::make_shared<Stream>();
  s->context = context;
  *stream = reinterpret_cast<CUstream>(s.get());
  std::lock_guard<std::mutex> lock(state().mutex);
  state().streams[s.get()] = s;
  return SUCCESS;
}

CUDA_FUNCTION(cuStreamDestroy_v2)(CUstream stream) {
  Context* context;
  const CUresult r = ready("cuStreamDestroy", LAUNCH_FAILED, &context);
  if (context == nullptr) return r;
  const auto s = stream == nullptr ? nullptr : stream_of(stream, nullptr);
  if (s == nullptr) {
    mistake("cuStreamDestroy of what is no stream");
    return INVALID_HANDLE;
  }
  {
    std::lock_guard<std::mutex> lock(s->mutex);
    if (s->capturing) end_capture(*s);
  }
  drain(stream); // a GPU goes on with what it was given
  std::lock_guard<std::mutex> lock(state().mutex);
  state().streams.erase(stream);
  return r;
}

CUDA_FUNCTION(cuStreamSynchronize)(CUstream stream) {
  Context* context;
  const CUresult r = ready("cuStreamSynchronize", LAUNCH_FAILED, &context);
  if (context == nullptr) return r;
  const auto s = stream_of(stream, context);
  if (s == nullptr) return INVALID_HANDLE;
  if (r == SUCCESS) return drain(stream);
  std::lock_guard<std::mutex> lock(s->mutex);
  s->queue.clear(); // what failed is over, and has written nothing
  return r;
}

// Graphs

CUDA_FUNCTION(cuStreamBeginCapture_v2)(CUstream stream, int mode) {
  Context* context;
  if (CUresult r = ready("cuStreamBeginCapture", UNKNOWN, &context)) return r;
  if (stream == nullptr || mode < GLOBAL || mode > RELAXED) return INVALID_VALUE;
  const auto s = stream_of(stream, context);
  if (s == nullptr) return INVALID_HANDLE;
  std::lock_guard<std::mutex> lock(s->mutex);
  if (s->capturing) return ILLEGAL_STATE;
  s->capturing = true;
  s->mode = mode;
  s->thread = std::this_thread::get_id();
  if (mode != RELAXED) capturing_here.push_back(s);
  if (mode == GLOBAL) {
    std::lock_guard<std::mutex> all(state().mutex);
    state().captures++;
  }
  return SUCCESS;
}

CUDA_FUNCTION(cuStreamEndCapture)(CUstream stream, CUgraph* graph) {
  Context* context;
  const CUresult r = ready("cuStreamEndCapture", UNKNOWN, &context);
  *graph = nullptr;
  if (context == nullptr) return r;
  const auto s = stream_of(stream, context);
  if (s == nullptr) return INVALID_HANDLE;
  std::lock_guard<std::mutex> lock(s->mutex);
  if (!s->capturing) return ILLEGAL_STATE;
  if (s->mode != RELAXED && s->thread != std::this_thread::get_id()) return CAPTURE_WRONG_THREAD;
  for (auto i = capturing_here.begin(); i != capturing_here.end();) i = i->expired() || i->lock() == s ? capturing_here.erase(i) : i + 1;
  const bool spoiled = s->spoiled;
  std::vector<Work> captured = std::move(s->captured);
  end_capture(*s);
  if (r != SUCCESS || spoiled) return r != SUCCESS ? r : CUresult(CAPTURE_INVALIDATED);
  *graph = reinterpret_cast<CUgraph>(new char);
  std::lock_guard<std::mutex> all(state().mutex);
  state().graphs[*graph] = std::move(captured);
  return SUCCESS;
}

CUDA_FUNCTION(cuGraphInstantiateWithFlags)(CUgraphExec* exec, CUgraph graph, unsigned long long) {
  Context* context;
  if (CUresult r = ready("cuGraphInstantiateWithFlags", OUT_OF_MEMORY, &context)) return r;
  std::lock_guard<std::mutex> lock(state().mutex);
  const auto found = state().graphs.find(graph);
  if (found == state().graphs.end()) return INVALID_VALUE;
  *exec = reinterpret_cast<CUgraphExec>(new char);
  state().launchable[*exec] = found->second;
  return SUCCESS;
}

CUDA_FUNCTION(cuGraphLaunch)(CUgraphExec exec, CUstream stream) {
  Context* context;
  if (CUresult r = ready("cuGraphLaunch", LAUNCH_FAILED, &context)) return r;
  if (stream_of(stream, context) == nullptr) return INVALID_HANDLE;
  std::vector<Work> all;
  {
    std::lock_guard<std::mutex> lock(state().mutex);
    const auto found = state().launchable.find(exec);
    if (found == state().launchable.end()) return INVALID_VALUE;
    all = found->second;
  }
  for (auto& w : all)
    if (CUresult r = push(stream, std::move(w))) return r;
  return SUCCESS;
}

namespace {

CUresult destroy(const char* name, std::map<void*, std::vector<Work>>& of, void* handle) {
  const CUresult r = enter(name, UNKNOWN);
  std::lock_guard<std::mutex> lock(state().mutex);
  if (of.erase(handle) == 0) {
    mistake(std::string(name) + " of what is none");
    return INVALID_VALUE;
  }
  delete static_cast<char*>(handle);
  return r;
}

}  // namespace

CUDA_FUNCTION(cuGraphExecDestroy)(CUgraphExec exec) { return destroy("cuGraphExecDestroy", state().launchable, exec); }

CUDA_FUNCTION(cuGraphDestroy)(CUgraph graph) { return destroy("cuGraphDestroy", state().graphs, graph); }
