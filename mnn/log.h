/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ANYINFER_MNN_LOG_H
#define ANYINFER_MNN_LOG_H

/* The std::string that MNN was compiled with: 0 is the one from before GCC 5, which
 * the wheels on PyPI use. */
#ifdef ANYINFER_MNN_CXX11_ABI
#define _GLIBCXX_USE_CXX11_ABI ANYINFER_MNN_CXX11_ABI
#endif

/* Several engines may be linked into one program: the structs of each need their own names. */
#define anyinfer_engine_t anyinfer_mnn_engine
#define anyinfer_model_t anyinfer_mnn_model
#define anyinfer_session_t anyinfer_mnn_session

#include "anyinfer_shim.hpp"

/* logs returns the receivers of MNN's output. */
namespace anyinfer_mnn {
inline anyinfer::hosts& logs() {
  static auto* hosts = new anyinfer::hosts; // MNN's threads outlive static objects
  return *hosts;
}

void redirect_prints(); // sends MNN's later output to logs
}  // namespace anyinfer_mnn

#endif
