/* SPDX-License-Identifier: Apache-2.0 */
/* Which release the stand-in passes for. build.sh writes another number into
 * the copy that it lays out. */
#pragma once
#define STANDIN_TENSORRT 1015
#define ANYINFER_TENSORRT_STANDIN 1
#if STANDIN_TENSORRT == 802
#define NV_TENSORRT_MAJOR 8
#define NV_TENSORRT_MINOR 2
#define NV_TENSORRT_PATCH 1
#elif STANDIN_TENSORRT == 806
#define NV_TENSORRT_MAJOR 8
#define NV_TENSORRT_MINOR 6
#define NV_TENSORRT_PATCH 1
#elif STANDIN_TENSORRT == 1015
#define NV_TENSORRT_MAJOR 10
#define NV_TENSORRT_MINOR 15
#define NV_TENSORRT_PATCH 1
#elif STANDIN_TENSORRT == 1104
#define NV_TENSORRT_MAJOR 11
#define NV_TENSORRT_MINOR 4
#define NV_TENSORRT_PATCH 0
#else
#error "STANDIN_TENSORRT is 802, 806, 1015 or 1104"
#endif
/* Releases before 10 have three digits less. */
#define NV_TENSORRT_VERSION (NV_TENSORRT_MAJOR * (STANDIN_TENSORRT < 1000 ? 1000 : 10000) + NV_TENSORRT_MINOR * 100 + NV_TENSORRT_PATCH)
