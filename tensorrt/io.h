/* SPDX-License-Identifier: Apache-2.0 */
/* The inputs and outputs of an engine, by name since TensorRT 8.5 and by index
 * before. Only this file depends on the differences between releases in a run. */
#ifndef ANYINFER_TENSORRT_IO_H
#define ANYINFER_TENSORRT_IO_H

#include <algorithm>

#include "driver.h"

namespace anyinfer_tensorrt {

using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::ICudaEngine;
using nvinfer1::IExecutionContext;
using nvinfer1::OptProfileSelector;

inline std::string to_text(const Dims& d) {
  std::string text;
  for (int i = 0; i < d.nbDims; i++) text += (i > 0 ? "x" : "") + std::to_string(d.d[i]);
  return "[" + text + "]";
}

inline Dims to_dims(const int64_t* dims, size_t rank) {
  if (rank > size_t(Dims::MAX_DIMS)) refuse(ANYINFER_SHAPE, "TensorRT's tensors have up to %d dimensions", int(Dims::MAX_DIMS));
  Dims d{};
  d.nbDims = int32_t(rank);
  for (size_t i = 0; i < rank; i++) d.d[i] = decltype(+d.d[0])(dims[i]);
  return d;
}

inline bool dynamic(const Dims& d) {
  for (int i = 0; i < d.nbDims; i++)
    if (d.d[i] < 0) return true;
  return false;
}

/* port is an input or output of an engine. */
struct port {
  std::string name;
  int index; // among all; before 8.5, of its binding in the first profile
  anyinfer_tensor tensor;
  size_t element; // bytes
  std::vector<std::pair<Dims, Dims>> ranges; // of an input with dynamic dimensions, smallest and largest, by profile

