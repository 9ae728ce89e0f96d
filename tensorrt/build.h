/* SPDX-License-Identifier: Apache-2.0 */
/* Builds plans from ONNX models. */
#ifndef ANYINFER_TENSORRT_BUILD_H
#define ANYINFER_TENSORRT_BUILD_H

#include "io.h"

#include <NvOnnxParser.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <set>

namespace anyinfer_tensorrt {

using nvinfer1::BuilderFlag;
using nvinfer1::IBuilder;
using nvinfer1::IBuilderConfig;
using nvinfer1::IHostMemory;
using nvinfer1::INetworkDefinition;

/* The options that a plan is built with. */
struct build_options {
  std::string precision; // "": the model's own
  std::map<std::string, anyinfer::range> shapes;
  long long workspace = 0; // bytes; 0: TensorRT's default
  int level = 0;           // of optimization, 1 to 5; 0: TensorRT's default
  int sessions = 1;
  bool tf32 = false;
  std::string timing_cache; // a file that is read and written, or ""
};

#if ANYINFER_TENSORRT >= 1000
/* progress logs the steps of a build, at INFO every 2 s, and ends a cancelled
 * build. */
class progress : public nvinfer1::IProgressMonitor {
 public:
  progress(const anyinfer_host& host, const volatile int32_t& canceled) : host_(host), canceled_(canceled) {}

  void phaseStart(const char* phase, const char* parent, int32_t steps) noexcept override {
    if (parent == nullptr) log_step(ANYINFER_DEBUG, phase, 0, steps);
    std::lock_guard<std::mutex> lock(mutex_);
    try {
      steps_[phase] = steps;
    } catch (...) {
    }
  }

  bool stepComplete(const char* phase, int32_t step) noexcept override {
    const auto now = std::chrono::steady_clock::now();
    std::unique_lock<std::mutex> lock(mutex_);
    if (now - last_logged_ > std::chrono::seconds(2)) {
      last_logged_ = now;
      const auto found = steps_.find(phase);
      const int32_t steps = found == steps_.end() ? 0 : found->second;
      lock.unlock();
      log_step(ANYINFER_INFO, phase, step + 1, steps);
    }
    return !canceled_;
  }

  void phaseFinish(const char*) noexcept override {}

 private:
  void log_step(int32_t level, const char* phase, int32_t step, int32_t steps) const noexcept {
    char line[300];
    snprintf(line, sizeof line, "building the plan: %.200s, step %d of %d", phase, int(step), int(steps));
    if (host_.log != nullptr) host_.log(host_.user, level, line);
  }

  const anyinfer_host& host_;
  const volatile int32_t& canceled_;
  std::mutex mutex_; // phases run on threads of their own
  std::map<std::string, int32_t> steps_;
  std::chrono::steady_clock::time_point last_logged_ = std::chrono::steady_clock::now();
};
#endif

/* builder is one build with TensorRT's objects for it. */
class builder {
 public:
  builder(const anyinfer_host& host, const call& here, const processor& device, const build_options& options, const volatile int32_t& canceled)
      : host_(host), here_(here), device_(device), options_(options), canceled_(canceled) {
    builder_.reset(here.not_null(nvinfer1::createInferBuilder(trt_logger()), ANYINFER_DEVICE, "TensorRT cannot build on this machine"));
    network_.reset(here.not_null(builder_->createNetworkV2(network_flags()), ANYINFER_RUN, "TensorRT makes no network"));
    config_.reset(here.not_null(builder_->createBuilderConfig(), ANYINFER_RUN, "TensorRT makes no configuration"));
  }

  /* parse reads an ONNX file; external weights are in files beside path. */
  void parse(const void* model, size_t size, const char* path) {
    parser_.reset(here_.not_null(nvonnxparser::createParser(*network_, trt_logger()), ANYINFER_RUN, "TensorRT makes no parser"));
    if (parser_->parse(model, size, path)) return;
    std::string text = "TensorRT cannot read the model";
    for (int i = 0; i < parser_->getNbErrors(); i++) {
      const auto* e = parser_->getError(i);
      text += (i == 0 ? ": " : "; ") + (e->node() >= 0 ? "node " + std::to_string(e->node()) + ": " : std::string()) + e->desc();
    }
    throw anyinfer::failure{ANYINFER_MODEL, 0, parser_->getNbErrors() == 0 && !here_.text.empty() ? text + ": " + here_.text : text};
  }

