// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: what a build is asked for.
#ifndef ANYINFER_STANDIN_CONFIG_H
#define ANYINFER_STANDIN_CONFIG_H

#include "network.h"
#include "plan.h"

namespace standin {

using nvinfer1::BuilderFlag;

class Profile final : public nvinfer1::IOptimizationProfile {
 public:
  explicit Profile(ILogger& logger) : logger_(logger) {}

#if STANDIN_TENSORRT < 1000
  bool setDimensions(char const* name, nvinfer1::OptProfileSelector select, nvinfer1::Dims dims) override { return set(name, size_t(select), dims); }
#else
  bool setDimensions(char const* name, nvinfer1::OptProfileSelector select, nvinfer1::Dims const& dims) override { return set(name, size_t(select), dims); }
#endif
  nvinfer1::Dims getDimensions(char const* name, nvinfer1::OptProfileSelector select) const override {
    const auto found = given_.find(name);
    return found == given_.end() || !found->second.set[size_t(select)] ? nvinfer1::Dims{-1, {}} : to_dims(found->second.shapes[size_t(select)]);
  }
  bool isValid() const override {
    for (auto& g : given_)
      for (bool s : g.second.set)
        if (!s) return false;
    return true;
  }

  Ranges ranges() const {
    Ranges all;
    for (auto& g : given_) all[g.first] = g.second.shapes;
    return all;
  }

 private:
  struct Given {
    std::array<Shape, 3> shapes;
    bool set[3] = {};
  };

  bool set(char const* name, size_t select, const nvinfer1::Dims& dims) {
    const Shape shape = from_dims(dims);
    Given g = given_[name];
    g.shapes[select] = shape;
    g.set[select] = true;
    bool good = !is_dynamic(shape);
    for (size_t i = 0; i < 2; i++)
      for (size_t k = i + 1; good && k < 3; k++) {
        if (!g.set[i] || !g.set[k]) continue;
        good = g.shapes[i].size() == g.shapes[k].size();
        for (size_t d = 0; good && d < g.shapes[i].size(); d++) good = g.shapes[i][d] <= g.shapes[k][d];
      }
    if (!good) {
      api_error(logger_, "IOptimizationProfile::setDimensions", "Parameter check failed: " + to_text(shape) + " is no shape for input " + name + ", or does not go with the others");
      return false;
    }
    given_[name] = g;
    return true;
  }

  ILogger& logger_;
  std::map<std::string, Given> given_;
};

// A TimingCache holds a number for each layer that was built.
class TimingCache final : public nvinfer1::ITimingCache, public Object {
 public:
  static const int64_t MAGIC = 0x65686361636d6974;

  explicit TimingCache(std::pair<int, int> compute) : compute_(compute) {}

  nvinfer1::IHostMemory* serialize() const override {
    Writer w;
    w.number(compute_.first);
    w.number(compute_.second);
    w.number(int64_t(times.size()));
    for (auto& t : times) w.number(t.first), w.number(t.second);
    Writer head;
    head.number(MAGIC);
    head.string(release());
    head.number(checksum(w.bytes));
    head.string(w.bytes);
    return new HostMemory(head.bytes);
  }
  bool combine(ITimingCache const& other, bool ignore_mismatch) override {
    auto& o = static_cast<const TimingCache&>(other);
    if (o.compute_ != compute_ && !ignore_mismatch) return false;
    times.insert(o.times.begin(), o.times.end());
    return true;
  }
  bool reset() override {
    times.clear();
    return true;
  }

  // read returns what is wrong, or "".
  std::string read(const std::string& bytes) {
    Reader head(bytes);
    if (head.number() != MAGIC) return "Timing cache magic tag does not match";
    const std::string from = head.string();
    const int64_t sum = head.number();
    const std::string body = head.string();
    if (!head.finished() || checksum(body) != sum) return "Detected an invalid timing cache entry.";
    if (from != release()) return "The timing cache is of another version of TensorRT";
    Reader r(body);
    compute_.first = int(r.number()), compute_.second = int(r.number());
    for (int64_t i = r.number(); i > 0 && r.good(); i--) {
      const int64_t key = r.number();
      times[key] = r.number();
    }
    return r.finished() ? "" : "Detected an invalid timing cache entry.";
  }

  const std::pair<int, int>& compute() const { return compute_; }
  const std::weak_ptr<void> alive() const { return alive_; }

  mutable std::map<int64_t, int64_t> times; // by layer

 private:
  std::pair<int, int> compute_;
  std::shared_ptr<void> alive_ = std::make_shared<int>(0);
};

class Config final : public nvinfer1::IBuilderConfig, public Object {
 public:
  Config(Count builder, ILogger& logger, std::pair<int, int> compute) : Object(std::move(builder)), logger_(logger), compute_(compute) { setFlag(BuilderFlag::kTF32); }