  size_t bytes(const Dims& d) const {
    size_t n = element;
    for (int i = 0; i < d.nbDims; i++) n *= size_t(d.d[i]);
    return n;
  }
};

inline void set_type(port& p, DataType type) {
  const auto is = [&](anyinfer_dtype dtype, size_t bytes) { p.tensor.dtype = dtype, p.element = bytes; };
  switch (type) {
    case DataType::kFLOAT: return is(ANYINFER_FLOAT32, 4);
    case DataType::kHALF: return is(ANYINFER_FLOAT16, 2);
    case DataType::kINT8: return is(ANYINFER_INT8, 1);
    case DataType::kINT32: return is(ANYINFER_INT32, 4);
    case DataType::kBOOL: return is(ANYINFER_BOOL, 1);
#if ANYINFER_TENSORRT >= 806
    case DataType::kUINT8: return is(ANYINFER_UINT8, 1);
#endif
#if ANYINFER_TENSORRT >= 1000
    case DataType::kBF16: return is(ANYINFER_BFLOAT16, 2);
    case DataType::kINT64: return is(ANYINFER_INT64, 8);
#endif
    default: refuse(ANYINFER_DTYPE, "\"%.100s\" is of TensorRT's type %d, which this API does not support", p.name.c_str(), int(type));
  }
}

inline anyinfer_shape to_shape(const Dims& d, const std::string& name) {
  if (d.nbDims < 0) refuse(ANYINFER_MODEL, "TensorRT does not report the shape of \"%.100s\"", name.c_str());
  return anyinfer::to_shape(std::vector<int64_t>(d.d, d.d + d.nbDims));
}

#if ANYINFER_TENSORRT >= 805

inline int ports(const ICudaEngine& e) { return e.getNbIOTensors(); }
inline const char* name_of(const ICudaEngine& e, int i) { return e.getIOTensorName(i); }
inline bool is_input(const ICudaEngine& e, int i) { return e.getTensorIOMode(name_of(e, i)) == nvinfer1::TensorIOMode::kINPUT; }
inline DataType type_of(const ICudaEngine& e, int i) { return e.getTensorDataType(name_of(e, i)); }
inline Dims dims_of(const ICudaEngine& e, int i) { return e.getTensorShape(name_of(e, i)); }
/* is_array reports whether a tensor is a plain array on the GPU. */
inline bool is_array(const ICudaEngine& e, int i) {
  return e.getTensorLocation(name_of(e, i)) == nvinfer1::TensorLocation::kDEVICE && e.getTensorFormat(name_of(e, i)) == nvinfer1::TensorFormat::kLINEAR;
}
inline Dims range_of(const ICudaEngine& e, int i, int profile, OptProfileSelector which) { return e.getProfileShape(name_of(e, i), profile, which); }

inline bool set_dims(IExecutionContext& c, const port& p, int, const Dims& d) { return c.setInputShape(p.name.c_str(), d); }
inline Dims dims_of(const IExecutionContext& c, const port& p, int) { return c.getTensorShape(p.name.c_str()); }
/* ready reports whether the shapes of all inputs are set. */
inline bool ready(IExecutionContext& c) { return c.inferShapes(0, nullptr) == 0; }

/* addresses sets the memory of a context's tensors. */
class addresses {
 public:
  void set(IExecutionContext& c, const port& p, int, CUdeviceptr at) {
    if (!c.setTensorAddress(p.name.c_str(), reinterpret_cast<void*>(at))) refuse(ANYINFER_RUN, "TensorRT refuses memory for \"%.100s\"", p.name.c_str());
  }
  bool enqueue(IExecutionContext& c, CUstream s) { return c.enqueueV3(reinterpret_cast<cudaStream_t>(s)); }
};

#else

inline int ports(const ICudaEngine& e) { return e.getNbBindings() / e.getNbOptimizationProfiles(); }
inline const char* name_of(const ICudaEngine& e, int i) { return e.getBindingName(i); }
inline bool is_input(const ICudaEngine& e, int i) { return e.bindingIsInput(i); }
inline DataType type_of(const ICudaEngine& e, int i) { return e.getBindingDataType(i); }
inline Dims dims_of(const ICudaEngine& e, int i) { return e.getBindingDimensions(i); }
inline bool is_array(const ICudaEngine& e, int i) {
  return !e.isShapeBinding(i) && e.getLocation(i) == nvinfer1::TensorLocation::kDEVICE && e.getBindingFormat(i) == nvinfer1::TensorFormat::kLINEAR;
}
inline Dims range_of(const ICudaEngine& e, int i, int profile, OptProfileSelector which) {
  return e.getProfileDimensions(profile * ports(e) + i, profile, which);
}

/* binding returns the index of p in a profile: each profile has its own. */
inline int binding(const IExecutionContext& c, const port& p, int profile) { return profile * ports(c.getEngine()) + p.index; }
inline bool set_dims(IExecutionContext& c, const port& p, int profile, const Dims& d) { return c.setBindingDimensions(binding(c, p, profile), d); }
inline Dims dims_of(const IExecutionContext& c, const port& p, int profile) { return c.getBindingDimensions(binding(c, p, profile)); }
inline bool ready(IExecutionContext& c) { return c.allInputDimensionsSpecified(); }

class addresses {
 public:
  void set(IExecutionContext& c, const port& p, int profile, CUdeviceptr at) {
    all_.resize(size_t(c.getEngine().getNbBindings()));
    all_[size_t(binding(c, p, profile))] = reinterpret_cast<void*>(at);
  }
  bool enqueue(IExecutionContext& c, CUstream s) { return c.enqueueV2(all_.data(), reinterpret_cast<cudaStream_t>(s), nullptr); }

 private:
  std::vector<void*> all_;
};

#endif

/* describe returns a tensor of an engine, with its range in each profile. */
inline port describe(const ICudaEngine& e, int i) {
  port p{name_of(e, i), i, {}, 0, {}};
  if (!is_array(e, i))
    refuse(ANYINFER_MODEL, "\"%.100s\" is a shape tensor, or has a memory format of its own; this engine runs models whose inputs and outputs are plain arrays", p.name.c_str());
  set_type(p, type_of(e, i));
  Dims d = dims_of(e, i);
  if (is_input(e, i) && dynamic(d)) {
    for (int k = 0; k < e.getNbOptimizationProfiles(); k++)
      p.ranges.emplace_back(range_of(e, i, k, OptProfileSelector::kMIN), range_of(e, i, k, OptProfileSelector::kMAX));
    for (int j = 0; j < d.nbDims; j++) {
      bool fixed = d.d[j] < 0;
      for (auto& r : p.ranges) fixed = fixed && r.first.d[j] == p.ranges[0].first.d[j] && r.second.d[j] == r.first.d[j];
      if (fixed) d.d[j] = p.ranges[0].first.d[j];
    }
  }
  p.tensor.shape = to_shape(d, p.name);
  return p;
}

}  // namespace anyinfer_tensorrt

#endif
