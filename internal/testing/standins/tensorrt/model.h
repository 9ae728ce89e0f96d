// SPDX-License-Identifier: Apache-2.0

// The models of the stand-in for TensorRT: some of testdata's ONNX files, computed
// on the processor. What it cannot read or compute it throws, as std::exception.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "NvInfer.h"
#include "standin.h"

namespace standin {
using Shape = std::vector<int64_t>; // -1 is a dimension that is not known
using Shapes = std::map<std::string, Shape>;

struct Tensor {
  int type;
  Shape shape;
  std::string data; // of weights and, while a model is computed, of all
  const float* floats() const { return reinterpret_cast<const float*>(data.data()); }
  float* floats() { return reinterpret_cast<float*>(&data[0]); }
};
using Tensors = std::map<std::string, Tensor>;
inline void need(bool good, const std::string& text) {
  if (!good) throw std::runtime_error("stand-in: " + text);
}

enum Type : int { FLOAT = 1, INT32 = 6, INT64 = 7, BOOL = 9, FLOAT16 = 10, BFLOAT16 = 16 }; // ONNX's numbers

inline size_t bytes_of(int type) {
  static const std::map<int, size_t> all = {{FLOAT, 4}, {INT32, 4}, {INT64, 8}, {BOOL, 1}, {FLOAT16, 2}, {BFLOAT16, 2}};
  return all.at(type);
}
inline nvinfer1::DataType to_trt(int type) {
  static const std::map<int, int> all = {{FLOAT, 0}, {FLOAT16, 1}, {INT32, 3}, {BOOL, 4}, {BFLOAT16, 7}, {INT64, 8}};
  need(STANDIN_TENSORRT >= 1000 || all.at(type) < 7, "the type is there since 10");
  return nvinfer1::DataType(all.at(type));
}
// elements is the number of a tensor's elements; it throws where that is not
// known, or more than models of testdata need.
inline int64_t elements(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) {
    need(d >= 0 && d <= 1 << 20 && n * d <= 1 << 20, "a shape is not known, or too large");
    n *= d;
  }
  return n;
}
inline bool is_dynamic(const Shape& shape) { return std::count(shape.begin(), shape.end(), -1) > 0; }
inline nvinfer1::Dims to_dims(const Shape& shape) {
  need(shape.size() <= size_t(nvinfer1::Dims::MAX_DIMS), "a tensor has more than 8 dimensions");
  nvinfer1::Dims dims{};
  dims.nbDims = int32_t(shape.size());
  std::copy(shape.begin(), shape.end(), dims.d);
  return dims;
}

// A Message is one of protobuf's: its numbers and its texts by field.
struct Message {
  explicit Message(const std::string& bytes) {
    size_t at = 0;
    const auto varint = [&] {
      uint64_t v = 0;
      for (int shift = 0;; shift += 7) {
        const auto b = uint8_t(bytes.at(at++));
        need(shift < 64, "a number has no end");
        v |= uint64_t(b & 127) << shift;
        if (b < 128) return v;
      }
    };
    while (at < bytes.size()) {
      const uint64_t key = varint(), value = varint();
      need((key & 7) == 0 || ((key & 7) == 2 && value <= bytes.size() - at), "a field is too long, or neither a number nor a text");
      if ((key & 7) == 0) numbers[int(key >> 3)].push_back(int64_t(value));
      else texts[int(key >> 3)].push_back(bytes.substr(at, value)), at += value;
    }
  }
  int64_t number(int field) { return numbers[field].empty() ? 0 : numbers[field].back(); }
  std::string text(int field) { return texts[field].empty() ? "" : texts[field].back(); }

