/* SPDX-License-Identifier: Apache-2.0 */
/* TensorRT's log lines and errors, and this shim's own names. */
#ifndef ANYINFER_TENSORRT_LOG_H
#define ANYINFER_TENSORRT_LOG_H

/* Several engines may be linked into one program: their structs need different names. */
#define anyinfer_engine_t anyinfer_tensorrt_engine
#define anyinfer_model_t anyinfer_tensorrt_model
#define anyinfer_session_t anyinfer_tensorrt_session

#include "anyinfer_shim.hpp"

#if !__has_include(<NvInfer.h>)
#error "TensorRT's headers are not found: set their folder with `eval \"$(anyinfer sdk env tensorrt)\"`, with TENSORRT_ROOT set"
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // older releases have only the functions that newer ones deprecate
#endif
#include <NvInfer.h>

/* The release of the headers, 805 for 8.5. */
#define ANYINFER_TENSORRT (NV_TENSORRT_MAJOR * 100 + NV_TENSORRT_MINOR)

namespace anyinfer_tensorrt {

using anyinfer::at;
using anyinfer::guarded;
using anyinfer::hosts;
using anyinfer::refuse;

inline hosts& logs() {
  static auto* all = new hosts; // TensorRT's threads outlive static objects
  return *all;
}

/* While a call exists, this thread's log lines go to its host, and errors are
 * kept for the message that the caller gets. */
struct call : hosts::call {
  explicit call(const anyinfer_host* host) : hosts::call(host, ANYINFER_ERROR) {}

  [[noreturn]] void failed(anyinfer_status status, const std::string& what) const {
    throw anyinfer::failure{status, 0, text.empty() ? what : what + ": " + text};
  }

  /* not_null returns p, which TensorRT has returned; NULL is a failure. */
  template <typename T>
  T* not_null(T* p, anyinfer_status status, const char* what) const {
    if (p == nullptr) failed(status, what);
    return p;
  }

  void require(bool good, anyinfer_status status, const char* what) const {
    if (!good) failed(status, what);
  }
};

class logger : public nvinfer1::ILogger {
  void log(Severity severity, const char* text) noexcept override {
    try {
      switch (severity) {
        case Severity::kINTERNAL_ERROR:
        case Severity::kERROR: return logs().write(ANYINFER_ERROR, text);
        case Severity::kWARNING: return logs().write(ANYINFER_WARN, text);
        case Severity::kINFO: return logs().write(ANYINFER_DEBUG, text); // about memory and tactics: too much for INFO
        default: return; // megabytes of details
      }
    } catch (...) {
    }
  }
};

/* trt_logger returns the only logger: TensorRT allows one in a process. */
inline logger& trt_logger() {
  static auto* one = new logger;
  return *one;
}

}  // namespace anyinfer_tensorrt

#endif
