// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: networks, which the parser fills and the builder
// reads.
#ifndef ANYINFER_STANDIN_NETWORK_H
#define ANYINFER_STANDIN_NETWORK_H

#include <set>

#include "graph.h"
#include "object.h"

namespace standin {

class NetworkTensor final : public nvinfer1::ITensor {
 public:
  NetworkTensor(std::string name, const Value& v, bool input, bool output) : name_(std::move(name)), type_(v.type), shape_(v.shape), input_(input), output_(output) {}
  char const* getName() const override { return name_.c_str(); }
  nvinfer1::Dims getDimensions() const override { return to_dims(shape_); }
  nvinfer1::DataType getType() const override { return to_trt(type_); }
  nvinfer1::TensorLocation getLocation() const override { return nvinfer1::TensorLocation::kDEVICE; }
  bool isNetworkInput() const override { return input_; }
  bool isNetworkOutput() const override { return output_; }
  bool isShapeTensor() const override { return false; }
  bool isExecutionTensor() const override { return true; }

 private:
  std::string name_;
  int type_;
  Shape shape_;
  bool input_, output_;
};

class NetworkLayer final : public nvinfer1::ILayer {
 public:
  NetworkLayer(nvinfer1::LayerType type, std::string name, std::vector<NetworkTensor*> in, NetworkTensor* out) : type_(type), name_(std::move(name)), in_(std::move(in)), out_(out) {}
  nvinfer1::LayerType getType() const override { return type_; }
  char const* getName() const override { return name_.c_str(); }
  int32_t getNbInputs() const override { return int32_t(in_.size()); }
  nvinfer1::ITensor* getInput(int32_t index) const override { return index >= 0 && size_t(index) < in_.size() ? in_[size_t(index)] : nullptr; }
  int32_t getNbOutputs() const override { return 1; }
  nvinfer1::ITensor* getOutput(int32_t index) const override { return index == 0 ? out_ : nullptr; }

 private:
  nvinfer1::LayerType type_;
  std::string name_;
  std::vector<NetworkTensor*> in_;
  NetworkTensor* out_;
};

// layer_name is the one of a node that may have none itself.
inline std::string layer_name(const Node& n, size_t index) {
  if (!n.name.empty()) return n.name;
  if (STANDIN_TENSORRT >= 1000) return "node_of_" + n.out[0];
  return "(Unnamed Layer* " + std::to_string(index) + ") [" + operator_of(n.op)->kind + "]";
}

// at is an element of what the caller counts, or NULL.
template <typename T>
auto at(const T& all, int32_t index) -> decltype(&*all[0]) {
  return index >= 0 && size_t(index) < all.size() ? &*all[size_t(index)] : nullptr;
}

class Network final : public nvinfer1::INetworkDefinition, public Object {
 public:
  Network(Count builder, ILogger& logger, uint32_t flags) : Object(std::move(builder)), logger_(logger), flags_(flags) {}

  char const* getName() const override { return "Unnamed Network 0"; }
  int32_t getNbLayers() const override { return int32_t(layers_.size()); }
  nvinfer1::ILayer* getLayer(int32_t index) const override { return at(layers_, index); }
  int32_t getNbInputs() const override { return int32_t(inputs_.size()); }
  nvinfer1::ITensor* getInput(int32_t index) const override { return at(inputs_, index); }
  int32_t getNbOutputs() const override { return int32_t(outputs_.size()); }
  nvinfer1::ITensor* getOutput(int32_t index) const override { return at(outputs_, index); }
  bool hasImplicitBatchDimension() const override { return implicit(); }
#if STANDIN_TENSORRT >= 1000
  bool getFlag(nvinfer1::NetworkDefinitionCreationFlag flag) const override { return (flags_ >> uint32_t(flag) & 1) != 0; }
#endif

  bool implicit() const { return STANDIN_TENSORRT < 1000 && (flags_ & 1) == 0; }
  bool strongly_typed() const { return STANDIN_TENSORRT >= 1100 || (STANDIN_TENSORRT >= 1000 && (flags_ & 2) != 0); }
  ILogger& logger() const { return logger_; }

  // adopt is how the parser fills the network. The weights stay the parser's.
  void adopt(std::shared_ptr<const Graph> g, std::string bytes, std::map<std::string, std::string> outside, std::weak_ptr<void> parser) {
    graph = std::move(g), onnx = std::move(bytes), external = std::move(outside), weights = std::move(parser);
    std::set<std::string> outs;
    for (auto& o : graph->outputs()) outs.insert(o.name);
    for (auto& i : graph->inputs()) inputs_.push_back(add(i.name, true, outs.count(i.name) != 0));
    for (size_t k = 0; k < graph->nodes().size(); k++) {
      const Node& n = graph->nodes()[k];
      std::vector<NetworkTensor*> in;
      for (auto& name : n.in)
        if (tensors_.count(name) != 0) in.push_back(tensors_[name].get());
      layers_.emplace_back(new NetworkLayer(operator_of(n.op)->layer, layer_name(n, k), in, add(n.out[0], false, outs.count(n.out[0]) != 0)));
    }
    for (auto& o : graph->outputs()) outputs_.push_back(tensors_.count(o.name) != 0 ? tensors_[o.name].get() : add(o.name, false, true));
  }

  std::shared_ptr<const Graph> graph;
  std::string onnx;
  std::map<std::string, std::string> external;
  std::weak_ptr<void> weights;

 private:
  NetworkTensor* add(const std::string& name, bool input, bool output) {
    auto& t = tensors_[name];
    t.reset(new NetworkTensor(name, graph->value(name), input, output));
    return t.get();
  }

  ILogger& logger_;
  uint32_t flags_;
  std::map<std::string, std::unique_ptr<NetworkTensor>> tensors_;
  std::vector<std::unique_ptr<NetworkLayer>> layers_;
  std::vector<NetworkTensor*> inputs_, outputs_;
};

}  // namespace standin

#endif
