// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: a model whose operators are known to fit
// together, and can be computed.
#ifndef ANYINFER_STANDIN_GRAPH_H
#define ANYINFER_STANDIN_GRAPH_H

#include "operators.h"

namespace standin {

class STANDIN_EXPORT Graph {
 public:
  // What does not fit is thrown.
  explicit Graph(Model model);
  Graph(const Graph&) = delete; // values point to the model's weights

  const std::vector<Port>& inputs() const { return model_.inputs; }
  const std::vector<Port>& outputs() const { return model_.outputs; }
  const std::vector<Node>& nodes() const { return model_.nodes; }

  // value is a tensor with the dimensions that the model itself has.
  const Value& value(const std::string& name) const { return values_.at(name); }

  // values are all tensors for inputs of these shapes.
  std::map<std::string, Value> values(const std::map<std::string, Shape>& inputs) const;

  // compute consumes the inputs, and returns the outputs; milliseconds become
  // those of each operator.
  std::map<std::string, Tensor> compute(std::map<std::string, Tensor> inputs, const Arithmetic& arithmetic, std::vector<float>& milliseconds) const;

 private:
  std::map<std::string, Value> constants() const;
  Value infer(const Node& n, const std::map<std::string, Value>& all) const;
  void find_inputs();
  void check_nodes();

  Model model_;
  std::map<std::string, Value> values_;
};

}  // namespace standin

#endif
