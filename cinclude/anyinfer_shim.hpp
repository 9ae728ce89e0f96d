/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers for engines in C++: errors that become statuses, the options of
 * anyinfer_source, log lines and shapes. Each shim has its own copy of this code.
 */
#ifndef ANYINFER_SHIM_HPP
#define ANYINFER_SHIM_HPP

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "anyinfer_engine.h"

/* Declares a thread-local variable that each run reads. In a shared library an
 * access is a function call, unless the variable is in the 1664 bytes that glibc
 * reserves in every thread; so these variables should be a few pointers only. */
#if defined(__GLIBC__) && defined(__GNUC__)
#define ANYINFER_THREAD_LOCAL thread_local __attribute__((tls_model("initial-exec")))
#else
#define ANYINFER_THREAD_LOCAL thread_local
#endif

namespace anyinfer {

/* A program may link shims with both kinds of std::string of GCC's C++ library.
 * With the older kind, types that contain strings are in their own namespace. */
#if defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
inline namespace old_strings {
#endif

/* A failure is thrown within a shim; guarded turns it into a status. */
struct failure {
  anyinfer_status status;
  int32_t code;
  std::string text;
};

inline std::string vformat(const char* format, va_list args) {
  char text[sizeof(anyinfer_error::text)];
  vsnprintf(text, sizeof text, format, args);
  return text;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
[[noreturn]] inline void refuse(anyinfer_status status, const char* format, ...) {
  va_list args;
  va_start(args, format);
  failure f{status, 0, vformat(format, args)};
  va_end(args);
  throw f;
}

inline anyinfer_status report(anyinfer_error* error, anyinfer_status status, int32_t code, const char* text) {
  if (error != nullptr) {
    error->code = code;
    snprintf(error->text, sizeof error->text, "%s", text);
  }
  return status;
}

/* guarded runs f, and turns an exception into a status. */
template <typename F>
anyinfer_status guarded(anyinfer_error* error, F&& f) noexcept {
  try {
    f();
    return ANYINFER_OK;
  } catch (const failure& e) {
    return report(error, e.status, e.code, e.text.c_str());
  } catch (const std::bad_alloc&) {
    return report(error, ANYINFER_RUN, 0, "out of memory");
  } catch (const std::exception& e) {
    return report(error, ANYINFER_RUN, 0, e.what());
  } catch (...) {
    return report(error, ANYINFER_RUN, 0, "the SDK threw an exception of unknown type");
  }
}

/* Logging. SDKs log through functions without a context argument, so a line goes
 * to the host whose call executes on this thread, else to the host added last. */
class hosts {
  struct thread {
    const anyinfer_host* host; /* whose call executes on this thread */
    std::string* captured;     /* lines of that call, for errors; or NULL */
    int32_t min_level;
    bool muted;
  };

 public:
  void add(const anyinfer_host* host) {
    std::lock_guard<std::mutex> lock(mutex_);
    all_.push_back(host);
  }

  void remove(const anyinfer_host* host) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < all_.size(); i++)
      if (all_[i] == host) all_.erase(all_.begin() + i--);
  }

  /* write logs text without the white space around it, unless it is empty then.
   * The lock keeps the host from being removed meanwhile. */
  void write(int32_t level, const char* text) {
    std::string line(text);
    line.erase(line.find_last_not_of(" \r\n\t") + 1);
    line.erase(0, line.find_first_not_of(" \r\n\t"));
    if (line.empty()) return;
    thread& t = this_thread();
    if (t.captured != nullptr && level >= t.min_level) *t.captured += t.captured->empty() ? line : "; " + line;
    if (t.muted) return;
    std::lock_guard<std::mutex> lock(mutex_);
    const anyinfer_host* to = t.host != nullptr ? t.host : all_.empty() ? nullptr : all_.back();
    if (to != nullptr && to->log != nullptr) to->log(to->user, level, line.c_str());
  }

  /* While a call object exists, lines of this thread go to its host, and lines of
   * min_level or higher are also captured in text, for errors. */
  struct call {
    explicit call(const anyinfer_host* host, int32_t min_level = ANYINFER_DEBUG) : thread_(this_thread()), before_(thread_) {
      thread_.host = host;
      thread_.captured = &text;
      thread_.min_level = min_level;
    }
    ~call() { thread_ = before_; }
    call(const call&) = delete;
    std::string text;

   private:
    thread& thread_;
    const thread before_;
  };

  /* While a mute object exists, this thread logs nothing, because it tries calls
   * that are expected to fail. */
  struct mute {
    mute() : before_(this_thread().muted) { this_thread().muted = true; }
    ~mute() { this_thread().muted = before_; }
    mute(const mute&) = delete;

   private:
    bool before_;
  };

 private:
  static thread& this_thread() {
    static ANYINFER_THREAD_LOCAL thread t = {nullptr, nullptr, ANYINFER_DEBUG, false};
    return t;
  }

  std::mutex mutex_;
  std::vector<const anyinfer_host*> all_;
};

/* The shapes of an option shape:NAME. */
struct range {
  std::vector<int64_t> min, opt, max;
};

/* options has the options of a source. The code that uses an option removes it; done
 * refuses the remaining options. */
class options {
 public:
  explicit options(const anyinfer_source* source) {
    for (int32_t i = 0; i < source->options; i++) left_[source->keys[i]] = source->values[i];
  }

