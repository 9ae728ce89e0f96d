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
using namespace nvinfer1;
static std::string plan_header(int device) { return "standin " + std::to_string(NV_TENSORRT_VERSION) + " " + std::to_string(gpus[device].minor) + "\n"; }

struct NetworkTensor final : ITensor {
  NetworkTensor(int t, std::string n = "", Shape s = {}) : type(t), name(std::move(n)), shape(std::move(s)) {}
  char const* getName() const override { return name.c_str(); }
  Dims getDimensions() const override { return to_dims(shape); }
  DataType getType() const override { return to_trt(type); }
  int type;
  std::string name;
  Shape shape;
};
struct Layer final : ILayer {
  explicit Layer(int type) : out(type) {}
  ITensor* getOutput(int32_t) const override { return &out; }
  mutable NetworkTensor out;
};
struct Network final : INetworkDefinition, Made {
  Network(const Made& builder, uint32_t f) : Made("a network", &builder), flags(f) {}
  int32_t getNbLayers() const override { return int32_t(layers.size()); }
  ILayer* getLayer(int32_t index) const override { return &layers.at(size_t(index)); }
  int32_t getNbInputs() const override { return int32_t(inputs.size()); }
  ITensor* getInput(int32_t index) const override { return &inputs.at(size_t(index)); }

  uint32_t flags;
  Plan plan;                 // the part of the plan that the parser has set
  std::weak_ptr<int> parser; // which owns the weights
  mutable std::deque<NetworkTensor> inputs;
  mutable std::deque<Layer> layers;
};

class Parser final : public nvonnxparser::IParser, public nvonnxparser::IParserError, public Made {
 public:
  Parser(Network& network, ILogger& logger) : Made("a parser"), network_(network), logger_(logger) {}

  bool parse(void const* data, size_t size, char const* path) override {
    try {
      if (fails("parse")) throw std::runtime_error("it fails as asked for");
      need(STANDIN_TENSORRT >= 1000 || network_.flags == 1, "the network has an implicit batch dimension");
      Plan& plan = network_.plan;
      plan.onnx.assign(static_cast<const char*>(data), size);
      const std::string model = path == nullptr ? "" : path, folder = model.substr(0, model.rfind('/') + 1);
      plan.model = std::make_shared<Model>(plan.onnx, [&](const std::string& name) {
        std::ifstream file(folder + name, std::ios::binary);
        return plan.external.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
      }, node_);
      Shapes shapes;
      for (auto& i : plan.model->inputs) shapes[i.name] = i.shape, network_.inputs.emplace_back(i.type, i.name, i.shape);
      const Tensors all = plan.model->infer(shapes);
      for (auto& n : plan.model->nodes) network_.layers.emplace_back(all.at(n.out).type);
      network_.parser = alive_;
      return true;
    } catch (const std::exception& e) {
      error_ = e.what();
      return refuse(logger_, error_) != nullptr;
    }
  }
  int getNbErrors() const override { return error_.empty() ? 0 : 1; }
  IParserError const* getError(int) const override { return this; }
  char const* desc() const override { return error_.c_str(); }
  int node() const override { return node_; }
 private:
  Network& network_;
  ILogger& logger_;
  std::string error_;
  int node_ = -1;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};
