// SPDX-License-Identifier: Apache-2.0

// A STAND-IN for TensorRT, and no part of it: see NvInferRuntime.h beside it.
// Builds.
#include <algorithm>
#include <set>
#include <thread>

#include "config.h"

namespace standin {

namespace {

class Builder final : public nvinfer1::IBuilder, public Object {
 public:
  Builder(ILogger& logger, int device) : logger_(logger), device_(device) {}
  ~Builder() { last(logger_, "Destroying a builder object before destroying objects it created leads to undefined behavior."); }

  nvinfer1::IBuilderConfig* createBuilderConfig() override { return fails("createBuilderConfig") ? nullptr : new Config(children(), logger_, compute()); }
  nvinfer1::INetworkDefinition* createNetworkV2(nvinfer1::NetworkDefinitionCreationFlags flags) override { return fails("createNetworkV2") ? nullptr : new Network(children(), logger_, flags); }
  nvinfer1::IOptimizationProfile* createOptimizationProfile() override {
    if (fails("createOptimizationProfile")) return nullptr;
    profiles_.emplace_back(new Profile(logger_));
    return profiles_.back().get();
  }
  nvinfer1::IHostMemory* buildSerializedNetwork(nvinfer1::INetworkDefinition& network, nvinfer1::IBuilderConfig& config) override {
    if (fails("buildSerializedNetwork")) return refuse("stand-in: it fails as asked for");
    try {
      return build(static_cast<Network&>(network), static_cast<Config&>(config));
    } catch (const Refusal& r) {
      return refuse(r.text);
    } catch (const std::bad_alloc&) {
      return refuse("out of memory");
    }
  }
  int32_t getNbDLACores() const override { return gpu(device_).dla_cores; }
  ILogger* getLogger() const override { return &logger_; }
#if STANDIN_TENSORRT < 1100
  bool platformHasFastFp16() const override { return true; }
  bool platformHasFastInt8() const override { return true; }
  bool platformHasTf32() const override { return true; }
#endif
#if STANDIN_TENSORRT >= 806
  bool setMaxThreads(int32_t n) override {
    threads_ = n;
    return n >= 1;
  }
  int32_t getMaxThreads() const override { return threads_; }
#endif

 private:
  std::pair<int, int> compute() const { return {gpu(device_).major, gpu(device_).minor}; }

  nvinfer1::IHostMemory* refuse(const std::string& text) {
    internal_error(logger_, "IBuilder::buildSerializedNetwork", 4, text);
    return nullptr;
  }

  [[noreturn]] static void no(const std::string& text) { throw Refusal{ErrorCode::kINVALID_VALUE, text}; }

  nvinfer1::IHostMemory* build(Network& network, Config& config) {
    if (used("buildSerializedNetwork") != device_) no("the builder was made with another GPU current");
    if (network.graph == nullptr) no("Network must have at least one output");
    if (network.weights.expired()) {
      mistake("a parser was deleted before the build: it owns the weights");
      no("the weights are gone with the parser");
    }
    Plan plan;
    check_types(network, config);
    check_profiles(network, config);
    check_dla(network, config);
    plan.arithmetic = arithmetic(network, config);
    plan.verbosity = int(config.getProfilingVerbosity());
#if STANDIN_TENSORRT >= 806 && STANDIN_TENSORRT < 1000
    plan.shared = config.getPreviewFeature(nvinfer1::PreviewFeature::kPROFILE_SHARING_0806);
#endif
    plan.dla = config.getDefaultDeviceType() == nvinfer1::DeviceType::kDLA;
    plan.profiles = config.profiles;
    plan.onnx = network.onnx;
    plan.external = network.external;
    if (!work(network, config)) {
      logger_.log(Severity::kWARNING, "IBuilder::buildSerializedNetwork: the build was cancelled by the progress monitor");
      return nullptr;
    }
    return new HostMemory(write_plan(plan, compute()));
  }

