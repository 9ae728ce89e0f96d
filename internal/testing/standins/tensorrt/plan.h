// SPDX-License-Identifier: Apache-2.0

// What build.cc and run.cc of the stand-in for TensorRT share.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include "model.h"

namespace standin {
using nvinfer1::ILogger;

// Made is what the caller has to delete, before what has made it.
class Made {
 public:
  explicit Made(const char* what, const Made* maker = nullptr) : what_(what), maker_(maker == nullptr ? nullptr : maker->count_) {
    count_objects(1);
    if (maker_ != nullptr) ++*maker_;
  }
  ~Made() {
    count_objects(-1);
    if (maker_ != nullptr) --*maker_;
    if (*count_ != 0) mistake(std::string(what_) + " is deleted before what it has made");
  }
 private:
  const char* what_;
  std::shared_ptr<std::atomic<int>> maker_, count_ = std::make_shared<std::atomic<int>>(0);
};

// refuse logs an error, and returns what functions return that fail.
inline std::nullptr_t refuse(ILogger& logger, const std::string& text) { return logger.log(ILogger::Severity::kERROR, text.c_str()), nullptr; }

// used_device is the GPU that a call uses. Without a context TensorRT makes that of
// GPU 0 current, for good.
inline int used_device() {
  if (current_device() < 0) mistake("TensorRT is called without a current context");
  return std::max(current_device(), 0);
}

// A Plan is for one release and one kind of GPU.
struct Plan {
  bool shared = STANDIN_TENSORRT >= 1000; // several contexts may use one profile
  bool dla = false;
  int dropped_bits = 0;
  std::string onnx;
  std::vector<std::string> external; // weights in other files, in their order
  std::shared_ptr<const Model> model;
  std::vector<std::vector<std::array<Shape, 3>>> profiles; // by input: its smallest, best and largest shape
};

std::string write_plan(const Plan& plan, int device);
Plan read_plan(const std::string& bytes, int device); // throws
}  // namespace standin
