// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: engines.
#ifndef ANYINFER_STANDIN_ENGINE_H
#define ANYINFER_STANDIN_ENGINE_H

#include <mutex>

#include "network.h"
#include "plan.h"

namespace standin {

const size_t ALIGNMENT = 256; // of addresses that TensorRT takes

// An input or output of an engine.
struct Io {
  std::string name;
  bool input;
  int type;
  Shape shape;
};

// What an engine shares with its contexts and with what they put on streams.
struct Compiled {
  Plan plan;
  std::shared_ptr<const Graph> graph;
  std::vector<Io> ios; // inputs first
  std::vector<std::string> layers;
  int device;
  bool dynamic = false; // some input is

  mutable std::mutex mutex;
  mutable std::vector<int> users; // of each profile

  int find(const char* name) const {
    for (size_t i = 0; name != nullptr && i < ios.size(); i++)
      if (ios[i].name == name) return int(i);
    return -1;
  }
  int profiles() const { return std::max(1, int(plan.profiles.size())); }
  Shape range(const Io& io, int profile, size_t which) const {
    if (size_t(profile) >= plan.profiles.size() || plan.profiles[size_t(profile)].count(io.name) == 0) return io.shape;
    return plan.profiles[size_t(profile)].at(io.name)[which];
  }
};

class Engine final : public nvinfer1::ICudaEngine, public Object {
 public:
  Engine(Count runtime, ILogger& logger, std::shared_ptr<const Compiled> compiled, std::string plan)
      : Object(std::move(runtime)), logger_(logger), compiled_(std::move(compiled)), plan_(std::move(plan)) {}
  ~Engine();

  int32_t getNbLayers() const override { return int32_t(compiled_->layers.size()); }
  char const* getName() const override { return "Unnamed Network 0"; }
  nvinfer1::IHostMemory* serialize() const override { return new HostMemory(plan_); }
  int32_t getNbOptimizationProfiles() const override { return compiled_->profiles(); }
  nvinfer1::ProfilingVerbosity getProfilingVerbosity() const override { return nvinfer1::ProfilingVerbosity(compiled_->plan.verbosity); }
#if STANDIN_TENSORRT < 1000
  nvinfer1::IExecutionContext* createExecutionContext() override { return create(); }
#else
  nvinfer1::IExecutionContext* createExecutionContext(nvinfer1::ExecutionContextAllocationStrategy) override { return create(); }
#endif
#if STANDIN_TENSORRT < 1100
  bool hasImplicitBatchDimension() const override { return false; }
#endif

#if STANDIN_TENSORRT < 1000
  // Each profile has bindings of its own, one behind the other.
  int32_t getNbBindings() const override { return int32_t(compiled_->ios.size()) * compiled_->profiles(); }
  int32_t getBindingIndex(char const* name) const override;
  char const* getBindingName(int32_t index) const override;
  bool bindingIsInput(int32_t index) const override { return at("bindingIsInput", index).input; }
  nvinfer1::Dims getBindingDimensions(int32_t index) const override { return to_dims(at("getBindingDimensions", index).shape); }
  nvinfer1::DataType getBindingDataType(int32_t index) const override { return to_trt(at("getBindingDataType", index).type); }
  nvinfer1::TensorFormat getBindingFormat(int32_t index) const override { return at("getBindingFormat", index), nvinfer1::TensorFormat::kLINEAR; }
  nvinfer1::TensorLocation getLocation(int32_t index) const override { return at("getLocation", index), nvinfer1::TensorLocation::kDEVICE; }
  bool isShapeBinding(int32_t index) const override { return at("isShapeBinding", index), false; }
  bool isExecutionBinding(int32_t index) const override { return at("isExecutionBinding", index), true; }
  nvinfer1::Dims getProfileDimensions(int32_t index, int32_t profile, nvinfer1::OptProfileSelector select) const override;
#endif

#if STANDIN_TENSORRT >= 806
  int32_t getNbIOTensors() const override { return int32_t(compiled_->ios.size()); }
  char const* getIOTensorName(int32_t index) const override;
  nvinfer1::TensorIOMode getTensorIOMode(char const* name) const override {
    const int i = compiled_->find(name);
    return i < 0 ? nvinfer1::TensorIOMode::kNONE : compiled_->ios[size_t(i)].input ? nvinfer1::TensorIOMode::kINPUT : nvinfer1::TensorIOMode::kOUTPUT;
  }
  nvinfer1::DataType getTensorDataType(char const* name) const override { return to_trt(named("getTensorDataType", name).type); }
  nvinfer1::Dims getTensorShape(char const* name) const override;
  nvinfer1::TensorFormat getTensorFormat(char const* name) const override { return named("getTensorFormat", name), nvinfer1::TensorFormat::kLINEAR; }
  nvinfer1::TensorFormat getTensorFormat(char const* name, int32_t) const override { return getTensorFormat(name); }
  nvinfer1::TensorLocation getTensorLocation(char const* name) const override { return named("getTensorLocation", name), nvinfer1::TensorLocation::kDEVICE; }
  bool isShapeInferenceIO(char const* name) const override { return named("isShapeInferenceIO", name), false; }
  nvinfer1::Dims getProfileShape(char const* name, int32_t profile, nvinfer1::OptProfileSelector select) const override;
#endif

 private:
  nvinfer1::IExecutionContext* create();
  const Io& named(const char* function, const char* name) const;
  const Io& at(const char* function, int32_t binding) const;

  ILogger& logger_;
  std::shared_ptr<const Compiled> compiled_;
  std::string plan_;
#if STANDIN_TENSORRT < 1000
  mutable std::map<int32_t, std::string> binding_names_;
#endif
};

// make_context is in context.cc.
nvinfer1::IExecutionContext* make_context(const Engine& engine, ILogger& logger, std::shared_ptr<const Compiled> compiled);

// see_device finds an object of one GPU deleted while another is current.
void see_device(const char* what, int device);

}  // namespace standin

#endif