struct Profile final : IOptimizationProfile {
  bool setDimensions(char const* name, OptProfileSelector select, Dims const& dims) override {
    shapes[name][size_t(select)].assign(dims.d, dims.d + dims.nbDims);
    return !fails("setDimensions");
  }
  std::map<std::string, std::array<Shape, 3>> shapes; // by input
};
struct HostMemory final : IHostMemory, Made {
  explicit HostMemory(std::string b) : Made("host memory"), bytes(std::move(b)) {}
  void* data() const override { return &bytes[0]; }
  std::size_t size() const override { return bytes.size(); }
  mutable std::string bytes;
};
struct TimingCache final : ITimingCache, Made {
  explicit TimingCache(const Made& config) : Made("a timing cache", &config) {}
  IHostMemory* serialize() const override { return new HostMemory(plan_header(used_device())); }
};
struct Config final : IBuilderConfig, Made {
  Config(const Made& builder, ILogger& l) : Made("a configuration", &builder), logger(l) {}
  void setFlag(BuilderFlag flag) override { flags |= 1U << uint32_t(flag); }
  void clearFlag(BuilderFlag flag) override { flags &= ~(1U << uint32_t(flag)); }
  bool has(BuilderFlag flag) const { return (flags >> uint32_t(flag) & 1) != 0; }
  int32_t addOptimizationProfile(IOptimizationProfile const* profile) override { return profiles.push_back(static_cast<const Profile*>(profile)->shapes), 0; }
  ITimingCache* createTimingCache(void const* blob, std::size_t size) const override {
    return size == 0 || plan_header(used_device()).compare(0, size, static_cast<const char*>(blob), size) == 0 ? new TimingCache(*this) : refuse(logger, "the timing cache is another release's or GPU's");
  }
  void setDefaultDeviceType(DeviceType type) override { dla = type == DeviceType::kDLA; }
  void setDLACore(int32_t core) override { dla_core = core; }
#if STANDIN_TENSORRT == 806
  void setPreviewFeature(PreviewFeature, bool enable) override { shared = enable; }
  bool shared = false;
#endif
#if STANDIN_TENSORRT >= 1000
  void setProgressMonitor(IProgressMonitor* m) override { monitor = m; }
  IProgressMonitor* monitor = nullptr;
#endif
  ILogger& logger;
  uint32_t flags = 1U << uint32_t(BuilderFlag::kTF32);
  bool dla = false;
  int32_t dla_core = -1;
  std::vector<decltype(Profile::shapes)> profiles;
};

class Builder final : public IBuilder, public Made {
 public:
  explicit Builder(ILogger& logger) : Made("a builder"), logger_(logger), device_(used_device()) {}
  INetworkDefinition* createNetworkV2(NetworkDefinitionCreationFlags flags) override { return fails("createNetworkV2") ? nullptr : new Network(*this, flags); }
  IBuilderConfig* createBuilderConfig() override { return fails("createBuilderConfig") ? nullptr : new Config(*this, logger_); }
  IOptimizationProfile* createOptimizationProfile() override { return fails("createOptimizationProfile") ? nullptr : &profiles_.emplace_back(); }
  IHostMemory* buildSerializedNetwork(INetworkDefinition& network, IBuilderConfig& config) override {
    if (fails("buildSerializedNetwork")) return refuse(logger_, "it fails as asked for");
    try {
      return build(static_cast<Network&>(network), static_cast<Config&>(config));
    } catch (const std::exception& e) {
      return refuse(logger_, e.what());
    }
  }
 private:
  IHostMemory* build(const Network& network, const Config& config) {
    need(used_device() == device_, "the builder was made with another GPU current");
    if (network.parser.expired()) return mistake("a parser is deleted before the build: it owns the weights"), nullptr;
    Plan plan = network.plan;
    for (auto& p : config.profiles) add_profile(plan, p);
    if (config.profiles.empty()) add_profile(plan, {});
    plan.dla = config.dla;
    need(!plan.dla || (config.dla_core >= 0 && config.dla_core < gpus[device_].dla_cores), "there is no such DLA core");
    bool shorter = false;
#if STANDIN_TENSORRT < 1100
    shorter = config.has(BuilderFlag::kFP16);
#endif
#if STANDIN_TENSORRT >= 1000 && STANDIN_TENSORRT < 1100
    shorter = shorter || config.has(BuilderFlag::kBF16);
    need(!shorter || network.flags == 0, "a strongly typed network takes no flags of precisions");
#endif
#if STANDIN_TENSORRT == 806
    plan.shared = config.shared;
#endif
    need(shorter || !plan.dla, "a DLA core computes in float16 and int8 alone");
    plan.dropped_bits = shorter || config.has(BuilderFlag::kTF32) ? 13 : 0;
    return work(config) ? new HostMemory(write_plan(plan, device_)) : nullptr;
  }

