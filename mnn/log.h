/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ANYINFER_MNN_LOG_H
#define ANYINFER_MNN_LOG_H

/* The strings of the C++ library that MNN was compiled with: 0 for those of
 * before GCC 5, which the wheels of PyPI have. */
#ifdef ANYINFER_MNN_CXX11_ABI
#define _GLIBCXX_USE_CXX11_ABI ANYINFER_MNN_CXX11_ABI
#endif

/* Engines may be linked into one program: their structs need names of their own. */
#define anyinfer_engine_t anyinfer_mnn_engine
#define anyinfer_model_t anyinfer_mnn_model
#define anyinfer_session_t anyinfer_mnn_session

#include "anyinfer_shim.hpp"

/* logs are where MNN's lines go. */
namespace anyinfer_mnn {
inline anyinfer::hosts& logs() {
  static auto* hosts = new anyinfer::hosts; // MNN's threads outlive static objects
  return *hosts;
}

void redirect_prints();  // what MNN prints goes to logs from then on
}  // namespace anyinfer_mnn

#endif
