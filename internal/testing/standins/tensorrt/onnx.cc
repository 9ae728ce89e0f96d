// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: the reader of ONNX files.
#include "onnx.h"

#include <algorithm>
#include <limits>

namespace standin {

namespace {

// A message of protobuf's.
class Message {
 public:
  Message(const char* data, size_t size) : at_(data), end_(data + size) {}

  // next goes to the next field, if there is one.
  bool next() {
    if (at_ == end_) return false;
    const uint64_t key = varint();
    number = int(key >> 3 & 0x1fffffff);
    kind = int(key & 7);
    if (number == 0 || key >> 32 != 0) damaged("a field has no number");
    switch (kind) {
      case 0: value = varint(); break;
      case 1: value = fixed(8); break;
      case 5: value = fixed(4); break;
      case 2: {
        const uint64_t n = varint();
        if (n > uint64_t(end_ - at_)) damaged("it ends too early");
        data = at_, size = size_t(n);
        at_ += n;
        break;
      }
      default: damaged("a field has no known form");
    }
    return true;
  }

  Message message() const { return bytes(), Message(data, size); }
  std::string string() const { return bytes(), std::string(data, size); }
  int64_t integer() const {
    if (kind != 0) damaged("a field is no number");
    return int64_t(value);
  }
  float real() const {
    if (kind != 5) damaged("a field is no float");
    const auto bits = uint32_t(value);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
  }

  // integers and reals add a repeated field, which is packed or not.
  void integers(std::vector<int64_t>& to) const {
    if (kind != 2) return to.push_back(integer());
    for (Message m(data, size); m.at_ != m.end_;) to.push_back(int64_t(m.varint()));
  }
  template <typename T>
  void reals(std::vector<T>& to) const {
    const size_t n = kind == 2 ? size : sizeof(T);
    if ((kind != 2 && kind != (sizeof(T) == 4 ? 5 : 1)) || n % sizeof(T) != 0) damaged("a field holds no floats");
    const size_t old = to.size();
    to.resize(old + n / sizeof(T));
    memcpy(to.data() + old, kind == 2 ? data : reinterpret_cast<const char*>(&value), n);
  }

  int number = 0, kind = 0;

 private:
  void bytes() const {
    if (kind != 2) damaged("a field is no message");
  }
  uint64_t varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) damaged("it ends too early");
      const auto b = uint8_t(*at_++);
      if (shift < 64) v |= uint64_t(b & 127) << shift;
      if (b < 128) return v;
    }
    damaged("a number has no end");
  }
  uint64_t fixed(size_t n) {
    if (n > size_t(end_ - at_)) damaged("it ends too early");
    uint64_t v = 0;
    memcpy(&v, at_, n);
    at_ += n;
    return v;
  }

  const char *at_, *end_;
  uint64_t value = 0;
  const char* data = nullptr;
  size_t size = 0;
};

Attribute attribute(Message m, std::string& name) {
  Attribute a;
  while (m.next()) switch (m.number) {
      case 1: name = m.string(); break;
      case 2: a.f = m.real(); break;
      case 3: a.i = m.integer(); break;
      case 4: a.s = m.string(); break;
      case 8: m.integers(a.ints); break;
    }
  return a;
}

Node node(Message m) {
  Node n;
  while (m.next()) switch (m.number) {
      case 1: n.in.push_back(m.string()); break;
      case 2: n.out.push_back(m.string()); break;
      case 3: n.name = m.string(); break;
      case 4: n.op = m.string(); break;
      case 7: n.domain = m.string(); break;
      case 5: {
        std::string name;
        Attribute a = attribute(m.message(), name);
        n.attributes[name] = std::move(a);
      }
    }
  return n;
}

// fill writes integers, as a tensor has them in a field, to its data.
template <typename T>
void fill(Tensor& t, const std::vector<T>& values) {
  if (values.size() != t.size()) damaged("a tensor has " + std::to_string(values.size()) + " values for a shape of " + to_text(t.shape));
  for (size_t i = 0; i < values.size(); i++) {
    const T v = values[i];
    switch (t.type) {
      case FLOAT: t.as<float>()[i] = float(v); break;
      case DOUBLE: t.as<double>()[i] = double(v); break;
      default: // the lower bytes, of floats of 16 bits, too
        const auto n = int64_t(v);
        memcpy(t.data.data() + i * bytes_of(t.type), &n, bytes_of(t.type));
    }
  }
}