  void check_types(const Network& network, const Config& config) {
    const bool strong = network.strongly_typed();
#if STANDIN_TENSORRT < 1100
    const bool int8 = config.getFlag(BuilderFlag::kINT8);
    bool lower = config.getFlag(BuilderFlag::kFP16) || int8;
#if STANDIN_TENSORRT >= 1000
    lower = lower || config.getFlag(BuilderFlag::kBF16);
#endif
    if (strong && lower) no("Parameter check failed, condition: !config.getFlag(BuilderFlag::kFP16) && !config.getFlag(BuilderFlag::kINT8). A strongly typed network cannot be built with flags of precisions");
#else
    (void)config;
    const bool int8 = true;
#endif
    if (strong) return;
    for (auto& n : network.graph->nodes()) {
      const bool quantizes = n.op == "QuantizeLinear" || n.op == "DequantizeLinear";
      if (quantizes && !int8) no("Int8 precision mode flag must be on for networks with Q/DQ layers");
      for (auto& name : n.in)
        if (!quantizes && network.graph->value(name).constant == nullptr && network.graph->value(name).type == INT8) no(name + ": int8 tensors need scales, of Q/DQ layers or a dynamic range");
    }
  }

  // at_range has the shapes of inputs in a profile.
  static std::map<std::string, Shape> at_range(const Graph& g, const Ranges& profile, size_t which) {
    std::map<std::string, Shape> shapes;
    for (auto& i : g.inputs()) shapes[i.name] = profile.count(i.name) != 0 ? profile.at(i.name)[which] : i.shape;
    return shapes;
  }

  void check_profiles(const Network& network, const Config& config) {
    const Graph& g = *network.graph;
    std::vector<Ranges> profiles = config.profiles;
    for (auto& i : g.inputs())
      if (is_dynamic(i.shape) && profiles.empty()) no("Network has dynamic or shape inputs, but no optimization profile has been defined.");
    if (profiles.empty()) profiles.emplace_back();
    for (auto& p : profiles) {
      for (auto& i : g.inputs()) {
        const auto found = p.find(i.name);
        if (found == p.end() && is_dynamic(i.shape)) no("Parameter check failed: optimization profile is missing values for input " + i.name);
        if (found == p.end()) continue;
        for (auto& shape : found->second) {
          bool good = shape.size() == i.shape.size();
          for (size_t k = 0; good && k < shape.size(); k++) good = i.shape[k] < 0 || i.shape[k] == shape[k];
          if (!good) no(i.name + ": for dimension number of profile " + to_text(shape) + " does not match network definition " + to_text(i.shape));
        }
      }
      for (auto& r : p)
        if (std::none_of(g.inputs().begin(), g.inputs().end(), [&](const Port& i) { return i.name == r.first; })) no("optimization profile has values for " + r.first + ", which is no input");
      for (size_t which = 0; which < 3; which++) g.values(at_range(g, p, which));
    }
  }

  void check_dla(const Network& network, const Config& config) {
    if (config.getDefaultDeviceType() != nvinfer1::DeviceType::kDLA) return;
    if (config.getDLACore() < 0 || config.getDLACore() >= getNbDLACores()) no("DLA core " + std::to_string(config.getDLACore()) + " is not there");
    const bool fallback = config.getFlag(BuilderFlag::kGPU_FALLBACK);
#if STANDIN_TENSORRT < 1100
    bool lower = config.getFlag(BuilderFlag::kFP16) || config.getFlag(BuilderFlag::kINT8);
#if STANDIN_TENSORRT >= 1000
    lower = lower || network.strongly_typed();
#endif
    if (!lower) no("Default DLA is enabled, but neither FP16 nor INT8 mode is on: DLA has no other precisions");
#endif
    const std::set<std::string> has = {"Add", "Conv", "MaxPool", "Mul", "Relu", "Softmax"};
    for (auto& n : network.graph->nodes()) {
      const bool real = !network.strongly_typed() || network.graph->value(n.out[0]).type != FLOAT;
      if (has.count(n.op) != 0 && real) continue;
      const std::string text = "Default DLA is enabled but layer " + n.op + " -> " + n.out[0] + " is not supported on DLA, ";
      if (!fallback) no(text + "and GPU fallback is not allowed.");
      logger_.log(Severity::kWARNING, (text + "falling back to GPU.").c_str());
    }
  }

