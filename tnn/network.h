/* SPDX-License-Identifier: Apache-2.0 */
/* TNN's networks: devices, the inputs and outputs in a .tnnproto, errors. */
#ifndef ANYINFER_TNN_NETWORK_H
#define ANYINFER_TNN_NETWORK_H

/* Several engines may be linked into one program: their structs need different names. */
#define anyinfer_engine_t anyinfer_tnn_engine
#define anyinfer_model_t anyinfer_tnn_model
#define anyinfer_session_t anyinfer_tnn_session

#include "anyinfer_shim.hpp"

#if !__has_include(<tnn/core/tnn.h>)
#error "TNN's headers are not found: set their folder with `eval \"$(anyinfer sdk env tnn)\"`, with TNN_ROOT set"
#endif
#include <tnn/core/blob.h>
#include <tnn/core/common.h>
#include <tnn/core/instance.h>
#include <tnn/core/mat.h>
#include <tnn/core/status.h>
#include <tnn/core/tnn.h>
#include <tnn/utils/blob_converter.h>
#include <tnn/utils/cpu_utils.h>

#include <dlfcn.h>

#include <algorithm>
#include <memory>

/* TNN does not report its version; this is the API that the shim is written for. */
#ifndef ANYINFER_TNN_VERSION
#define ANYINFER_TNN_VERSION "0.3"
#endif

namespace anyinfer_tnn {

using anyinfer::guarded;
using anyinfer::refuse;
using anyinfer::set_text;
using anyinfer::to_shape;
using namespace TNN_NS;

// require throws an error with TNN's message if status is a failure.
void require(Status status, anyinfer_status kind, const char* what) {
  if (int(status) != TNN_OK) throw anyinfer::failure{kind, int32_t(int(status)), what + std::string(": ") + status.description()};
}

struct backend {
  DeviceType type;
  const char* name;
  const char* description;
  bool cpu;
};

// The first one that TNN was built with is the default: the code for this processor.
const backend backends[] = {
#if defined(__x86_64__) || defined(__i386__)
    {DEVICE_X86, "X86", "processor", true},
#else
    {DEVICE_ARM, "ARM", "processor", true},
#endif
    {DEVICE_NAIVE, "NAIVE", "processor, in plain C++", true},
    {DEVICE_CUDA, "CUDA", "NVIDIA GPU", false},
    {DEVICE_OPENCL, "OPENCL", "GPU with OpenCL", false},
    {DEVICE_METAL, "METAL", "Apple GPU", false},
};

const DeviceType host = backends[0].type; // the device of the caller's memory

// built_in reports whether TNN was built with a device, without a line on stderr.
// TNN has no function for that, but a converter for each device, which refuses
// this type of matrix.
bool built_in(DeviceType type) {
  BlobDesc desc;
  desc.device_type = type;
  desc.dims = {1, 1, 1, 1};
  Blob blob(desc);
  float memory;
  Mat mat(host, INVALID, desc.dims, &memory);
  return int(BlobConverter(&blob).ConvertToMat(mat, MatConvertParam(), nullptr)) != TNNERR_INIT_LAYER;
}

// The smallest network, to test a device.
const char tiny_proto[] = "\"1 2 1 4206624772 ,\"\n\"x 2 1 1 0 ,\"\n\"x y ,\"\n\"y ,\"\n\" 1 ,\"\n\"ReLU y 1 1 x y ,\"\n";
const std::string tiny_model("\x04\x00\xbc\xfa\x00\x00\x00\x00", 8);

std::shared_ptr<Instance> smallest_instance(DeviceType type) {
  TNN net;
  ModelConfig model;
  model.params = {tiny_proto, tiny_model};
  NetworkConfig config;
  config.device_type = type;
  Status status;
  if (int(net.Init(model)) != TNN_OK) return nullptr;
  return net.CreateInst(config, status);
}

// max_threads returns the maximum number of threads of a run. A TNN that was
// built without OpenMP accepts any number and uses one thread.
int max_threads(Instance& instance) {
  auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  auto get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  auto cores = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_num_procs"));
  if (set == nullptr || get == nullptr || cores == nullptr) return 1;
  const int before = get();
  set(1);
  instance.SetCpuNumThreads(2);
  const bool good = int(instance.Forward()) == TNN_OK, follows = get() == 2;
  set(before);
  return good && follows ? cores() : 1;
}

// header has the names in the order of the .tnnproto, which TNN does not keep.
struct header {
  std::vector<std::string> inputs, outputs;
};

std::vector<std::string> split(const std::string& text, const char* at) {
  std::vector<std::string> parts;
  for (size_t i = 0, end; i <= text.size(); i = end + 1) {
    end = std::min(text.find_first_of(at, i), text.size());
    parts.push_back(text.substr(i, end - i));
  }
  return parts;
}

std::vector<std::string> words(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '"') c = ' ';
  std::vector<std::string> all = split(text, " ");
  all.erase(std::remove(all.begin(), all.end(), ""), all.end());
  return all;
}

header read_header(const std::string& proto) {
  const auto lines = split(proto.substr(0, std::min(proto.size(), proto.find('\0'))), ",");
  if (lines.size() < 4) refuse(ANYINFER_MODEL, "the file is not a .tnnproto");
  header h;
  for (auto& input : split(lines[1], ":")) {
    const auto w = words(input);
    if (!w.empty()) h.inputs.push_back(w[0]);
  }
  h.outputs = words(lines[3]);
  return h;
}

}  // namespace anyinfer_tnn

using namespace anyinfer_tnn;

#endif
