// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: what a plan holds, and its bytes. A plan is for
// the release and the compute capability that made it. It has the model as
// ONNX, for what the stand-in compiles is nothing.
#ifndef ANYINFER_STANDIN_PLAN_H
#define ANYINFER_STANDIN_PLAN_H

#include <array>
#include <map>
#include <vector>

#include "bytes.h"
#include "graph.h"

namespace standin {

using Ranges = std::map<std::string, std::array<Shape, 3>>; // least, best and largest, by input

struct Plan {
  Arithmetic arithmetic;
  int verbosity = 0;
  bool shared = STANDIN_TENSORRT >= 1000; // several contexts may use one profile
  bool dla = false;
  std::vector<Ranges> profiles;
  std::string onnx;
  std::map<std::string, std::string> external; // weights, by tensor
};

const char PLAN_MAGIC[] = "ptrt";

inline std::string release() {
  return std::to_string(NV_TENSORRT_MAJOR) + "." + std::to_string(NV_TENSORRT_MINOR) + "." + std::to_string(NV_TENSORRT_PATCH) + "." + std::to_string(NV_TENSORRT_BUILD);
}

inline std::string capability(const std::pair<int, int>& c) { return std::to_string(c.first) + "." + std::to_string(c.second); }

inline std::string write_plan(const Plan& p, std::pair<int, int> compute) {
  Writer w;
  w.number(p.arithmetic.type);
  w.number(p.arithmetic.tf32);
  w.number(p.verbosity);
  w.number(p.shared);
  w.number(p.dla);
  w.number(int64_t(p.profiles.size()));
  for (auto& profile : p.profiles) {
    w.number(int64_t(profile.size()));
    for (auto& r : profile) {
      w.string(r.first);
      for (auto& shape : r.second) {
        w.number(int64_t(shape.size()));
        for (int64_t d : shape) w.number(d);
      }
    }
  }
  w.string(p.onnx);
  w.number(int64_t(p.external.size()));
  for (auto& e : p.external) w.string(e.first), w.string(e.second);
  Writer head;
  head.string(release());
  head.number(compute.first);
  head.number(compute.second);
  head.number(checksum(w.bytes));
  head.string(w.bytes);
  return PLAN_MAGIC + head.bytes;
}

// read_plan returns what is wrong, or "".
inline std::string read_plan(const std::string& bytes, std::pair<int, int> compute, Plan& p) {
  const size_t magic = sizeof PLAN_MAGIC - 1;
  if (bytes.compare(0, magic, PLAN_MAGIC) != 0) return "Serialization assertion plan->header.magicTag == rt::kPLAN_MAGIC_TAG failed. Magic tag does not match";
  Reader head(bytes.substr(magic));
  const std::string from = head.string();
  const int64_t major = head.number(), minor = head.number();
  const int64_t sum = head.number();
  const std::string body = head.string();
  if (!head.finished()) return "Serialization assertion plan->header.size == blobSize failed.";
  if (from != release()) return "The engine plan file is not compatible with this version of TensorRT, expecting library version " + release() + " got " + from.substr(0, 40) + ", please rebuild.";
  if (compute.first != major || compute.second != minor)
    return "The engine plan file is generated on an incompatible device, expecting compute " + capability(compute) + " got compute " + std::to_string(major) + "." + std::to_string(minor) + ", please rebuild.";
  if (checksum(body) != sum) return "Serialization assertion stdArchiveReader checksum failed. The plan is damaged";
  Reader r(body);
  p.arithmetic.type = int(r.number());
  p.arithmetic.tf32 = r.number() != 0;
  p.verbosity = int(r.number());
  p.shared = r.number() != 0;
  p.dla = r.number() != 0;
  for (int64_t i = r.number(); i > 0 && r.good(); i--) {
    Ranges profile;
    for (int64_t k = r.number(); k > 0 && r.good(); k--)
      for (auto& shape : profile[r.string()])
        for (int64_t n = r.number(); n > 0 && r.good(); n--) shape.push_back(r.number());
    p.profiles.push_back(profile);
  }
  p.onnx = r.string();
  for (int64_t i = r.number(); i > 0 && r.good(); i--) {
    const std::string name = r.string();
    p.external[name] = r.string();
  }
  return r.finished() ? "" : "Serialization assertion stdArchiveReader size failed.";
}

}  // namespace standin

#endif
