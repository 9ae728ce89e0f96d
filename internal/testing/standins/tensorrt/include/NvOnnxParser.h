/* SPDX-License-Identifier: Apache-2.0 */
/* Of the stand-in for TensorRT: see NvInferRuntime.h. Its ONNX parser. */
#ifndef ANYINFER_STANDIN_ONNX_PARSER_H
#define ANYINFER_STANDIN_ONNX_PARSER_H

#include <stddef.h>

#include "NvInfer.h"

#define NV_ONNX_PARSER_MAJOR 0
#define NV_ONNX_PARSER_MINOR (STANDIN_TENSORRT < 1100 ? 1 : 2)
#define NV_ONNX_PARSER_PATCH 0
#define NV_ONNX_PARSER_VERSION (NV_ONNX_PARSER_MAJOR * 10000 + NV_ONNX_PARSER_MINOR * 100 + NV_ONNX_PARSER_PATCH)

namespace nvonnxparser {

enum class ErrorCode : int {
  kSUCCESS = 0,
  kINTERNAL_ERROR = 1,
  kMEM_ALLOC_FAILED = 2,
  kMODEL_DESERIALIZE_FAILED = 3,
  kINVALID_VALUE = 4,
  kINVALID_GRAPH = 5,
  kINVALID_NODE = 6,
  kUNSUPPORTED_GRAPH = 7,
  kUNSUPPORTED_NODE = 8,
#if STANDIN_TENSORRT >= 1000
  kUNSUPPORTED_NODE_ATTR = 9,
  kUNSUPPORTED_NODE_INPUT = 10,
  kUNSUPPORTED_NODE_DATATYPE = 11,
  kUNSUPPORTED_NODE_DYNAMIC = 12,
  kUNSUPPORTED_NODE_SHAPE = 13,
  kREFIT_FAILED = 14,
#endif
};

class IParserError {
 public:
  virtual ErrorCode code() const = 0;
  virtual char const* desc() const = 0;
  virtual char const* file() const = 0;
  virtual int line() const = 0;
  virtual char const* func() const = 0;
  virtual int node() const = 0;
#if STANDIN_TENSORRT >= 1000
  virtual char const* nodeName() const = 0;
  virtual char const* nodeOperator() const = 0;
#endif

 protected:
  virtual ~IParserError() {}
};

class IParser {
 public:
  virtual bool parse(void const* serialized_onnx_model, size_t serialized_onnx_model_size, char const* model_path = nullptr) = 0;
  virtual bool supportsOperator(char const* op_name) const = 0;
  virtual int getNbErrors() const = 0;
  virtual IParserError const* getError(int index) const = 0;
  virtual void clearErrors() = 0;
  virtual ~IParser() noexcept = default;
};

}  // namespace nvonnxparser

extern "C" TENSORRTAPI void* createNvOnnxParser_INTERNAL(void* network, void* logger, int version);
extern "C" TENSORRTAPI int getNvOnnxParserVersion();

namespace nvonnxparser {
namespace {

inline IParser* createParser(nvinfer1::INetworkDefinition& network, nvinfer1::ILogger& logger) {
  return static_cast<IParser*>(createNvOnnxParser_INTERNAL(&network, &logger, NV_ONNX_PARSER_VERSION));
}

}  // namespace
}  // namespace nvonnxparser

#endif
