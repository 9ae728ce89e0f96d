// SPDX-License-Identifier: Apache-2.0

// Builds of the stand-in for TensorRT: networks, their parser, and plans.
#include <chrono>
#include <deque>
#include <fstream>
#include <sstream>
#include <thread>

#include "NvOnnxParser.h"
#include "plan.h"

namespace standin {

namespace {

std::string plan_header(int device) {
  return "standin " + std::to_string(NV_TENSORRT_VERSION) + " " + std::to_string(gpus[device].minor) + "\n";
}

struct NetworkTensor final : nvinfer1::ITensor {
  explicit NetworkTensor(Port p) : port(std::move(p)) {}
  char const* getName() const override { return port.name.c_str(); }
  nvinfer1::Dims getDimensions() const override { return to_dims(port.shape); }
  nvinfer1::DataType getType() const override { return to_trt(port.type); }
  Port port;
};

struct Layer final : nvinfer1::ILayer {
  explicit Layer(Port p) : out(std::move(p)) {}
  nvinfer1::LayerType getType() const override { return nvinfer1::LayerType::kIDENTITY; }
  int32_t getNbOutputs() const override { return 1; }
  nvinfer1::ITensor* getOutput(int32_t) const override { return const_cast<NetworkTensor*>(&out); }
  NetworkTensor out;
};

struct Network final : nvinfer1::INetworkDefinition, Made {
  Network(const Made& builder, uint32_t f) : Made("a network", builder.made), flags(f) {}
  int32_t getNbLayers() const override { return int32_t(layers.size()); }
  nvinfer1::ILayer* getLayer(int32_t index) const override { return const_cast<Layer*>(&layers.at(size_t(index))); }
  int32_t getNbInputs() const override { return int32_t(inputs.size()); }
  nvinfer1::ITensor* getInput(int32_t index) const override { return const_cast<NetworkTensor*>(&inputs.at(size_t(index))); }
  bool strongly_typed() const { return STANDIN_TENSORRT >= 1100 || (STANDIN_TENSORRT >= 1000 && (flags & 2) != 0); }

  uint32_t flags;
  std::shared_ptr<const Model> model;
  std::string onnx;
  std::map<std::string, std::string> external;
  std::weak_ptr<int> parser; // which owns the weights
  std::deque<NetworkTensor> inputs;
  std::deque<Layer> layers;
};

struct ParserError final : nvonnxparser::IParserError {
  ParserError(std::string t, int n) : text(std::move(t)), at(n) {}
  char const* desc() const override { return text.c_str(); }
  int node() const override { return at; }
  std::string text;
  int at;
};

class Parser final : public nvonnxparser::IParser, public Made {
 public:
  Parser(Network& network, ILogger& logger) : Made("a parser"), network_(network), logger_(logger) {}

  bool parse(void const* data, size_t size, char const* path) override {
    int node = -1;
    try {
      if (fails("parse")) throw std::runtime_error("it fails as asked for");
      if (STANDIN_TENSORRT < 1000 && network_.flags != 1) throw std::runtime_error("the network has an implicit batch dimension");
      network_.onnx.assign(static_cast<const char*>(data), size);
      const std::string model = path == nullptr ? "" : path, folder = model.substr(0, model.rfind('/') + 1);
      auto m = std::make_shared<Model>(network_.onnx, [&](const std::string& name) {
        std::ifstream file(folder + name, std::ios::binary);
        return network_.external[name] = std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
      }, node);
      Shapes shapes;
      for (auto& i : m->inputs) shapes[i.name] = i.shape, network_.inputs.emplace_back(i);
      const Tensors all = m->infer(shapes);
      for (auto& n : m->nodes) network_.layers.emplace_back(Port{n.out[0], all.at(n.out[0]).type, {}});
      network_.model = m;
      network_.parser = alive_;
      return true;
    } catch (const std::exception& e) {
      errors_.emplace_back(e.what(), node);
      return refuse(logger_, e.what()) != nullptr;
    }
  }
  int getNbErrors() const override { return int(errors_.size()); }
  nvonnxparser::IParserError const* getError(int index) const override { return &errors_.at(size_t(index)); }

