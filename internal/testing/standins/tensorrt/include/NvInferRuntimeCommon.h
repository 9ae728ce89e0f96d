/* SPDX-License-Identifier: Apache-2.0 */
/* Of the stand-in for TensorRT: all is in one header. */
#include "NvInferRuntime.h"