  std::map<int, Shape> numbers;
  std::map<int, std::vector<std::string>> texts;
};
struct Node {
  explicit Node(Message m) : in(m.texts[1]), out(m.text(2)), op(m.text(4)) {
    for (auto& text : m.texts[5]) {
      Message a(text);
      attributes[a.text(1)] = a.numbers[3].empty() ? a.numbers[8] : a.numbers[3];
    }
  }
  std::vector<std::string> in;
  std::string out, op;
  std::map<std::string, Shape> attributes; // of integers, one or several
};
struct Port { // an input or output
  explicit Port(Message m) : name(m.text(1)) {
    Message tensor(Message(m.text(2)).text(1)), dims(tensor.text(2));
    type = int(tensor.number(1));
    for (auto& text : dims.texts[1]) {
      Message dim(text);
      shape.push_back(dim.numbers[1].empty() ? -1 : dim.number(1));
    }
  }
  std::string name;
  int type;
  Shape shape;
};

// A Call of an operator. Each returns its output: the type and the shape, of which
// -1 is not known, and with compute the data.
struct Call {
  const Node& node;
  std::vector<const Tensor*> in;
  bool compute;
  int dropped_bits;
  const Shape& shape(size_t i) const { return in.at(i)->shape; }
  const float* floats(size_t i) const { return in[i]->floats(); }
  Shape attribute(const char* name) const { return node.attributes.count(name) != 0 ? node.attributes.at(name) : Shape(); }
  Tensor output(int type, const Shape& shape) const {
    const int64_t n = compute || !is_dynamic(shape) ? elements(shape) : 0;
    return {type, shape, std::string(compute ? size_t(n) * bytes_of(type) : 0, 0)};
  }
  // factors are an input in the type that the plan computes products in.
  std::vector<float> factors(size_t i) const {
    std::vector<float> all(floats(i), floats(i) + elements(shape(i)));
    for (float& f : all) {
      uint32_t bits;
      memcpy(&bits, &f, sizeof bits);
      bits &= ~((1U << dropped_bits) - 1);
      memcpy(&f, &bits, sizeof f);
    }
    return all;
  }
};

// conv moves by single pixels, with padding that keeps the size. Gemm, x * the
// transposed w + b, is that of a single pixel.
inline Tensor conv(const Call& c) {
  const bool gemm = c.node.op == "Gemm";
  Shape x = c.shape(0), w = c.shape(1);
  if (gemm) x.resize(4, 1), w.resize(4, 1);
  need(x.size() == 4 && w.size() == 4 && x[1] == w[1] && w[2] == w[3] && w[2] % 2 == 1 && c.shape(2) == Shape{w[0]}, "the inputs of " + c.node.op + " do not match");
  const int64_t size = w[2], pad = size / 2, rows = x[2], columns = x[3];
  need(gemm ? c.shape(0).size() == 2 && c.attribute("transB") == Shape{1} : c.attribute("pads") == Shape(4, pad) && c.attribute("strides").empty(), c.node.op + " is not there with such attributes");
  Tensor y = c.output(FLOAT, gemm ? Shape{x[0], w[0]} : Shape{x[0], w[0], rows, columns});
  if (!c.compute) return y;
  const std::vector<float> pixels = c.factors(0), weights = c.factors(1);
  float* to = y.floats();
  for (int64_t n = 0; n < x[0]; n++)
    for (int64_t o = 0; o < w[0]; o++)
      for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
          double sum = double(c.floats(2)[o]);
          for (int64_t k = 0; k < w[1]; k++)
            for (int64_t a = std::max<int64_t>(0, pad - i); a < std::min(size, rows + pad - i); a++) {
              const int64_t p = ((n * x[1] + k) * rows + i - pad + a) * columns + j - pad, q = ((o * w[1] + k) * size + a) * size;
              for (int64_t b = std::max<int64_t>(0, pad - j); b < std::min(size, columns + pad - j); b++) sum += double(pixels[size_t(p + b)]) * double(weights[size_t(q + b)]);
            }
          *to++ = float(sum);
        }
  return y;
}

