/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of the stand-in for TensorRT: see NvInfer.h. */
#pragma once
#include "NvInfer.h"

namespace nvonnxparser {
struct IParserError : nvinfer1::Object {
  virtual char const* desc() const = 0;
  virtual int node() const = 0;
};
struct IParser : nvinfer1::Object {
  virtual bool parse(void const* model, std::size_t size, char const* path = nullptr) = 0;
  virtual int getNbErrors() const = 0;
  virtual IParserError const* getError(int index) const = 0;
};

TENSORRTAPI IParser* createParser(nvinfer1::INetworkDefinition& network, nvinfer1::ILogger& logger);
}  // namespace nvonnxparser
