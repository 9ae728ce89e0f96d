/* SPDX-License-Identifier: Apache-2.0 */
/* A STAND-IN for TNN 0.3, and no part of it: as much of its API as the shim of
 * package tnn uses, with the names and signatures that the API has, written for
 * tests where the genuine TNN cannot be had. tnn.cc computes, for the layers of
 * testdata's models alone. */
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#define ANYINFER_TNN_VERSION "0.3 standin"
#define TNN_NS tnn
#define PUBLIC __attribute__((visibility("default")))

namespace TNN_NS {
enum DataType { DATA_TYPE_FLOAT = 0, DATA_TYPE_HALF = 1, DATA_TYPE_INT8 = 2, DATA_TYPE_INT32 = 3, DATA_TYPE_BFP16 = 4, DATA_TYPE_INT64 = 5, DATA_TYPE_UINT32 = 6 };
enum DeviceType { DEVICE_NAIVE = 0x0000, DEVICE_X86 = 0x0010, DEVICE_ARM = 0x0020, DEVICE_OPENCL = 0x1000, DEVICE_METAL = 0x1010, DEVICE_CUDA = 0x1020 };
enum Precision { PRECISION_AUTO = -1, PRECISION_NORMAL = 0, PRECISION_HIGH = 1, PRECISION_LOW = 2 };
enum MatType { INVALID = -1, NCHW_FLOAT = 0x20, NC_INT32 = 0x21 };
enum StatusCode { TNN_OK = 0x0, TNNERR_PARAM_ERR = 0x1000, TNNERR_INVALID_NETCFG = 0x1002, TNNERR_LAYER_ERR = 0x3000, TNNERR_INIT_LAYER = 0x3003, TNNERR_LOAD_MODEL = 0x6005, TNNERR_DEVICE_NOT_SUPPORT = 0x9000 };

using DimsVector = std::vector<int>;
using InputShapesMap = std::map<std::string, DimsVector>;

struct Status {
  Status(int code = TNN_OK, std::string message = "OK") : code_(code), message_(std::move(message)) {}
  operator int() { return code_; }
  std::string description() {
    char code[32];
    snprintf(code, sizeof code, "code: 0x%04X msg: ", unsigned(code_));
    return code + message_;
  }
  int code_;
  std::string message_;
};
struct NetworkConfig {
  DeviceType device_type = DEVICE_ARM;
  Precision precision = PRECISION_AUTO;
};
struct ModelConfig {
  std::vector<std::string> params;
};
struct BlobDesc {
  DeviceType device_type = DEVICE_NAIVE;
  DataType data_type = DATA_TYPE_FLOAT;
  DimsVector dims;
  std::string name;
};

struct Blob {
  explicit Blob(BlobDesc d) : desc(std::move(d)) {}
  BlobDesc& GetBlobDesc() { return desc; }
  bool NeedAllocateInForward() { return late; }

  /* Of the stand-in only. */
  BlobDesc desc;
  std::vector<float> values;
  bool late = false;
};
using BlobMap = std::map<std::string, Blob*>;
struct Mat {
  Mat(DeviceType, MatType t, DimsVector, void* d) : type(t), data(d) {}

  /* Of the stand-in only. */
  MatType type;
  void* data;
};

struct MatConvertParam {};

struct PUBLIC BlobConverter {
  explicit BlobConverter(Blob* blob) : blob_(blob) {}
  Status ConvertToMat(Mat& mat, MatConvertParam, void*) { return Convert(mat, true); }
  Status ConvertFromMat(Mat& mat, MatConvertParam, void*) { return Convert(mat, false); }

  /* Of the stand-in only. */
  Status Convert(Mat& mat, bool to_mat);
  Blob* blob_;
};

struct Net; /* of the stand-in */

struct PUBLIC Instance {
  explicit Instance(std::shared_ptr<const Net> net) : net_(std::move(net)) {}
  Status Reshape(const InputShapesMap& inputs);
  Status GetCommandQueue(void**) { return TNN_OK; }
  Status Forward();
  Status GetAllInputBlobs(BlobMap& blobs);
  Status GetAllOutputBlobs(BlobMap& blobs);
  Status SetCpuNumThreads(int num_threads);

  /* Of the stand-in only. */
  Status Infer();
  std::shared_ptr<const Net> net_;
  std::map<std::string, std::unique_ptr<Blob>> blobs_;
  int threads_ = 1;
};

struct PUBLIC TNN {
  Status Init(ModelConfig& config);
  Status GetModelInputShapesMap(InputShapesMap& shapes);
  std::shared_ptr<Instance> CreateInst(NetworkConfig& config, Status& status) { return CreateInst(config, status, {}, {}); }
  std::shared_ptr<Instance> CreateInst(NetworkConfig& config, Status& status, InputShapesMap min_shapes, InputShapesMap max_shapes);
  std::shared_ptr<const Net> net_;
};

struct CpuUtils {
  static bool CpuSupportFp16() { return false; }
};
}  // namespace TNN_NS
