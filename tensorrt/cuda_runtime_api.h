/* SPDX-License-Identifier: Apache-2.0
 *
 * The two types that TensorRT's headers need from the CUDA toolkit's header of
 * this name. The shim calls the CUDA driver itself (driver.h), so that it needs no
 * CUDA toolkit to build or run.
 */
#ifndef ANYINFER_TENSORRT_CUDA_RUNTIME_API_H
#define ANYINFER_TENSORRT_CUDA_RUNTIME_API_H

typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;

#endif
