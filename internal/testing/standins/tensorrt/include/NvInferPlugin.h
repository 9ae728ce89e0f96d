/* SPDX-License-Identifier: Apache-2.0 */
/* Of the stand-in for TensorRT: see NvInferRuntime.h. */
#ifndef ANYINFER_STANDIN_TENSORRT_PLUGIN_H
#define ANYINFER_STANDIN_TENSORRT_PLUGIN_H

#include "NvInfer.h"

extern "C" TENSORRTAPI bool initLibNvInferPlugins(void* logger, char const* libNamespace);

#endif
