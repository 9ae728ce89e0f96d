// SPDX-License-Identifier: Apache-2.0

// What build.cc and run.cc of the stand-in for TensorRT share.
#ifndef ANYINFER_STANDIN_PLAN_H
#define ANYINFER_STANDIN_PLAN_H

#include <array>
#include <atomic>
#include <memory>

#include "model.h"

namespace standin {

using nvinfer1::ILogger;

// Made is what the caller has to delete, before what it was made by.
class Made {
 public:
  explicit Made(const char* what, std::shared_ptr<std::atomic<int>> maker = nullptr) : what_(what), maker_(std::move(maker)) {
    count_objects(1);
    if (maker_ != nullptr) ++*maker_;
  }
  ~Made() {
    count_objects(-1);
    if (maker_ != nullptr) --*maker_;
    if (*made != 0) mistake(std::string(what_) + " is deleted before what it has made");
  }
  const std::shared_ptr<std::atomic<int>> made = std::make_shared<std::atomic<int>>(0);

 private:
  const char* what_;
  std::shared_ptr<std::atomic<int>> maker_;
};

class HostMemory final : public nvinfer1::IHostMemory, public Made {
 public:
  explicit HostMemory(std::string bytes) : Made("host memory"), bytes_(std::move(bytes)) {}
  void* data() const override { return const_cast<char*>(bytes_.data()); }
  std::size_t size() const override { return bytes_.size(); }

 private:
  std::string bytes_;
};

// refuse logs an error; it returns what functions return that fail.
inline std::nullptr_t refuse(ILogger& logger, const std::string& text) {
  logger.log(ILogger::Severity::kERROR, text.c_str());
  return nullptr;
}

// current_or_mistake is the GPU that a call uses. Without a context TensorRT makes
// that of GPU 0 current, for good.
inline int current_or_mistake(const char* function) {
  if (current_device() < 0) mistake(std::string(function) + " without a current context");
  return std::max(current_device(), 0);
}

using Ranges = std::map<std::string, std::array<Shape, 3>>; // by input: smallest, best, largest

// A Plan is for one release and one kind of GPU. It holds the ONNX file.
struct Plan {
  bool shared = STANDIN_TENSORRT >= 1000; // several contexts may use one profile
  bool dla = false;
  int dropped_bits = 0;
  std::vector<Ranges> profiles;
  std::string onnx;
  std::map<std::string, std::string> external; // weights, by file
};

std::string write_plan(const Plan& plan, int device);
Plan read_plan(const std::string& bytes, int device); // throws

}  // namespace standin

#endif
