/* SPDX-License-Identifier: Apache-2.0 */
/* The types that TensorRT's headers take from the CUDA toolkit's. */
#ifndef ANYINFER_STANDIN_CUDA_RUNTIME_API_H
#define ANYINFER_STANDIN_CUDA_RUNTIME_API_H

typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;

#endif