std::pair<std::string, Tensor> tensor(Message m, const External& external) {
  std::string name, raw, location;
  Shape shape;
  int64_t type = 0, offset = 0, length = -1;
  bool is_raw = false, outside = false;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<int64_t> integers;
  while (m.next()) switch (m.number) {
      case 1: m.integers(shape); break;
      case 2: type = m.integer(); break;
      case 4: m.reals(floats); break;
      case 5:
      case 7:
      case 11: m.integers(integers); break;
      case 8: name = m.string(); break;
      case 9: raw = m.string(), is_raw = true; break;
      case 10: m.reals(doubles); break;
      case 14: outside = m.integer() == 1; break;
      case 13: {
        std::string key, value;
        for (Message e = m.message(); e.next();) (e.number == 1 ? key : value) = e.string();
        if (key == "location") location = value;
        if (key == "offset") offset = strtoll(value.c_str(), nullptr, 10);
        if (key == "length") length = strtoll(value.c_str(), nullptr, 10);
      }
    }
  if (type < 0 || type > BFLOAT16 || bytes_of(int(type)) == 0) throw Refusal{ErrorCode::kUNSUPPORTED_NODE, "Found invalid weights type of: " + name_of(type < 0 || type > 99 ? 99 : int(type)) + " (initializer \"" + name + "\")"};
  if (shape.size() > size_t(nvinfer1::Dims::MAX_DIMS) || volume(shape) < 0) damaged("initializer \"" + name + "\" has a shape of " + to_text(shape));
  const auto bytes = int64_t(bytes_of(int(type))) * volume(shape);
  if (outside) {
    if (offset < 0 || (length >= 0 && length != bytes)) damaged("the external data of \"" + name + "\" has another size than its shape");
    raw = external(name, location, uint64_t(offset), uint64_t(bytes));
    is_raw = true;
  }
  if (is_raw && int64_t(raw.size()) != bytes) damaged("the data of \"" + name + "\" has another size than its shape");
  Tensor t(int(type), shape);
  if (is_raw) t.data.assign(raw.begin(), raw.end());
  else if (type == FLOAT) fill(t, floats);
  else if (type == DOUBLE) fill(t, doubles);
  else fill(t, integers);
  return {name, std::move(t)};
}

Port port(Message m) {
  Port p;
  while (m.next()) {
    if (m.number == 1) p.name = m.string();
    if (m.number != 2) continue;
    for (Message type = m.message(); type.next();) {
      if (type.number != 1) continue; // sequences and maps have type 0
      for (Message t = type.message(); t.next();) {
        if (t.number == 1) p.type = int(std::min<int64_t>(std::max<int64_t>(t.integer(), 0), 99));
        if (t.number != 2) continue;
        for (Message s = t.message(); s.next();) {
          if (s.number != 1) continue;
          int64_t dim = -1;
          for (Message d = s.message(); d.next();)
            if (d.number == 1) dim = d.integer();
          p.shape.push_back(std::max<int64_t>(dim, -1));
        }
      }
    }
  }
  return p;
}

void graph(Message m, Model& model, const External& external) {
  while (m.next()) switch (m.number) {
      case 1: model.nodes.push_back(node(m.message())); break;
      case 5: model.weights.insert(tensor(m.message(), external)); break;
      case 11: model.inputs.push_back(port(m.message())); break;
      case 12: model.outputs.push_back(port(m.message())); break;
    }
}

}  // namespace

bool narrow(Model& model) {
  bool changed = false;
  auto type = [&](int t) {
    const int to = t == DOUBLE ? int(FLOAT) : t == INT64 && STANDIN_TENSORRT < 1000 ? int(INT32) : t;
    changed = changed || to != t;
    return to;
  };
  for (auto* ports : {&model.inputs, &model.outputs})
    for (auto& p : *ports) p.type = type(p.type);
  for (auto& w : model.weights) {
    const Tensor& from = w.second;
    if (type(from.type) == from.type) continue;
    Tensor to(type(from.type), from.shape);
    for (size_t i = 0; i < from.size(); i++)
      if (to.type == FLOAT) to.as<float>()[i] = float(std::min(std::max(from.as<double>()[i], -double(std::numeric_limits<float>::max())), double(std::numeric_limits<float>::max())));
      else to.as<int32_t>()[i] = int32_t(std::min<int64_t>(std::max<int64_t>(from.as<int64_t>()[i], INT32_MIN), INT32_MAX));
    w.second = std::move(to);
  }
  for (auto& n : model.nodes)
    if (n.op == "Cast" && n.attributes.count("to") != 0) {
      auto& to = n.attributes["to"].i;
      if (to >= 0 && to <= BFLOAT16) to = type(int(to));
    }
  return changed;
}

Model read_onnx(const char* data, size_t size, const External& external) {
  Model model;
  bool any = false;
  for (Message m(data, size); m.next();) {
    if (m.number == 7) graph(m.message(), model, external), any = true;
    if (m.number != 8) continue;
    std::string domain;
    int64_t version = 0;
    for (Message o = m.message(); o.next();) {
      if (o.number == 1) domain = o.string();
      if (o.number == 2) version = o.integer();
    }
    if (domain.empty() || domain == "ai.onnx") model.opset = version;
  }
  if (!any) damaged("it has no graph");
  return model;
}

}  // namespace standin
