// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: arrays, with ONNX's numbers for the types of
// their elements.
#ifndef ANYINFER_STANDIN_TENSOR_H
#define ANYINFER_STANDIN_TENSOR_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "NvInfer.h"

namespace standin {

enum Type : int {
  FLOAT = 1,
  UINT8 = 2,
  INT8 = 3,
  UINT16 = 4,
  INT16 = 5,
  INT32 = 6,
  INT64 = 7,
  STRING = 8,
  BOOL = 9,
  FLOAT16 = 10,
  DOUBLE = 11,
  UINT32 = 12,
  UINT64 = 13,
  BFLOAT16 = 16
};

// bytes_of is the size of an element, 0 where it has none.
inline size_t bytes_of(int type) {
  static const size_t all[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 0, 0, 2};
  return type >= 0 && type <= BFLOAT16 ? all[type] : 0;
}

inline std::string name_of(int type) {
  static const char* const all[] = {"UNDEFINED", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16", "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16"};
  return type >= 0 && type <= BFLOAT16 ? all[type] : std::to_string(type);
}

inline bool is_float(int type) { return type == FLOAT || type == FLOAT16 || type == BFLOAT16; }

// known tells whether this release of TensorRT has the type.
inline bool known(int type) {
  switch (type) {
    case FLOAT:
    case FLOAT16:
    case INT8:
    case INT32:
    case BOOL: return true;
    case UINT8: return STANDIN_TENSORRT >= 806;
    case INT64:
    case BFLOAT16: return STANDIN_TENSORRT >= 1000;
    default: return false;
  }
}

inline nvinfer1::DataType to_trt(int type) {
  switch (type) {
    case FLOAT16: return nvinfer1::DataType::kHALF;
    case INT8: return nvinfer1::DataType::kINT8;
    case INT32: return nvinfer1::DataType::kINT32;
    case BOOL: return nvinfer1::DataType::kBOOL;
#if STANDIN_TENSORRT >= 806
    case UINT8: return nvinfer1::DataType::kUINT8;
#endif
#if STANDIN_TENSORRT >= 1000
    case INT64: return nvinfer1::DataType::kINT64;
    case BFLOAT16: return nvinfer1::DataType::kBF16;
#endif
    default: return nvinfer1::DataType::kFLOAT;
  }
}

// A Shape has -1 where a dimension is not known.
using Shape = std::vector<int64_t>;

// LARGEST is how many elements a tensor may have here: enough for testdata, and
// a damaged model does not take all memory.
const int64_t LARGEST = int64_t(1) << 26;

// volume is the number of elements, -1 where it is not known, or beyond LARGEST.
inline int64_t volume(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) {
    if (d < 0 || (d > 0 && n > LARGEST / d)) return -1;
    n *= d;
  }
  return n;
}

inline bool is_dynamic(const Shape& shape) {
  for (int64_t d : shape)
    if (d < 0) return true;
  return false;
}

inline std::string to_text(const Shape& shape) {
  std::string text;
  for (int64_t d : shape) text += (text.empty() ? "" : ",") + std::to_string(d);
  return "[" + text + "]";
}

inline nvinfer1::Dims to_dims(const Shape& shape) {
  nvinfer1::Dims dims{};
  dims.nbDims = int32_t(shape.size());
  for (size_t i = 0; i < shape.size() && i < size_t(nvinfer1::Dims::MAX_DIMS); i++) dims.d[i] = decltype(+dims.d[0])(shape[i]);
  return dims;
}

// from_dims is for what the caller has given: its number of dimensions is any.
inline Shape from_dims(const nvinfer1::Dims& dims) {
  if (dims.nbDims < 0 || dims.nbDims > nvinfer1::Dims::MAX_DIMS) return Shape(size_t(nvinfer1::Dims::MAX_DIMS) + 1, -1);
  return Shape(dims.d, dims.d + dims.nbDims);
}

struct Tensor {
  int type = FLOAT;
  Shape shape;
  std::vector<char> data;

  Tensor() = default;
  Tensor(int t, Shape s) : type(t), shape(std::move(s)), data(size_t(volume(shape)) * bytes_of(type)) {}

  size_t size() const { return data.size() / bytes_of(type); }
  template <typename T>
  T* as() { return reinterpret_cast<T*>(data.data()); }
  template <typename T>
  const T* as() const { return reinterpret_cast<const T*>(data.data()); }
};

// Floats of 16 bits

inline uint16_t to_half(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  const uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  const float a = std::fabs(f);
  if (std::isnan(f)) return uint16_t(sign | 0x7e00);
  if (a >= 65520.0f) return uint16_t(sign | 0x7c00);
  if (a < std::ldexp(1.0f, -14)) return uint16_t(sign | uint16_t(std::lrint(std::ldexp(a, 24))));
  int exponent;
  std::frexp(a, &exponent);
  long n = std::lrint(std::ldexp(a, 11 - exponent)); // 1024 to 2048
  if (n == 2048) n = 1024, exponent++;
  return uint16_t(sign | (exponent + 14) << 10 | (n - 1024));
}

inline float from_half(uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  const float a = exponent == 31 ? (mantissa == 0 ? INFINITY : NAN) : exponent == 0 ? std::ldexp(float(mantissa), -24) : std::ldexp(float(1024 + mantissa), exponent - 25);
  return h & 0x8000 ? -a : a;
}

// rounded has the upper bits of a float alone, to the nearest, ties to even.
inline float rounded(float f, int dropped) {
  if (!std::isfinite(f)) return f;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  bits += (1U << (dropped - 1)) - 1 + (bits >> dropped & 1);
  bits &= ~((1U << dropped) - 1);
  memcpy(&f, &bits, sizeof f);
  return f;
}

inline uint16_t to_bfloat(float f) {
  f = rounded(f, 16);
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return uint16_t(bits >> 16);
}

inline float from_bfloat(uint16_t b) {
  const uint32_t bits = uint32_t(b) << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

inline std::vector<float> to_floats(const Tensor& t) {
  if (t.type == FLOAT) return std::vector<float>(t.as<float>(), t.as<float>() + t.size());
  std::vector<float> all(t.size());
  for (size_t i = 0; i < all.size(); i++) all[i] = t.type == FLOAT16 ? from_half(t.as<uint16_t>()[i]) : from_bfloat(t.as<uint16_t>()[i]);
  return all;
}

inline Tensor from_floats(int type, Shape shape, const std::vector<float>& values) {
  Tensor t(type, std::move(shape));
  if (type == FLOAT && !values.empty()) memcpy(t.data.data(), values.data(), t.data.size());
  else
    for (size_t i = 0; i < values.size(); i++) t.as<uint16_t>()[i] = type == FLOAT16 ? to_half(values[i]) : to_bfloat(values[i]);
  return t;
}

inline int64_t integer_at(const Tensor& t, size_t i) {
  switch (t.type) {
    case UINT8: return t.as<uint8_t>()[i];
    case INT8: return t.as<int8_t>()[i];
    case BOOL: return t.as<uint8_t>()[i] != 0;
    case INT32: return t.as<int32_t>()[i];
    default: return t.as<int64_t>()[i];
  }
}

inline void set_integer(Tensor& t, size_t i, int64_t v) {
  switch (t.type) {
    case BOOL: t.as<uint8_t>()[i] = v != 0; break;
    case UINT8: t.as<uint8_t>()[i] = uint8_t(v); break;
    case INT8: t.as<int8_t>()[i] = int8_t(v); break;
    case INT32: t.as<int32_t>()[i] = int32_t(v); break;
    default: t.as<int64_t>()[i] = v;
  }
}

}  // namespace standin

#endif