  /* take removes key and returns its value, or fallback if there is none. */
  std::string take(const std::string& key, const std::string& fallback = "") {
    auto found = left_.find(key);
    if (found == left_.end()) return fallback;
    std::string value = std::move(found->second);
    left_.erase(found);
    return value;
  }

  /* number takes the value of key, from 1 to max; 0 if there is none. */
  int number(const std::string& key, long max = 1 << 16) {
    const std::string text = take(key);
    if (text.empty()) return 0;
    char* end;
    const long n = strtol(text.c_str(), &end, 10);
    if (*end != 0 || n < 1 || n > max) refuse(ANYINFER_OPTION, "%.100s=%.100s is not a number from 1 to %ld", key.c_str(), text.c_str(), max);
    return int(n);
  }

  /* choice takes the value of key and returns its index in names; 0 if there is no
   * such key. */
  size_t choice(const std::string& key, const std::vector<std::string>& names) {
    const std::string text = take(key, names[0]);
    for (size_t i = 0; i < names.size(); i++)
      if (names[i] == text) return i;
    refuse(ANYINFER_OPTION, "%.100s cannot be %.100s", key.c_str(), text.c_str());
  }

  std::map<std::string, range> shapes() {
    std::map<std::string, range> all;
    for (auto i = left_.begin(); i != left_.end();) {
      if (i->first.compare(0, 6, "shape:") != 0) {
        ++i;
        continue;
      }
      all[i->first.substr(6)] = parse(i->first, i->second);
      i = left_.erase(i);
    }
    return all;
  }

  void done(const char* why = "") const {
    if (!left_.empty())
      refuse(ANYINFER_OPTION, "this engine cannot honour %.100s=%.100s%s", left_.begin()->first.c_str(), left_.begin()->second.c_str(), why);
  }

 private:
  static range parse(const std::string& key, const std::string& text) {
    range r;
    std::vector<int64_t>* parts[] = {&r.min, &r.opt, &r.max};
    const char* p = text.c_str();
    for (int i = 0; i < 3; i++) {
      while (*p != 0 && *p != ';') {
        char* end;
        const long long d = strtoll(p, &end, 10);
        if (end == p || d < 1 || d > INT32_MAX || parts[i]->size() == ANYINFER_MAX_RANK || (*end != ',' && *end != ';' && *end != 0))
          refuse(ANYINFER_OPTION, "%.100s=%.300s is not MIN;OPT;MAX", key.c_str(), text.c_str());
        parts[i]->push_back(d);
        p = *end == ',' ? end + 1 : end;
      }
      if (*p == ';' && i < 2) p++;
    }
    if (*p != 0 || r.min.size() != r.opt.size() || r.min.size() != r.max.size())
      refuse(ANYINFER_OPTION, "%.100s=%.300s is not MIN;OPT;MAX", key.c_str(), text.c_str());
    return r;
  }

  std::map<std::string, std::string> left_;
};

/* to_shape converts dims to the ABI's struct. */
template <typename T>
anyinfer_shape to_shape(const std::vector<T>& dims) {
  if (dims.size() > ANYINFER_MAX_RANK) refuse(ANYINFER_MODEL, "a tensor has %zu dimensions, more than %d", dims.size(), ANYINFER_MAX_RANK);
  anyinfer_shape shape{};
  shape.rank = int32_t(dims.size());
  for (size_t i = 0; i < dims.size(); i++) shape.dims[i] = dims[i] < 0 ? -1 : int64_t(dims[i]);
  return shape;
}

/* part returns the content of the file of that index. */
inline std::string part(const anyinfer_source* source, int32_t index) {
  return std::string(static_cast<const char*>(source->data[index]), size_t(source->sizes[index]));
}

/* at returns an element of all; past the last it fails with status. */
template <typename T>
T& at(std::vector<T>& all, int32_t index, anyinfer_status status, const char* what) {
  if (index < 0 || size_t(index) >= all.size()) refuse(status, "there is no %s %d", what, int(index));
  return all[size_t(index)];
}

/* The functions signature, input and output of the table, for models with one
 * signature whose inputs and outputs are vectors of structs with a tensor. */
template <typename M>
anyinfer_status signature(M* model, int32_t index, const char** name, int32_t* inputs, int32_t* outputs, anyinfer_error* error) {
  return guarded(error, [&] {
    if (index != 0) refuse(ANYINFER_NAME, "there is no signature %d", int(index));
    *name = "";
    *inputs = int32_t(model->inputs.size());
    *outputs = int32_t(model->outputs.size());
  });
}

template <typename M>
anyinfer_status input(M* model, int32_t, int32_t index, anyinfer_tensor* out, anyinfer_error* error) {
  return guarded(error, [&] { *out = at(model->inputs, index, ANYINFER_NAME, "input").tensor; });
}

template <typename M>
anyinfer_status output(M* model, int32_t, int32_t index, anyinfer_tensor* out, anyinfer_error* error) {
  return guarded(error, [&] { *out = at(model->outputs, index, ANYINFER_NAME, "output").tensor; });
}

/* set_text copies value to text, cut to size bytes including the NUL. */
inline void set_text(char* text, uint32_t size, const std::string& value) {
  if (size > 0) snprintf(text, size, "%s", value.c_str());
}

#if defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
}
#endif
}  // namespace anyinfer

#endif
