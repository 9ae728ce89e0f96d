// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: the operators of testdata's models, on the
// processor, with sums in double.
#ifndef ANYINFER_STANDIN_OPERATORS_H
#define ANYINFER_STANDIN_OPERATORS_H

#include "onnx.h"

namespace standin {

// What is known of an input of an operator, or of an output.
struct Value {
  int type = 0;
  Shape shape;
  const Tensor* constant = nullptr;
};

// How floats are computed with, where a plan may choose.
struct Arithmetic {
  int type = FLOAT;  // to which results are rounded, while they are stored as before
  bool tf32 = false; // products of FLOAT have factors with 10 bits behind the point
};

struct Operator {
  nvinfer1::LayerType layer;
  const char* kind; // of the layer, as nameless ones are called
  Value (*infer)(const Node&, const std::vector<Value>&);
  Tensor (*compute)(const Node&, const std::vector<const Tensor*>&, const Shape&, const Arithmetic&);
};

[[noreturn]] inline void unsupported(const std::string& text) { throw Refusal{ErrorCode::kUNSUPPORTED_NODE, text}; }
[[noreturn]] inline void invalid(const std::string& text) { throw Refusal{ErrorCode::kINVALID_NODE, text}; }

// operator_of is NULL for what is not in testdata.
STANDIN_EXPORT const Operator* operator_of(const std::string& op);

}  // namespace standin

#endif