 private:
  Network& network_;
  ILogger& logger_;
  std::deque<ParserError> errors_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

struct Profile final : nvinfer1::IOptimizationProfile {
  bool setDimensions(char const* name, nvinfer1::OptProfileSelector select, nvinfer1::Dims const& dims) override {
    if (fails("setDimensions")) return false;
    ranges[name][size_t(select)] = from_dims(dims);
    return true;
  }
  Ranges ranges;
};

struct TimingCache final : nvinfer1::ITimingCache, Made {
  explicit TimingCache(const Made& config) : Made("a timing cache", config.made) {}
  nvinfer1::IHostMemory* serialize() const override { return new HostMemory(plan_header(current_or_mistake("serialize"))); }
};

struct Config final : nvinfer1::IBuilderConfig, Made {
  using Flag = nvinfer1::BuilderFlag;
  Config(const Made& builder, ILogger& l) : Made("a configuration", builder.made), logger(l) { setFlag(Flag::kTF32); }
  void setFlag(Flag flag) override { flags |= 1U << uint32_t(flag); }
  void clearFlag(Flag flag) override { flags &= ~(1U << uint32_t(flag)); }
  bool has(Flag flag) const { return (flags >> uint32_t(flag) & 1) != 0; }
  int32_t addOptimizationProfile(nvinfer1::IOptimizationProfile const* profile) override {
    profiles.push_back(static_cast<const Profile*>(profile)->ranges);
    return int32_t(profiles.size()) - 1;
  }
  nvinfer1::ITimingCache* createTimingCache(void const* blob, std::size_t size) const override {
    const std::string bytes(static_cast<const char*>(blob), size);
    if (size > 0 && bytes != plan_header(current_or_mistake("createTimingCache"))) return refuse(logger, "the timing cache is another release's or GPU's");
    return new TimingCache(*this);
  }
  bool setTimingCache(nvinfer1::ITimingCache const&, bool) override { return true; }
  void setDefaultDeviceType(nvinfer1::DeviceType type) override { dla = type == nvinfer1::DeviceType::kDLA; }
  void setDLACore(int32_t core) override { dla_core = core; }
#if STANDIN_TENSORRT < 806
  void setMaxWorkspaceSize(std::size_t) override {}
#else
  void setMemoryPoolLimit(nvinfer1::MemoryPoolType, std::size_t) override {}
  void setBuilderOptimizationLevel(int32_t) override {}
#endif
#if STANDIN_TENSORRT == 806
  void setPreviewFeature(nvinfer1::PreviewFeature, bool enable) override { shared = enable; }
  bool shared = false;
#endif
#if STANDIN_TENSORRT >= 1000
  void setProgressMonitor(nvinfer1::IProgressMonitor* m) override { monitor = m; }
  nvinfer1::IProgressMonitor* monitor = nullptr;
#endif
  ILogger& logger;
  uint32_t flags = 0;
  bool dla = false;
  int32_t dla_core = -1;
  std::vector<Ranges> profiles;
};

// check_profile refuses ranges that are none of the model's.
void check_profile(const Model& model, const Ranges& ranges) {
  Shapes shapes[3];
  for (auto& i : model.inputs) {
    const auto found = ranges.find(i.name);
    need(found != ranges.end() || !is_dynamic(i.shape), "an input with dynamic dimensions has no range in a profile");
    for (size_t which = 0; which < 3; which++) {
      const Shape shape = shapes[which][i.name] = found == ranges.end() ? i.shape : found->second[which];
      need(shape.size() == i.shape.size(), "a profile has shapes of another rank");
      for (size_t k = 0; k < shape.size(); k++) {
        need(i.shape[k] == -1 || i.shape[k] == shape[k], "a profile changes a dimension that is not dynamic");
        need(which == 0 || found == ranges.end() || found->second[which - 1].at(k) <= shape[k], "the shapes of a profile are not in order");
      }
    }
  }
  for (auto& s : shapes) model.infer(s);
}

class Builder final : public nvinfer1::IBuilder, public Made {
 public:
  explicit Builder(ILogger& logger) : Made("a builder"), logger_(logger), device_(current_or_mistake("createInferBuilder")) {}

  nvinfer1::INetworkDefinition* createNetworkV2(nvinfer1::NetworkDefinitionCreationFlags flags) override { return fails("createNetworkV2") ? nullptr : new Network(*this, flags); }
  nvinfer1::IBuilderConfig* createBuilderConfig() override { return fails("createBuilderConfig") ? nullptr : new Config(*this, logger_); }
  nvinfer1::IOptimizationProfile* createOptimizationProfile() override { return fails("createOptimizationProfile") ? nullptr : &profiles_.emplace_back(); }
  nvinfer1::IHostMemory* buildSerializedNetwork(nvinfer1::INetworkDefinition& network, nvinfer1::IBuilderConfig& config) override {
    if (fails("buildSerializedNetwork")) return refuse(logger_, "it fails as asked for");
    try {
      return build(static_cast<Network&>(network), static_cast<Config&>(config));
    } catch (const std::exception& e) {
      return refuse(logger_, e.what());
    }
  }

