// SPDX-License-Identifier: Apache-2.0

// The reader of ONNX files and the operators of the stand-in for TensorRT.
#include "model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace standin {

namespace {

// Protobuf

struct Field {
  int number;
  int64_t value;    // of an integer
  std::string data; // of a text or a message
};

uint64_t read_varint(const std::string& bytes, size_t& at) {
  uint64_t v = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto b = uint8_t(bytes.at(at++));
    v |= uint64_t(b & 127) << shift;
    if (b < 128) return v;
  }
  throw std::runtime_error("stand-in: a number has no end");
}

std::vector<Field> fields(const std::string& message) {
  std::vector<Field> all;
  for (size_t at = 0; at < message.size();) {
    const uint64_t key = read_varint(message, at), kind = key & 7;
    need(kind == 0 || kind == 2, "a field is neither an integer nor a message");
    const uint64_t value = read_varint(message, at);
    Field f{int(key >> 3), int64_t(value), ""};
    if (kind == 2) {
      need(value <= message.size() - at, "the file ends too early");
      f.data = message.substr(at, value);
      at += value;
    }
    all.push_back(std::move(f));
  }
  return all;
}

Node read_node(const std::string& message) {
  Node n;
  for (auto& f : fields(message)) {
    if (f.number == 1) n.in.push_back(f.data);
    if (f.number == 2) n.out.push_back(f.data);
    if (f.number == 4) n.op = f.data;
    if (f.number != 5) continue;
    Shape values;
    for (auto& a : fields(f.data))
      if (a.number == 3 || a.number == 8) values.push_back(a.value);
    n.attributes[fields(f.data).at(0).data] = values;
  }
  return n;
}

std::pair<std::string, Tensor> read_weights(const std::string& message, const Model::External& external) {
  Tensor t{0, {}, ""};
  std::string name;
  for (auto& f : fields(message)) {
    if (f.number == 1) t.shape.push_back(f.value);
    if (f.number == 2) t.type = int(f.value);
    if (f.number == 8) name = f.data;
    if (f.number == 9) t.data = f.data;
    if (f.number == 13) t.data = external(fields(f.data).at(1).data); // behind "location"
  }
  need(t.data.size() == size_t(elements(t.shape)) * bytes_of(t.type), "the weights " + name + " have another size than their shape");
  return {name, t};
}

Port read_port(const std::string& message) {
  Port p{"", 0, {}};
  for (auto& f : fields(message)) {
    if (f.number == 1) p.name = f.data;
    if (f.number != 2) continue;
    for (auto& t : fields(fields(f.data).at(0).data)) { // the type, of a tensor
      if (t.number == 1) p.type = int(t.value);
      if (t.number != 2) continue;
      for (auto& dim : fields(t.data)) {
        const auto d = fields(dim.data);
        p.shape.push_back(!d.empty() && d[0].number == 1 ? d[0].value : -1);
      }
    }
  }
  return p;
}

// Operators. Each returns its output: the type and the shape, of which -1 is not
// known, and with compute the data.

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

