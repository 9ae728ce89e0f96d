/* SPDX-License-Identifier: Apache-2.0
 *
 * What TensorRT's headers need of the CUDA toolkit's header of this name: two
 * types. The shim calls the CUDA driver itself (driver.h), so that neither
 * building nor running it takes a CUDA toolkit.
 */
#ifndef ANYINFER_TENSORRT_CUDA_RUNTIME_API_H
#define ANYINFER_TENSORRT_CUDA_RUNTIME_API_H

typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;

#endif