 private:
  nvinfer1::IHostMemory* build(const Network& network, const Config& config) {
    need(current_or_mistake("buildSerializedNetwork") == device_, "the builder was made with another GPU current");
    if (network.parser.expired()) {
      mistake("a parser is deleted before the build: it owns the weights");
      return nullptr;
    }
    Plan plan;
    plan.dla = config.dla, plan.profiles = config.profiles, plan.onnx = network.onnx, plan.external = network.external;
    plan.dropped_bits = config.has(Config::Flag::kTF32) ? 13 : 0;
    if (plan.profiles.empty()) plan.profiles.emplace_back();
    for (auto& p : plan.profiles) check_profile(*network.model, p);
#if STANDIN_TENSORRT == 806
    plan.shared = config.shared;
#endif
#if STANDIN_TENSORRT < 1100
    bool lower = config.has(Config::Flag::kFP16);
#if STANDIN_TENSORRT >= 1000
    lower = lower || config.has(Config::Flag::kBF16);
#endif
    need(!lower || !network.strongly_typed(), "a strongly typed network takes no flags of precisions");
    need(lower || !config.dla, "a DLA core computes in float16 and int8 alone");
    if (lower) plan.dropped_bits = 13;
#endif
    need(!config.dla || (config.dla_core >= 0 && config.dla_core < gpus[device_].dla_cores), "there is no such DLA core");
    return work(config) ? new HostMemory(write_plan(plan, device_)) : nullptr;
  }

  // work takes its time on a thread of its own, as a genuine build does. It is
  // false where the caller has ended it.
  bool work(const Config& config) {
    bool go_on = true;
    std::thread([&] {
      logger_.log(ILogger::Severity::kINFO, "stand-in: a plan is built");
      const int steps = std::max(1, build_delay() / 20);
#if STANDIN_TENSORRT >= 1000
      config.monitor->phaseStart("Building Engine", nullptr, steps);
#endif
      for (int i = 0; i < steps && go_on; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(build_delay() / steps));
#if STANDIN_TENSORRT >= 1000
        go_on = config.monitor->stepComplete("Building Engine", i);
#endif
      }
#if STANDIN_TENSORRT >= 1000
      config.monitor->phaseFinish("Building Engine");
#endif
    }).join();
    (void)config;
    return go_on;
  }

  ILogger& logger_;
  int device_;
  std::deque<Profile> profiles_;
};

void write_text(std::ostream& out, const std::string& text) { out << text.size() << ' ' << text; }

std::string read_text(std::istream& in) {
  size_t size = 0;
  in >> size;
  in.get();
  std::string text(size, 0);
  in.read(&text[0], std::streamsize(size));
  return text;
}

}  // namespace

std::string write_plan(const Plan& plan, int device) {
  std::ostringstream out;
  out << plan_header(device) << plan.shared << ' ' << plan.dla << ' ' << plan.dropped_bits << ' ' << plan.profiles.size() << ' ';
  for (auto& profile : plan.profiles) {
    out << profile.size() << ' ';
    for (auto& range : profile) {
      write_text(out, range.first);
      for (auto& shape : range.second) {
        out << ' ' << shape.size() << ' ';
        for (int64_t d : shape) out << d << ' ';
      }
    }
  }
  write_text(out, plan.onnx);
  out << plan.external.size() << ' ';
  for (auto& e : plan.external) write_text(out, e.first), write_text(out, e.second);
  return out.str();
}

Plan read_plan(const std::string& bytes, int device) {
  const std::string header = plan_header(device);
  if (bytes.compare(0, header.size(), header) != 0) throw std::runtime_error("this is no plan of this release for this kind of GPU");
  std::istringstream in(bytes.substr(header.size()));
  Plan plan;
  size_t profiles = 0, n = 0;
  in >> plan.shared >> plan.dla >> plan.dropped_bits >> profiles;
  plan.profiles.resize(profiles);
  for (Ranges& profile : plan.profiles) {
    for (in >> n; n > 0; n--)
      for (auto& shape : profile[read_text(in)]) {
        size_t rank = 0;
        in >> rank;
        shape.resize(rank);
        for (int64_t& d : shape) in >> d;
      }
  }
  plan.onnx = read_text(in);
  for (in >> n; n > 0; n--) {
    const std::string name = read_text(in);
    plan.external[name] = read_text(in);
  }
  return plan;
}

}  // namespace standin

nvinfer1::IBuilder* nvinfer1::createInferBuilder(ILogger& logger) { return standin::fails("createInferBuilder") ? nullptr : new standin::Builder(logger); }

nvonnxparser::IParser* nvonnxparser::createParser(nvinfer1::INetworkDefinition& network, nvinfer1::ILogger& logger) {
  return standin::fails("createParser") ? nullptr : new standin::Parser(static_cast<standin::Network&>(network), logger);
}
