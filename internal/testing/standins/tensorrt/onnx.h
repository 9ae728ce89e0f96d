// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: a reader of ONNX files, as much as testdata's
// have. Damaged ones are refused, whatever is in them.
#ifndef ANYINFER_STANDIN_ONNX_H
#define ANYINFER_STANDIN_ONNX_H

#include <functional>
#include <map>

#include "NvOnnxParser.h"
#include "standin.h"
#include "tensor.h"

namespace standin {

// What the parser's error says.
struct STANDIN_EXPORT Refusal {
  nvonnxparser::ErrorCode code;
  std::string text;
  int node = -1;
};

using nvonnxparser::ErrorCode;

[[noreturn]] inline void damaged(const std::string& what) { throw Refusal{ErrorCode::kMODEL_DESERIALIZE_FAILED, "Failed to parse the ONNX model: " + what}; }

struct Attribute {
  float f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<int64_t> ints;
};

struct Node {
  std::vector<std::string> in, out;
  std::string name, op, domain;
  std::map<std::string, Attribute> attributes;

  int64_t number(const char* key, int64_t otherwise) const {
    const auto found = attributes.find(key);
    return found == attributes.end() ? otherwise : found->second.i;
  }
  float real(const char* key, float otherwise) const {
    const auto found = attributes.find(key);
    return found == attributes.end() ? otherwise : found->second.f;
  }
  std::string word(const char* key) const {
    const auto found = attributes.find(key);
    return found == attributes.end() ? "" : found->second.s;
  }
  std::vector<int64_t> numbers(const char* key, std::vector<int64_t> otherwise) const {
    const auto found = attributes.find(key);
    return found == attributes.end() ? otherwise : found->second.ints;
  }
};

struct Port {
  std::string name;
  int type = 0;
  Shape shape;
};

struct Model {
  int64_t opset = 0;
  std::vector<Node> nodes;
  std::map<std::string, Tensor> weights;
  std::vector<Port> inputs, outputs;
};

// External reads the weights of a tensor from a file beside the model.
using External = std::function<std::string(const std::string& tensor, const std::string& location, uint64_t offset, uint64_t size)>;

// read_onnx reads a file; what it refuses it throws.
STANDIN_EXPORT Model read_onnx(const char* data, size_t size, const External& external);

// narrow replaces the types that TensorRT never, or not yet, has by those that
// its parser takes instead, and tells whether there were any.
STANDIN_EXPORT bool narrow(Model& model);

}  // namespace standin

#endif
