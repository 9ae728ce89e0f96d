// SPDX-License-Identifier: Apache-2.0

// The models of the stand-in for TensorRT: some of testdata's ONNX files, computed
// on the processor. What it cannot read or compute it throws, as std::exception.
#ifndef ANYINFER_STANDIN_MODEL_H
#define ANYINFER_STANDIN_MODEL_H

#include <functional>
#include <map>
#include <stdexcept>
#include <vector>

#include "NvInfer.h"
#include "standin.h"

namespace standin {

using Shape = std::vector<int64_t>; // -1 is a dimension that is not known
using Shapes = std::map<std::string, Shape>;

enum Type : int { FLOAT = 1, INT32 = 6, INT64 = 7, BOOL = 9, FLOAT16 = 10, BFLOAT16 = 16 }; // ONNX's numbers

struct Tensor {
  int type;
  Shape shape;
  std::string data; // of weights and, while a model is computed, of all

  const float* floats() const { return reinterpret_cast<const float*>(data.data()); }
  float* floats() { return reinterpret_cast<float*>(&data[0]); }
};
using Tensors = std::map<std::string, Tensor>;

struct Port { // an input or output
  std::string name;
  int type;
  Shape shape;
};

struct Node {
  std::vector<std::string> in, out;
  std::string op;
  std::map<std::string, Shape> attributes; // of integers, one or several
};

class Model {
 public:
  // External reads the file of that name, in which weights lie. Where the model
  // cannot be read, node is the one at fault.
  using External = std::function<std::string(const std::string& file)>;
  Model(const std::string& onnx, const External& external, int& node);

  // infer returns all tensors without data, compute with data. Where a plan may
  // compute in a shorter type, so many bits of the factors of products go.
  Tensors infer(const Shapes& inputs) const;
  Tensors compute(Tensors inputs, int dropped_bits) const;

  std::vector<Port> inputs, outputs;
  std::vector<Node> nodes;

 private:
  Tensor apply(const Node& node, const Tensors& all, bool compute, int dropped_bits) const;
  Tensors weights_;
};

// elements is the number of a tensor's elements; it throws where that is not
// known, or more than models of testdata need.
int64_t elements(const Shape& shape);
size_t bytes_of(int type);
nvinfer1::DataType to_trt(int type);
bool is_dynamic(const Shape& shape);
nvinfer1::Dims to_dims(const Shape& shape);
Shape from_dims(const nvinfer1::Dims& dims);

inline void need(bool good, const std::string& text) {
  if (!good) throw std::runtime_error("stand-in: " + text);
}

}  // namespace standin

#endif
