// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: what its objects have in common. Each is
// counted, and its parent tells who deletes it too early.
#ifndef ANYINFER_STANDIN_OBJECT_H
#define ANYINFER_STANDIN_OBJECT_H

#include <atomic>
#include <memory>
#include <string>

#include "NvInfer.h"
#include "standin.h"

namespace standin {

using nvinfer1::ILogger;
using Severity = ILogger::Severity;

using Count = std::shared_ptr<std::atomic<int>>;

class Object {
 public:
  explicit Object(Count parent = nullptr) : parent_(std::move(parent)), children_(std::make_shared<std::atomic<int>>(0)) {
    live(1);
    if (parent_ != nullptr) ++*parent_;
  }
  virtual ~Object() {
    live(-1);
    if (parent_ != nullptr) --*parent_;
  }
  const Count& children() const { return children_; }

 protected:
  // last is called where the object goes, with what the genuine one says.
  void last(ILogger& logger, const char* what) const {
    if (*children_ == 0) return;
    logger.log(Severity::kERROR, what);
    mistake(what);
  }

 private:
  Count parent_, children_;
};

// api_error logs a call that the API does not allow.
inline void api_error(ILogger& logger, const std::string& function, const std::string& text) {
  const std::string head = STANDIN_TENSORRT < 1000 ? "3: [standin::" + function + "] " : function + ": ";
  logger.log(Severity::kERROR, (head + "Error Code 3: API Usage Error (" + text + ")").c_str());
}

// internal_error logs what else cannot be done.
inline void internal_error(ILogger& logger, const std::string& function, int code, const std::string& text) {
  const std::string head = STANDIN_TENSORRT < 1000 ? std::to_string(code) + ": [standin::" + function + "] " : function + ": ";
  const char* kind = code == 1 ? "Serialization" : "Internal Error";
  logger.log(Severity::kERROR, (head + "Error Code " + std::to_string(code) + ": " + kind + " (" + text + ")").c_str());
}

// used is the device that a call uses. Where no context is current, TensorRT
// makes the one of GPU 0 current by itself, and leaves it so.
inline int used(const char* function) {
  const int d = device();
  if (d < 0) mistake(std::string(function) + " without a current context: TensorRT makes that of GPU 0 current, for good");
  return d < 0 ? 0 : d;
}

class HostMemory final : public nvinfer1::IHostMemory, public Object {
 public:
  explicit HostMemory(std::string bytes) : bytes_(std::move(bytes)) {}
  void* data() const override { return const_cast<char*>(bytes_.data()); }
  std::size_t size() const override { return bytes_.size(); }
  nvinfer1::DataType type() const override { return nvinfer1::DataType::kINT8; }

 private:
  std::string bytes_;
};

}  // namespace standin

#endif
