// SPDX-License-Identifier: Apache-2.0

//go:build cgo && mnn

// MNN built by the crate mnn-sys calls mnn_ffi_emit with each line that it
// would print, and its headers declare it; other builds do not know it and
// print to stdout. Without those headers here, one definition suits both.
#include <cstddef>

#include "log.h"

extern "C" void mnn_ffi_emit(const char*, size_t, int level, const char* text) {
  // Level::Info has results of detection and reasons of failures alike.
  anyinfer_mnn::logs().write(level == 0 ? ANYINFER_DEBUG : ANYINFER_WARN, text);
}
