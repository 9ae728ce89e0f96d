// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: models that can be computed.
#include "graph.h"

#include <chrono>

namespace standin {

Graph::Graph(Model model) : model_(std::move(model)) {
  if (model_.opset < 1) throw Refusal{ErrorCode::kINVALID_GRAPH, "the model names no version of ONNX's operators"};
  find_inputs();
  check_nodes();
  for (auto& o : model_.outputs)
    if (values_.count(o.name) == 0) throw Refusal{ErrorCode::kINVALID_GRAPH, "output \"" + o.name + "\" is not computed"};
  if (model_.outputs.empty()) throw Refusal{ErrorCode::kINVALID_GRAPH, "the graph has no output"};
}

std::map<std::string, Value> Graph::values(const std::map<std::string, Shape>& inputs) const {
  std::map<std::string, Value> all = constants();
  for (auto& i : model_.inputs) all[i.name] = {i.type, inputs.at(i.name)};
  for (auto& n : model_.nodes) all[n.out[0]] = infer(n, all);
  return all;
}

std::map<std::string, Tensor> Graph::compute(std::map<std::string, Tensor> tensors, const Arithmetic& arithmetic, std::vector<float>& milliseconds) const {
  std::map<std::string, size_t> last; // use
  for (size_t i = 0; i < model_.nodes.size(); i++)
    for (auto& name : model_.nodes[i].in) last[name] = i;
  for (auto& o : model_.outputs) last[o.name] = model_.nodes.size();
  milliseconds.clear();
  for (size_t i = 0; i < model_.nodes.size(); i++) {
    const Node& n = model_.nodes[i];
    const auto begin = std::chrono::steady_clock::now();
    std::vector<const Tensor*> in;
    std::vector<Value> known;
    for (auto& name : n.in) {
      const auto weight = model_.weights.find(name);
      in.push_back(weight != model_.weights.end() ? &weight->second : &tensors.at(name));
      known.push_back({in.back()->type, in.back()->shape, in.back()});
    }
    const Operator& op = *operator_of(n.op);
    tensors[n.out[0]] = op.compute(n, in, op.infer(n, known).shape, arithmetic);
    for (auto& name : n.in)
      if (last[name] == i) tensors.erase(name);
    milliseconds.push_back(std::chrono::duration<float, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::map<std::string, Tensor> out;
  for (auto& o : model_.outputs) out[o.name] = model_.weights.count(o.name) != 0 ? model_.weights.at(o.name) : tensors.at(o.name);
  return out;
}

std::map<std::string, Value> Graph::constants() const {
  std::map<std::string, Value> all;
  for (auto& w : model_.weights) all[w.first] = {w.second.type, w.second.shape, &w.second};
  return all;
}

Value Graph::infer(const Node& n, const std::map<std::string, Value>& all) const {
  std::vector<Value> in;
  for (auto& name : n.in) {
    const auto found = all.find(name);
    if (found == all.end()) throw Refusal{ErrorCode::kINVALID_GRAPH, "input \"" + name + "\" of " + n.op + " is not computed before it"};
    if (found->second.type == UINT8 && found->second.constant == nullptr && n.op != "Cast") unsupported("Found invalid input type of UINT8");
    in.push_back(found->second);
  }
  Value v = operator_of(n.op)->infer(n, in);
  if (!known(v.type)) unsupported(n.op + " is not supported for type " + name_of(v.type));
  if (v.shape.size() > size_t(nvinfer1::Dims::MAX_DIMS)) unsupported("a tensor has more than 8 dimensions");
  if (!is_dynamic(v.shape) && volume(v.shape) < 0) unsupported("a tensor of " + to_text(v.shape) + " is too large");
  return v;
}

// find_inputs leaves out those that have a value.
void Graph::find_inputs() {
  std::vector<Port> inputs;
  values_ = constants();
  for (auto& w : model_.weights)
    if (!known(w.second.type) && w.second.type != UINT8) unsupported("Found invalid weights type of: " + name_of(w.second.type));
  for (auto& i : model_.inputs) {
    if (model_.weights.count(i.name) != 0) continue;
    if (i.name.empty() || values_.count(i.name) != 0) throw Refusal{ErrorCode::kINVALID_GRAPH, "two inputs are called \"" + i.name + "\""};
    if (!known(i.type)) throw Refusal{ErrorCode::kUNSUPPORTED_GRAPH, "Unsupported ONNX data type: " + name_of(i.type) + " (" + std::to_string(i.type) + ") of input \"" + i.name + "\""};
    bool good = i.shape.size() <= size_t(nvinfer1::Dims::MAX_DIMS) && (is_dynamic(i.shape) || volume(i.shape) >= 0);
    for (int64_t d : i.shape) good = good && d <= LARGEST;
    if (!good) throw Refusal{ErrorCode::kINVALID_GRAPH, "input \"" + i.name + "\" is " + to_text(i.shape)};
    values_[i.name] = {i.type, i.shape};
    inputs.push_back(i);
  }
  model_.inputs = inputs;
}

void Graph::check_nodes() {
  for (size_t i = 0; i < model_.nodes.size(); i++) {
    const Node& n = model_.nodes[i];
    try {
      if (operator_of(n.op) == nullptr || !(n.domain.empty() || n.domain == "ai.onnx")) unsupported("No importer registered for op: " + n.op);
      if (n.op == "Softmax" && model_.opset < 13) unsupported("Softmax is supported since version 13 of ONNX's operators here");
      if (n.out.size() != 1 || n.out[0].empty()) invalid(n.op + " has " + std::to_string(n.out.size()) + " outputs");
      if (values_.count(n.out[0]) != 0) throw Refusal{ErrorCode::kINVALID_GRAPH, "\"" + n.out[0] + "\" is computed twice"};
      values_[n.out[0]] = infer(n, values_);
    } catch (Refusal& r) {
      r.node = int(i);
      throw;
    }
  }
}

}  // namespace standin
