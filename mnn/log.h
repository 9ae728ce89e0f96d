/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ANYINFER_MNN_LOG_H
#define ANYINFER_MNN_LOG_H

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
}  // namespace anyinfer_mnn

#endif