// conv moves by single pixels, with padding that keeps the size.
Tensor conv(const Call& c) {
  const Shape &x = c.shape(0), &w = c.shape(1);
  need(x.size() == 4 && w.size() == 4 && x[1] == w[1] && w[2] == w[3] && w[2] % 2 == 1 && c.shape(2) == Shape{w[0]}, "the inputs of Conv do not match");
  const int64_t size = w[2], pad = size / 2, rows = x[2], columns = x[3];
  need(c.attribute("pads") == Shape(4, pad) && c.attribute("strides").empty() && c.attribute("group").empty(), "Conv is there for images that keep their size alone");
  Tensor y = c.output(FLOAT, {x[0], w[0], rows, columns});
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
Tensor max_pool(const Call& c) {
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
Tensor elementwise(const Call& c) {
  const bool relu = c.node.op == "Relu", add = c.node.op == "Add", one = !relu && c.shape(1).empty();
  need(relu || one || c.shape(0) == c.shape(1), "the inputs of " + c.node.op + " have several shapes");
  Tensor y = c.output(FLOAT, c.shape(0));
  for (int64_t i = 0; c.compute && i < elements(y.shape); i++) {
    const float a = c.floats(0)[i], b = relu ? 0 : c.floats(1)[one ? 0 : i];
    y.floats()[i] = relu ? std::max(a, b) : add ? a + b : a * b;
  }
  return y;
}

// gemm is x * transposed w + b.
Tensor gemm(const Call& c) {
  const Shape &x = c.shape(0), &w = c.shape(1);
  need(x.size() == 2 && w.size() == 2 && x[1] == w[1] && c.shape(2) == Shape{w[0]} && c.attribute("transB") == Shape{1}, "the matrices of Gemm do not match");
  Tensor y = c.output(FLOAT, {x[0], w[0]});
  if (!c.compute) return y;
  const std::vector<float> a = c.factors(0), b = c.factors(1);
  for (int64_t i = 0; i < x[0]; i++)
    for (int64_t j = 0; j < w[0]; j++) {
      double sum = double(c.floats(2)[j]);
      for (int64_t k = 0; k < w[1]; k++) sum += double(a[size_t(i * w[1] + k)]) * double(b[size_t(j * w[1] + k)]);
      y.floats()[i * w[0] + j] = float(sum);
    }
  return y;
}

Tensor softmax(const Call& c) {
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
Tensor reshape(const Call& c) {
  const Shape& x = c.shape(0);
  Shape shape;
  if (c.node.op == "Flatten") {
    need(!x.empty() && c.attribute("axis") == Shape{1}, "Flatten is there for the first axis alone");
    shape = {x[0], elements(Shape(x.begin() + 1, x.end()))};
  } else if (c.node.op == "Transpose") {
    need(x.size() == 2 && x[0] == 1 && c.attribute("perm") == Shape{1, 0}, "Transpose is there for a single row alone");
    shape = {x[1], 1};
  } else {
    const Tensor& to = *c.in.at(1);
    need(to.type == INT64 && !to.data.empty(), "Reshape has no constant shape");
    shape.resize(size_t(elements(to.shape)));
    memcpy(shape.data(), to.data.data(), to.data.size());
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
Tensor nonzero(const Call& c) {
  need(STANDIN_TENSORRT >= 806 && c.shape(0).size() == 1, "NonZero is there for vectors, since 8.5");
  Tensor y{INDEX, {1, -1}, ""};
  for (int64_t i = 0; c.compute && i < c.shape(0)[0]; i++)
    if (c.floats(0)[i] != 0) y.data.append(reinterpret_cast<const char*>(&i), bytes_of(INDEX)); // its lower bytes
  if (c.compute) y.shape[1] = int64_t(y.data.size() / bytes_of(INDEX));
  return y;
}

// cast makes floats of indices.
Tensor cast(const Call& c) {
  need(c.in.at(0)->type == INDEX && c.attribute("to") == Shape{FLOAT}, "Cast is there from indices to floats alone");
  Tensor y = c.output(FLOAT, c.shape(0));
  for (int64_t i = 0; c.compute && i < elements(y.shape); i++) {
    int64_t index = 0;
    memcpy(&index, c.in[0]->data.data() + size_t(i) * bytes_of(INDEX), bytes_of(INDEX));
    y.floats()[i] = float(index);
  }
  return y;
}

}  // namespace

int64_t elements(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) {
    need(d >= 0 && d <= 1 << 20 && n * d <= 1 << 20, "a shape is not known, or too large");
    n *= d;
  }
  return n;
}

size_t bytes_of(int type) {
  static const std::map<int, size_t> all = {{FLOAT, 4}, {INT32, 4}, {INT64, 8}, {BOOL, 1}, {FLOAT16, 2}, {BFLOAT16, 2}};
  return all.at(type);
}

nvinfer1::DataType to_trt(int type) {
  using nvinfer1::DataType;
  static const std::map<int, DataType> all = {
    {FLOAT, DataType::kFLOAT}, {FLOAT16, DataType::kHALF}, {INT32, DataType::kINT32}, {BOOL, DataType::kBOOL},
#if STANDIN_TENSORRT >= 1000
    {INT64, DataType::kINT64}, {BFLOAT16, DataType::kBF16},
#endif
  };
  return all.at(type);
}

bool is_dynamic(const Shape& shape) { return std::count(shape.begin(), shape.end(), -1) > 0; }

nvinfer1::Dims to_dims(const Shape& shape) {
  need(shape.size() <= size_t(nvinfer1::Dims::MAX_DIMS), "a tensor has more than 8 dimensions");
  nvinfer1::Dims dims{};
  dims.nbDims = int32_t(shape.size());
  std::copy(shape.begin(), shape.end(), dims.d);
  return dims;
}

Shape from_dims(const nvinfer1::Dims& dims) { return Shape(dims.d, dims.d + dims.nbDims); }

Model::Model(const std::string& onnx, const External& external, int& node) {
  for (auto& m : fields(onnx))
    if (m.number == 7)
      for (auto& f : fields(m.data)) {
        if (f.number == 1) nodes.push_back(read_node(f.data));
        if (f.number == 5) weights_.insert(read_weights(f.data, external));
        if (f.number == 11) inputs.push_back(read_port(f.data));
        if (f.number == 12) outputs.push_back(read_port(f.data));
      }
  need(!outputs.empty(), "the model has no output");
  std::set<std::string> names;
  Tensors all;
  for (auto& i : inputs) {
    need(names.insert(i.name).second && (is_dynamic(i.shape) || elements(i.shape) >= 0), "two inputs are called " + i.name);
    to_trt(i.type), to_dims(i.shape);
    all[i.name] = {i.type, i.shape, ""};
  }
  for (auto& n : nodes) {
    node = int(&n - &nodes[0]);
    need(n.out.size() == 1 && names.insert(n.out[0]).second, n.op + " has no output of its own");
    all[n.out[0]] = apply(n, all, false, 0);
  }
  for (auto& o : outputs) {
    need(names.erase(o.name) == 1 && !nodes.empty(), "there is no output " + o.name);
    o.type = all.at(o.name).type, o.shape = all.at(o.name).shape;
    to_trt(o.type), to_dims(o.shape);
  }
  for (auto& i : inputs) need(names.count(i.name) == 1, "an input is an output, too");
}

Tensors Model::infer(const Shapes& shapes) const {
  Tensors all;
  for (auto& i : inputs) all[i.name] = {i.type, shapes.at(i.name), ""};
  for (auto& n : nodes) all[n.out[0]] = apply(n, all, false, 0);
  return all;
}

Tensors Model::compute(Tensors all, int dropped_bits) const {
  for (auto& n : nodes) all[n.out[0]] = apply(n, all, true, dropped_bits);
  return all;
}

Tensor Model::apply(const Node& n, const Tensors& all, bool compute, int dropped_bits) const {
  static const std::map<std::string, Tensor (*)(const Call&)> operators = {
    {"Add", elementwise}, {"Cast", cast}, {"Conv", conv}, {"Flatten", reshape}, {"Gemm", gemm}, {"MaxPool", max_pool}, {"Mul", elementwise},
    {"NonZero", nonzero}, {"Relu", elementwise}, {"Reshape", reshape}, {"Softmax", softmax}, {"Transpose", reshape},
  };
  const auto found = operators.find(n.op);
  need(found != operators.end(), "there is no operator " + n.op);
  Call c{n, {}, compute, dropped_bits};
  for (auto& name : n.in) {
    c.in.push_back(weights_.count(name) != 0 ? &weights_.at(name) : &all.at(name));
    need(c.in.back()->type == FLOAT || found->second == cast || found->second == reshape, n.op + " is there for float32 alone");
  }
  return found->second(c);
}

}  // namespace standin