  /* plan builds the plan, and sets precision to the type in which the model
   * computes, "" if there are several. */
  std::unique_ptr<IHostMemory> plan(std::string& precision) {
    add_profiles();
    choose_types(precision);
    choose_dla();
    set_limits();
    load_timing_cache();
    if (canceled_) refuse(ANYINFER_RUN, "cancelled");
#if ANYINFER_TENSORRT >= 1000
    progress monitor(host_, canceled_);
    config_->setProgressMonitor(&monitor);
#else
    if (host_.log != nullptr) host_.log(host_.user, ANYINFER_INFO, "building the plan, which can take minutes; this release reports no progress");
#endif
    std::unique_ptr<IHostMemory> plan(here_.not_null(builder_->buildSerializedNetwork(*network_, *config_), ANYINFER_MODEL, "TensorRT cannot build a plan of the model"));
    save_timing_cache();
    return plan;
  }

 private:
  uint32_t network_flags() const {
#if ANYINFER_TENSORRT >= 1100
    return 0; // tensors always have the types of the model
#elif ANYINFER_TENSORRT >= 1000
    return options_.precision.empty() ? 1U << uint32_t(nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED) : 0;
#else
    return 1U << uint32_t(nvinfer1::NetworkDefinitionCreationFlag::kEXPLICIT_BATCH);
#endif
  }

  /* add_profiles adds profiles with the range of shapes of each dynamic input. */
  void add_profiles() {
    bool any = false;
    std::set<std::string> names;
    for (int i = 0; i < network_->getNbInputs(); i++) names.insert(network_->getInput(i)->getName());
    for (auto& s : options_.shapes)
      if (names.count(s.first) == 0) refuse(ANYINFER_NAME, "there is no input \"%.100s\"", s.first.c_str());
    for (int i = 0; i < network_->getNbInputs(); i++) {
      const auto* input = network_->getInput(i);
      const char* name = input->getName();
      const Dims d = input->getDimensions();
      const auto given = options_.shapes.find(name);
      if (given == options_.shapes.end()) {
        if (dynamic(d))
          refuse(ANYINFER_OPTION, "input \"%.100s\" is %s: TensorRT builds for a range of shapes; set it in Options.Shapes, or with the command's --shape", name, to_text(d).c_str());
        continue;
      }
      const anyinfer::range& r = given->second;
      bool fits = size_t(d.nbDims) == r.min.size();
      for (size_t k = 0; fits && k < r.min.size(); k++) fits = d.d[k] < 0 || (d.d[k] == r.min[k] && d.d[k] == r.max[k]);
      if (!fits) refuse(ANYINFER_SHAPE, "input \"%.100s\" is %s, and Options.Shapes asks for other shapes", name, to_text(d).c_str());
      any = any || dynamic(d);
    }
    if (!any) return;
    for (int k = 0; k < profiles(); k++) {
      nvinfer1::IOptimizationProfile* profile = here_.not_null(builder_->createOptimizationProfile(), ANYINFER_RUN, "TensorRT makes no profile"); // the builder's
      for (auto& s : options_.shapes)
        for (auto which : {std::make_pair(OptProfileSelector::kMIN, &s.second.min), {OptProfileSelector::kOPT, &s.second.opt}, {OptProfileSelector::kMAX, &s.second.max}})
          here_.require(profile->setDimensions(s.first.c_str(), which.first, to_dims(which.second->data(), which.second->size())), ANYINFER_SHAPE, "TensorRT refuses Options.Shapes");
      here_.require(config_->addOptimizationProfile(profile) >= 0, ANYINFER_SHAPE, "TensorRT refuses Options.Shapes");
    }
  }

  /* profiles returns the number of profiles that a plan needs so that its sessions
   * run at once: the pool's and one of the caller. */
  int profiles() {
#if ANYINFER_TENSORRT >= 1000
    return 1;
#elif ANYINFER_TENSORRT >= 806
    config_->setPreviewFeature(nvinfer1::PreviewFeature::kPROFILE_SHARING_0806, true);
    return 1;
#else
    return options_.sessions + 1;
#endif
  }