// max_pool takes squares of two by two pixels.
inline Tensor max_pool(const Call& c) {
  const Shape& x = c.shape(0);
  need(x.size() == 4 && c.attribute("kernel_shape") == Shape{2, 2} && c.attribute("strides") == Shape{2, 2} && c.attribute("pads").empty(), "MaxPool is there for squares of 2 x 2 pixels alone");
  need(x[2] >= 2 && x[3] >= 2, "MaxPool is there for sizes that are known alone");
  Tensor y = c.output(FLOAT, {x[0], x[1], x[2] / 2, x[3] / 2});
  float* to = y.floats();
  for (int64_t plane = 0; c.compute && plane < x[0] * x[1]; plane++)
    for (int64_t i = 0; i < y.shape[2]; i++)
      for (int64_t j = 0; j < y.shape[3]; j++) {
        const float* p = c.floats(0) + (plane * x[2] + 2 * i) * x[3] + 2 * j;
        *to++ = std::max(std::max(p[0], p[1]), std::max(p[x[3]], p[x[3] + 1]));
      }
  return y;
}

// elementwise has a second input of the same shape, or of a single element.
inline Tensor elementwise(const Call& c) {
  const bool relu = c.node.op == "Relu", add = c.node.op == "Add", one = !relu && c.shape(1).empty();
  need(relu || one || c.shape(0) == c.shape(1), "the inputs of " + c.node.op + " have several shapes");
  Tensor y = c.output(FLOAT, c.shape(0));
  for (int64_t i = 0; c.compute && i < elements(y.shape); i++) {
    const float a = c.floats(0)[i], b = relu ? 0 : c.floats(1)[one ? 0 : i];
    y.floats()[i] = relu ? std::max(a, b) : add ? a + b : a * b;
  }
  return y;
}
inline Tensor softmax(const Call& c) {
  const Shape& x = c.shape(0);
  need(x.size() == 2 && x[1] > 0 && c.attribute("axis") == Shape{1}, "Softmax is there for rows of a matrix alone");
  Tensor y = c.output(FLOAT, x);
  for (int64_t i = 0; c.compute && i < x[0]; i++) {
    const float *from = c.floats(0) + i * x[1], most = *std::max_element(from, from + x[1]);
    double sum = 0;
    for (int64_t j = 0; j < x[1]; j++) sum += std::exp(double(from[j]) - double(most));
    for (int64_t j = 0; j < x[1]; j++) y.floats()[i * x[1] + j] = float(std::exp(double(from[j]) - double(most)) / sum);
  }
  return y;
}

// reshape is also Flatten, and Transpose of what has one row: the data stay.
inline Tensor reshape(const Call& c) {
  const Shape& x = c.shape(0);
  Shape shape;
  if (c.node.op == "Flatten") {
    need(!x.empty() && c.attribute("axis") == Shape{1}, "Flatten is there for the first axis alone");
    shape = {x[0], elements(Shape(x.begin() + 1, x.end()))};
  } else if (c.node.op == "Transpose") {
    need(x.size() == 2 && x[0] == 1 && c.attribute("perm") == Shape{1, 0}, "Transpose is there for a single row alone");
    shape = {x[1], 1};
  } else {
    const std::string& data = c.in.at(1)->data;
    need(c.in[1]->type == INT64 && !data.empty(), "Reshape has no constant shape");
    shape.resize(data.size() / 8);
    memcpy(shape.data(), data.data(), data.size());
    for (int64_t& d : shape)
      if (d == -1) d = 1, d = elements(x) / std::max<int64_t>(1, elements(shape));
  }
  Tensor y = c.output(c.in[0]->type, shape);
  need(is_dynamic(x) || elements(x) == elements(shape), c.node.op + " changes the number of elements");
  if (c.compute) y.data = c.in[0]->data;
  return y;
}

const int INDEX = STANDIN_TENSORRT < 1000 ? INT32 : INT64;
// nonzero is there for vectors. Only data tell the shape of its output.
inline Tensor nonzero(const Call& c) {
  need(STANDIN_TENSORRT >= 806 && c.shape(0).size() == 1, "NonZero is there for vectors, since 8.5");
  Tensor y{INDEX, {1, -1}, ""};
  for (int64_t i = 0; c.compute && i < c.shape(0)[0]; i++)
    if (c.floats(0)[i] != 0) y.data.append(reinterpret_cast<const char*>(&i), bytes_of(INDEX)); // its lower bytes
  if (c.compute) y.shape[1] = int64_t(y.data.size() / bytes_of(INDEX));
  return y;
}
// cast makes floats of indices.
inline Tensor cast(const Call& c) {
  need(c.in.at(0)->type == INDEX && c.attribute("to") == Shape{FLOAT}, "Cast is there from indices to floats alone");
  Tensor y = c.output(FLOAT, c.shape(0));
  for (int64_t i = 0; c.compute && i < elements(y.shape); i++) {
    int64_t index = 0;
    memcpy(&index, c.in[0]->data.data() + size_t(i) * bytes_of(INDEX), bytes_of(INDEX));
    y.floats()[i] = float(index);
  }
  return y;
}

