// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: its library of plugins, which has none.
#include <NvInferPlugin.h>

#include "standin.h"

bool initLibNvInferPlugins(void*, char const*) { return !standin::fails("initLibNvInferPlugins"); }