  /* choose_types sets flags so that TensorRT computes in the precision of the
   * options, or in the model's own types. */
  void choose_types(std::string& precision) {
    if (!options_.tf32) config_->clearFlag(BuilderFlag::kTF32);
    std::set<DataType> found; // the types in which layers compute
    bool quantized = false;
    for (int i = 0; i < network_->getNbLayers(); i++) {
      const auto* layer = network_->getLayer(i);
      quantized = quantized || layer->getType() == nvinfer1::LayerType::kQUANTIZE;
      for (int k = 0; k < layer->getNbOutputs(); k++) {
        const DataType t = layer->getOutput(k)->getType();
        if (!is_index_type(t)) found.insert(t);
      }
    }
    const std::map<DataType, const char*> names = {
      {DataType::kFLOAT, "float32"}, {DataType::kHALF, "float16"},
#if ANYINFER_TENSORRT >= 1000
      {DataType::kBF16, "bfloat16"},
#endif
    };
    const std::string own = found.size() == 1 && names.count(*found.begin()) != 0 ? names.at(*found.begin()) : "";
    precision = options_.precision.empty() ? own : options_.precision;
#if ANYINFER_TENSORRT >= 1100
    (void)quantized;
    if (!options_.precision.empty() && options_.precision != own)
      refuse(ANYINFER_OPTION, "precision cannot be %.100s: since TensorRT 11 a model computes in its own types; convert the model", options_.precision.c_str());
#else
    // Flags allow a type; a strongly typed network needs none for its own types.
    if (options_.precision == "float16" || (!strongly_typed() && options_.precision.empty() && found.count(DataType::kHALF) != 0)) config_->setFlag(BuilderFlag::kFP16);
    if (quantized && !strongly_typed()) config_->setFlag(BuilderFlag::kINT8);
    if (options_.precision == "bfloat16") {
#if ANYINFER_TENSORRT >= 1000
      config_->setFlag(BuilderFlag::kBF16);
#else
      refuse(ANYINFER_OPTION, "precision cannot be bfloat16: it needs TensorRT 10");
#endif
    }
#endif
    if (device_.dla >= 0 && precision != "float16" && !quantized)
      refuse(ANYINFER_OPTION, "%s computes in float16 and int8 only: set Precision to Float16, or use a quantized model", device_.name.c_str());
  }

  /* is_index_type reports whether a type holds indices, lengths and conditions. */
  static bool is_index_type(DataType t) {
#if ANYINFER_TENSORRT >= 1000
    if (t == DataType::kINT64) return true;
#endif
    return t == DataType::kINT32 || t == DataType::kBOOL;
  }

#if ANYINFER_TENSORRT < 1100
  bool strongly_typed() const { return ANYINFER_TENSORRT >= 1000 && options_.precision.empty(); }
#endif

  void choose_dla() {
    if (device_.dla < 0) return;
    config_->setDefaultDeviceType(nvinfer1::DeviceType::kDLA);
    config_->setDLACore(device_.dla);
    config_->setFlag(BuilderFlag::kGPU_FALLBACK); // for layers that the DLA does not support
  }

  void set_limits() {
    if (options_.workspace > 0) {
#if ANYINFER_TENSORRT >= 804
      config_->setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, size_t(options_.workspace));
#else
      config_->setMaxWorkspaceSize(size_t(options_.workspace));
#endif
    }
    if (options_.level > 0) {
#if ANYINFER_TENSORRT >= 806
      config_->setBuilderOptimizationLevel(options_.level);
#else
      refuse(ANYINFER_OPTION, "OptimizationLevel: it needs TensorRT 8.6");
#endif
    }
  }

  /* load_timing_cache reads the measurements of earlier builds. */
  void load_timing_cache() {
    if (options_.timing_cache.empty()) return;
    std::ifstream file(options_.timing_cache, std::ios::binary);
    const std::string old((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    timing_cache_.reset(config_->createTimingCache(old.data(), old.size()));
    if (timing_cache_ == nullptr && !old.empty()) timing_cache_.reset(config_->createTimingCache("", 0)); // another release's
    if (timing_cache_ != nullptr) config_->setTimingCache(*timing_cache_, false);
  }

  void save_timing_cache() const {
    if (timing_cache_ == nullptr) return;
    const std::unique_ptr<IHostMemory> bytes(timing_cache_->serialize());
    if (bytes != nullptr) std::ofstream(options_.timing_cache, std::ios::binary).write(static_cast<const char*>(bytes->data()), std::streamsize(bytes->size()));
  }

  const anyinfer_host& host_;
  const call& here_;
  const processor& device_;
  const build_options& options_;
  const volatile int32_t& canceled_;
  std::unique_ptr<IBuilder> builder_;
  std::unique_ptr<INetworkDefinition> network_;
  std::unique_ptr<nvonnxparser::IParser> parser_; // owns the weights until the plan is built
  std::unique_ptr<IBuilderConfig> config_;
  std::unique_ptr<nvinfer1::ITimingCache> timing_cache_; // deleted before config_
};

}  // namespace anyinfer_tensorrt

#endif