class Model {
 public:
  // External reads the file of that name, in which weights lie. Where the model
  // cannot be read, node is the one at fault.
  using External = std::function<std::string(const std::string& file)>;
  Model(const std::string& onnx, const External& external, int& node) {
    Message graph(Message(onnx).text(7));
    for (auto& text : graph.texts[5]) {
      Message m(text);
      const std::string file = Message(m.text(13)).text(2); // behind "location"
      const Tensor t{int(m.number(2)), m.numbers[1], file.empty() ? m.text(9) : external(file)};
      need(t.data.size() == size_t(elements(t.shape)) * bytes_of(t.type), "the weights " + m.text(8) + " have another size than their shape");
      weights_.insert({m.text(8), t});
    }
    std::set<std::string> names;
    Tensors all;
    for (auto& text : graph.texts[11]) {
      const Port& i = inputs.emplace_back(Message(text));
      need(names.insert(i.name).second && (is_dynamic(i.shape) || elements(i.shape) >= 0), "two inputs are called " + i.name);
      to_trt(i.type), to_dims(i.shape);
      all[i.name] = {i.type, i.shape, ""};
    }
    for (auto& text : graph.texts[1]) {
      node = int(nodes.size());
      const Node& n = nodes.emplace_back(Message(text));
      need(names.insert(n.out).second, "two tensors are called " + n.out);
      all[n.out] = apply(n, all, false, 0);
    }
    for (auto& text : graph.texts[12]) {
      Port& o = outputs.emplace_back(Message(text));
      need(names.erase(o.name) == 1, "there is no output " + o.name);
      o.type = all.at(o.name).type, o.shape = all.at(o.name).shape;
      to_trt(o.type), to_dims(o.shape);
    }
    for (auto& i : inputs) need(names.count(i.name) == 1 && !outputs.empty(), "an input is an output, too, or there is none");
  }

  // infer returns all tensors without data, compute with data. Where a plan may
  // compute in a shorter type, so many bits of the factors of products go.
  Tensors infer(const Shapes& shapes) const {
    Tensors all;
    for (auto& i : inputs) all[i.name] = {i.type, shapes.at(i.name), ""};
    for (auto& n : nodes) all[n.out] = apply(n, all, false, 0);
    return all;
  }
  Tensors compute(Tensors all, int dropped_bits) const {
    for (auto& n : nodes) all[n.out] = apply(n, all, true, dropped_bits);
    return all;
  }

  std::vector<Port> inputs, outputs;
  std::vector<Node> nodes;
 private:
  Tensor apply(const Node& n, const Tensors& all, bool compute, int dropped_bits) const {
    static const std::map<std::string, Tensor (*)(const Call&)> operators = {{"Add", elementwise}, {"Cast", cast}, {"Conv", conv}, {"Flatten", reshape}, {"Gemm", conv}, {"MaxPool", max_pool},
      {"Mul", elementwise}, {"NonZero", nonzero}, {"Relu", elementwise}, {"Reshape", reshape}, {"Softmax", softmax}, {"Transpose", reshape}};
    need(operators.count(n.op) != 0, "there is no operator " + n.op);
    const auto op = operators.at(n.op);
    Call c{n, {}, compute, dropped_bits};
    for (auto& name : n.in) {
      c.in.push_back(weights_.count(name) != 0 ? &weights_.at(name) : &all.at(name));
      need(c.in.back()->type == FLOAT || op == cast || op == reshape, n.op + " is there for float32 alone");
    }
    return op(c);
  }

  Tensors weights_;
};
}  // namespace standin
