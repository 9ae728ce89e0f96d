/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of the stand-in for TensorRT: see NvInfer.h. */
#ifndef ANYINFER_STANDIN_ONNX_PARSER_H
#define ANYINFER_STANDIN_ONNX_PARSER_H

#include "NvInfer.h"

namespace nvonnxparser {

class IParserError {
 public:
  virtual char const* desc() const = 0;
  virtual int node() const = 0;
  virtual ~IParserError() = default;
};

class IParser : public nvinfer1::Object {
 public:
  virtual bool parse(void const* model, std::size_t size, char const* path = nullptr) = 0;
  virtual int getNbErrors() const = 0;
  virtual IParserError const* getError(int index) const = 0;
};

TENSORRTAPI IParser* createParser(nvinfer1::INetworkDefinition& network, nvinfer1::ILogger& logger);

}  // namespace nvonnxparser

#endif