  static Arithmetic arithmetic(const Network& network, const Config& config) {
    Arithmetic a;
    a.tf32 = config.getFlag(BuilderFlag::kTF32);
#if STANDIN_TENSORRT < 1100
    if (!network.strongly_typed() && config.getFlag(BuilderFlag::kFP16)) a.type = FLOAT16;
#if STANDIN_TENSORRT >= 1000
    if (!network.strongly_typed() && config.getFlag(BuilderFlag::kBF16)) a.type = BFLOAT16;
#endif
#else
    (void)network;
#endif
    return a;
  }

  // work takes the time that a build takes, on another thread, as genuine ones
  // do; false is that the caller has ended it.
  bool work(const Network& network, const Config& config) {
    const TimingCache* cache = config.timing_cache();
    const auto& nodes = network.graph->nodes();
    const int delay = build_delay(), steps = std::max<int>(std::max<int>(1, int(nodes.size())), delay / 20);
    bool go_on = true;
    std::exception_ptr thrown;
    std::thread worker([&] {
      try {
        logger_.log(Severity::kINFO, "stand-in: Global timing cache in use. Profiling results in this builder pass will be stored.");
        go_on = phases(config, steps, delay);
        logger_.log(Severity::kVERBOSE, "stand-in: Engine generation completed.");
      } catch (...) {
        thrown = std::current_exception();
      }
    });
    worker.join();
    if (thrown != nullptr) std::rethrow_exception(thrown);
    if (!go_on || cache == nullptr) return go_on;
    for (size_t i = 0; i < nodes.size(); i++) cache->times[checksum(nodes[i].op + to_text(network.graph->value(nodes[i].out[0]).shape))] = int64_t(i) + 1;
    return true;
  }

  static bool phases(const Config& config, int steps, int delay) {
#if STANDIN_TENSORRT >= 1000
    nvinfer1::IProgressMonitor* monitor = config.getProgressMonitor();
#else
    (void)config;
#endif
    const char *outer = "Building Engine", *inner = "Tactic Selection";
    bool go_on = true;
    (void)outer, (void)inner;
#if STANDIN_TENSORRT >= 1000
    if (monitor != nullptr) monitor->phaseStart(outer, nullptr, 1), monitor->phaseStart(inner, outer, steps);
#endif
    for (int i = 0; i < steps && go_on; i++) {
      std::this_thread::sleep_for(std::chrono::microseconds(int64_t(delay) * 1000 / steps));
#if STANDIN_TENSORRT >= 1000
      go_on = monitor == nullptr || monitor->stepComplete(inner, i);
#endif
    }
#if STANDIN_TENSORRT >= 1000
    if (monitor != nullptr) {
      monitor->phaseFinish(inner);
      if (go_on) go_on = monitor->stepComplete(outer, 0);
      monitor->phaseFinish(outer);
    }
#endif
    return go_on;
  }

  ILogger& logger_;
  int device_;
  std::vector<std::unique_ptr<Profile>> profiles_;
#if STANDIN_TENSORRT >= 806
  int32_t threads_ = 1;
#endif
};

}  // namespace

}  // namespace standin

void* createInferBuilder_INTERNAL(void* logger, int32_t version) {
  using namespace standin;
  if (fails("createInferBuilder") || logger == nullptr) return nullptr;
  auto& l = *static_cast<ILogger*>(logger);
  if (version != NV_TENSORRT_VERSION) {
    api_error(l, "createInferBuilder", "CHECK failed: the library is " + std::to_string(NV_TENSORRT_VERSION) + ", the headers are " + std::to_string(version));
    return nullptr;
  }
  return static_cast<nvinfer1::IBuilder*>(new Builder(l, used("createInferBuilder")));
}
