// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: how plans and timing caches are written.
#ifndef ANYINFER_STANDIN_BYTES_H
#define ANYINFER_STANDIN_BYTES_H

#include <cstdint>
#include <cstring>
#include <string>

namespace standin {

class Writer {
 public:
  std::string bytes;

  void number(int64_t v) { bytes.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void string(const std::string& s) {
    number(int64_t(s.size()));
    bytes += s;
  }
};

// What a Reader does not find is 0 or "", and it is not good from then on.
class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}

  int64_t number() {
    int64_t v = 0;
    const std::string s = take(sizeof v);
    if (s.size() == sizeof v) memcpy(&v, s.data(), sizeof v);
    return v;
  }
  std::string string() {
    const int64_t n = number();
    return n < 0 ? take(SIZE_MAX) : take(size_t(n));
  }
  bool good() const { return good_; }
  bool finished() const { return good_ && at_ == bytes_.size(); }

 private:
  std::string take(size_t n) {
    if (!good_ || n > bytes_.size() - at_) {
      good_ = false;
      return "";
    }
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }

  std::string bytes_;
  size_t at_ = 0;
  bool good_ = true;
};

inline int64_t checksum(const std::string& bytes) {
  uint64_t h = 14695981039346656037U; // FNV-1a
  for (char c : bytes) h = (h ^ uint8_t(c)) * 1099511628211U;
  return int64_t(h);
}

}  // namespace standin

#endif
