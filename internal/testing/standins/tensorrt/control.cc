// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for the CUDA driver: faults on demand, and counts.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <mutex>

#include "cuda.h"

namespace standin {

namespace {

struct Pending {
  std::string name;
  int calls; // until it comes
  Fault fault;
};

struct Control {
  std::mutex mutex;
  std::list<Pending> pending;
  std::map<std::string, int> calls;
  std::atomic<int> objects{0}, mistakes{0}, delay{0};
};

// It is never deleted: other libraries' static objects may go later.
Control& control() {
  static Control* const one = new Control;
  return *one;
}

// plain is a name without the version that the driver's symbols end with.
std::string plain(std::string name) {
  if (name.size() > 3 && name.compare(name.size() - 3, 3, "_v2") == 0) name.resize(name.size() - 3);
  return name;
}

Pending interpret(std::string spec) {
  Fault fault = Fault::fail;
  const size_t how = spec.find('!');
  if (how != std::string::npos) {
    fault = spec.compare(how, std::string::npos, "!int") == 0 ? Fault::number : Fault::exception;
    spec.resize(how);
  }
  const size_t colon = spec.find(':');
  const int calls = colon == std::string::npos ? 1 : atoi(spec.c_str() + colon + 1);
  return {plain(spec.substr(0, colon)), calls, fault};
}

}  // namespace

Fault called(const char* name) {
  Control& c = control();
  const std::string p = plain(name);
  std::lock_guard<std::mutex> lock(c.mutex);
  c.calls[p]++;
  Fault fault = Fault::none;
  for (auto i = c.pending.begin(); i != c.pending.end();) {
    if (i->name != p || --i->calls > 0) {
      ++i;
      continue;
    }
    fault = i->fault;
    i = c.pending.erase(i);
  }
  return fault;
}

void mistake(const std::string& text) {
  control().mistakes++;
  fprintf(stderr, "stand-in for TensorRT: MISTAKE: %s\n", text.c_str());
}

void live(int more) { control().objects += more; }

int build_delay() { return control().delay; }

}  // namespace standin

using namespace standin;

void standin_fault(const char* spec) {
  Control& c = control();
  std::lock_guard<std::mutex> lock(c.mutex);
  if (*spec == 0) c.pending.clear();
  for (const char* end; *spec != 0; spec = *end == 0 ? end : end + 1) {
    end = strchr(spec, ',') != nullptr ? strchr(spec, ',') : spec + strlen(spec);
    c.pending.push_back(interpret(std::string(spec, end)));
  }
}

int standin_calls(const char* name) {
  Control& c = control();
  std::lock_guard<std::mutex> lock(c.mutex);
  const auto found = c.calls.find(plain(name));
  return found == c.calls.end() ? 0 : found->second;
}

int standin_leaks() { return control().objects + control().mistakes + held(); }

int standin_mistakes() { return control().mistakes; }

void standin_build_delay(int ms) { control().delay = ms; }