  void setFlags(nvinfer1::BuilderFlags flags) override { flags_ = flags; }
  nvinfer1::BuilderFlags getFlags() const override { return flags_; }
  void setFlag(BuilderFlag flag) override { flags_ |= 1U << uint32_t(flag); }
  void clearFlag(BuilderFlag flag) override { flags_ &= ~(1U << uint32_t(flag)); }
  bool getFlag(BuilderFlag flag) const override { return (flags_ >> uint32_t(flag) & 1) != 0; }

  int32_t addOptimizationProfile(nvinfer1::IOptimizationProfile const* profile) override {
    if (profile == nullptr || !profile->isValid()) {
      api_error(logger_, "IBuilderConfig::addOptimizationProfile", "Parameter check failed, condition: profile->isValid()");
      return -1;
    }
    profiles.push_back(static_cast<const Profile*>(profile)->ranges());
    return int32_t(profiles.size()) - 1;
  }
  int32_t getNbOptimizationProfiles() const override { return int32_t(profiles.size()); }
  void setProfilingVerbosity(nvinfer1::ProfilingVerbosity v) override { verbosity_ = v; }
  nvinfer1::ProfilingVerbosity getProfilingVerbosity() const override { return verbosity_; }

  nvinfer1::ITimingCache* createTimingCache(void const* blob, std::size_t size) const override {
    if (fails("createTimingCache")) return nullptr;
    auto* cache = new TimingCache(compute_);
    const std::string wrong = size == 0 ? "" : cache->read(std::string(static_cast<const char*>(blob), size));
    if (wrong.empty()) return cache;
    internal_error(logger_, "IBuilderConfig::createTimingCache", 1, wrong);
    delete cache;
    return nullptr;
  }
  bool setTimingCache(nvinfer1::ITimingCache const& cache, bool ignore_mismatch) override {
    auto& c = static_cast<const TimingCache&>(cache);
    if (c.compute() != compute_ && !ignore_mismatch) {
      api_error(logger_, "IBuilderConfig::setTimingCache", "the timing cache was made with compute " + capability(c.compute()) + ", and this is " + capability(compute_));
      return false;
    }
    cache_ = &c;
    cache_alive_ = c.alive();
    return true;
  }
  nvinfer1::ITimingCache const* getTimingCache() const override { return cache_; }

  void setDefaultDeviceType(nvinfer1::DeviceType type) override { device_type_ = type; }
  nvinfer1::DeviceType getDefaultDeviceType() const override { return device_type_; }
  void setDLACore(int32_t core) override { dla_core_ = core; }
  int32_t getDLACore() const override { return dla_core_; }
#if STANDIN_TENSORRT < 1000
  void setMaxWorkspaceSize(std::size_t size) override { workspace_ = size; }
  std::size_t getMaxWorkspaceSize() const override { return workspace_; }
#endif
#if STANDIN_TENSORRT >= 806
  void setMemoryPoolLimit(nvinfer1::MemoryPoolType pool, std::size_t size) override { pools_[int(pool)] = size; }
  std::size_t getMemoryPoolLimit(nvinfer1::MemoryPoolType pool) const override { return pools_.count(int(pool)) != 0 ? pools_.at(int(pool)) : 0; }
  void setPreviewFeature(nvinfer1::PreviewFeature feature, bool enable) override { preview_[int(feature)] = enable; }
  bool getPreviewFeature(nvinfer1::PreviewFeature feature) const override { return preview_.count(int(feature)) != 0 && preview_.at(int(feature)); }
  void setBuilderOptimizationLevel(int32_t level) override {
    if (level < 0 || level > 5) api_error(logger_, "IBuilderConfig::setBuilderOptimizationLevel", "Parameter check failed, condition: level >= 0 && level <= 5");
    else level_ = level;
  }
  int32_t getBuilderOptimizationLevel() override { return level_; }
#endif
#if STANDIN_TENSORRT >= 1000
  void setProgressMonitor(nvinfer1::IProgressMonitor* monitor) override { monitor_ = monitor; }
  nvinfer1::IProgressMonitor* getProgressMonitor() const override { return monitor_; }
#endif

  // timing_cache is the one set, unless it was deleted.
  const TimingCache* timing_cache() const {
    if (cache_ != nullptr && cache_alive_.expired()) {
      mistake("a timing cache was deleted before the build that it was set for");
      return nullptr;
    }
    return cache_;
  }

  std::vector<Ranges> profiles;

 private:
  ILogger& logger_;
  std::pair<int, int> compute_;
  uint32_t flags_ = 0;
  nvinfer1::ProfilingVerbosity verbosity_ = nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY;
  const TimingCache* cache_ = nullptr;
  std::weak_ptr<void> cache_alive_;
  nvinfer1::DeviceType device_type_ = nvinfer1::DeviceType::kGPU;
  int32_t dla_core_ = 0;
#if STANDIN_TENSORRT < 1000
  std::size_t workspace_ = 0;
#endif
#if STANDIN_TENSORRT >= 806
  std::map<int, std::size_t> pools_;
  std::map<int, bool> preview_;
  int32_t level_ = 3;
#endif
#if STANDIN_TENSORRT >= 1000
  nvinfer1::IProgressMonitor* monitor_ = nullptr;
#endif
};

}  // namespace standin

#endif