  // add_profile refuses shapes that are none of the model's.
  static void add_profile(Plan& plan, const decltype(Profile::shapes)& given) {
    Shapes shapes[3];
    auto& profile = plan.profiles.emplace_back();
    for (auto& i : plan.model->inputs) {
      const auto found = given.find(i.name);
      profile.push_back(found == given.end() ? std::array<Shape, 3>{i.shape, i.shape, i.shape} : found->second);
      for (size_t which = 0; which < 3; which++) {
        const Shape& shape = shapes[which][i.name] = profile.back()[which];
        need(shape.size() == i.shape.size() && elements(shape) >= 0, "a profile has shapes of another rank");
        for (size_t k = 0; k < shape.size(); k++)
          need((i.shape[k] == -1 || i.shape[k] == shape[k]) && (which == 0 || profile.back()[which - 1][k] <= shape[k]), "a profile has shapes that are not the model's, or not in order");
      }
    }
    for (auto& s : shapes) plan.model->infer(s);
  }

  // work takes its time on a thread of its own, as a genuine build does. It is
  // false where the caller has ended it.
  bool work(const Config& config) {
    bool go_on = true;
    std::thread([&] {
      logger_.log(ILogger::Severity::kINFO, "stand-in: a plan is built");
      const int steps = std::max(1, build_delay() / 20);
      for (int i = 0; i < steps && go_on; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(build_delay() / steps));
#if STANDIN_TENSORRT >= 1000
        if (i == 0) config.monitor->phaseStart("Building Engine", nullptr, steps);
        go_on = config.monitor->stepComplete("Building Engine", i);
#endif
      }
    }).join();
    return (void)config, go_on;
  }

  ILogger& logger_;
  int device_;
  std::deque<Profile> profiles_;
};

static std::string read_text(std::istream& in) {
  size_t size = 0;
  in >> size;
  std::string text(size, 0);
  in.ignore().read(&text[0], std::streamsize(size));
  return text;
}

std::string write_plan(const Plan& plan, int device) {
  std::ostringstream out;
  out << plan_header(device) << plan.shared << ' ' << plan.dla << ' ' << plan.dropped_bits << ' ' << plan.external.size() << ' ' << plan.profiles.size() << ' ';
  for (auto& text : plan.external) out << text.size() << ' ' << text;
  out << plan.onnx.size() << ' ' << plan.onnx;
  for (auto& profile : plan.profiles)
    for (auto& shapes : profile)
      for (auto& shape : shapes)
        for (int64_t d : shape) out << d << ' ';
  return out.str();
}
Plan read_plan(const std::string& bytes, int device) {
  const std::string header = plan_header(device);
  need(bytes.compare(0, header.size(), header) == 0, "this is no plan of this release for this kind of GPU");
  std::istringstream in(bytes.substr(header.size()));
  Plan plan;
  size_t files = 0, profiles = 0, next = 0;
  int node = -1;
  in >> plan.shared >> plan.dla >> plan.dropped_bits >> files >> profiles;
  for (size_t i = 0; i < files; i++) plan.external.push_back(read_text(in));
  plan.onnx = read_text(in);
  plan.model = std::make_shared<Model>(plan.onnx, [&](const std::string&) { return plan.external.at(next++); }, node);
  plan.profiles.resize(profiles);
  for (auto& profile : plan.profiles)
    for (auto& input : plan.model->inputs)
      for (auto& shape : profile.emplace_back()) {
        shape.resize(input.shape.size());
        for (int64_t& d : shape) in >> d;
      }
  return plan;
}
}  // namespace standin

nvinfer1::IBuilder* nvinfer1::createInferBuilder(ILogger& logger) { return standin::fails("createInferBuilder") ? nullptr : new standin::Builder(logger); }
nvonnxparser::IParser* nvonnxparser::createParser(nvinfer1::INetworkDefinition& network, nvinfer1::ILogger& logger) {
  return standin::fails("createParser") ? nullptr : new standin::Parser(static_cast<standin::Network&>(network), logger);
}
