// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: the operators of testdata's models, on the
// processor, with sums in double.
#include "operators.h"

#include <algorithm>

namespace standin {

namespace {

void expect(bool good, const std::string& text) {
  if (!good) invalid(text);
}

// finish rounds results.
void finish(const Arithmetic& a, std::vector<float>& values) {
  if (a.type == FLOAT) return;
  for (float& v : values) v = a.type == FLOAT16 ? from_half(to_half(v)) : rounded(v, 16);
}

// factors are what products are made of.
std::vector<float> factors(const Arithmetic& a, const Tensor& t) {
  std::vector<float> values = to_floats(t);
  if (a.tf32 && t.type == FLOAT)
    for (float& v : values) v = rounded(v, 13);
  return values;
}

using Values = std::vector<Value>;
using Tensors = std::vector<const Tensor*>;

void inputs(const Node& n, const Values& in, size_t least, size_t most) {
  expect(in.size() >= least && in.size() <= most, n.op + " has " + std::to_string(in.size()) + " inputs");
}

void floats(const Node& n, const Value& v) {
  if (!is_float(v.type)) unsupported(n.op + " is not supported for type " + name_of(v.type));
}

int64_t axis_of(int64_t axis, size_t rank) {
  expect(axis >= -int64_t(rank) && axis < int64_t(rank), "axis " + std::to_string(axis) + " is out of range");
  return axis < 0 ? axis + int64_t(rank) : axis;
}

// Windows of Conv and MaxPool

struct Window {
  int64_t extent[2], stride[2], dilation[2], pad[4];

  Window(const Node& n, std::vector<int64_t> kernel) {
    expect(kernel.size() == 2, n.op + " is supported for two spatial dimensions here");
    const auto s = n.numbers("strides", {1, 1}), d = n.numbers("dilations", {1, 1}), p = n.numbers("pads", {0, 0, 0, 0});
    if (!n.word("auto_pad").empty() && n.word("auto_pad") != "NOTSET") unsupported("auto_pad is not supported here");
    if (n.number("ceil_mode", 0) != 0) unsupported("ceil_mode is not supported here");
    expect(s.size() == 2 && d.size() == 2 && p.size() == 4, "attributes of " + n.op + " have wrong sizes");
    for (size_t i = 0; i < 2; i++) {
      for (int64_t v : {kernel[i], s[i], d[i]}) expect(v > 0 && v <= 4096, n.op + " has a window that cannot be");
      extent[i] = kernel[i], stride[i] = s[i], dilation[i] = d[i];
    }
    for (size_t i = 0; i < 4; i++) {
      expect(p[i] >= 0 && p[i] <= 4096, n.op + " has a padding that cannot be");
      pad[i] = p[i];
    }
  }
  int64_t out(int i, int64_t in) const {
    if (in < 0) return -1;
    const int64_t room = in + pad[i] + pad[i + 2] - (dilation[i] * (extent[i] - 1) + 1);
    expect(room >= 0, "a window is larger than its input");
    return room / stride[i] + 1;
  }
};

Value conv(const Node& n, const Values& in) {
  inputs(n, in, 2, 3);
  floats(n, in[0]);
  const Shape &x = in[0].shape, &w = in[1].shape;
  expect(x.size() == 4 && w.size() == 4 && !is_dynamic(w), "Conv is supported for images here");
  for (auto& v : in) expect(v.type == in[0].type, "the inputs of Conv have several types");
  const int64_t group = n.number("group", 1);
  expect(group > 0 && group <= w[0] && w[0] % group == 0 && (x[1] < 0 || x[1] == w[1] * group), "the channels of Conv do not match its weights");
  if (in.size() > 2) expect(in[2].shape == Shape{w[0]}, "the bias of Conv does not match its weights");
  const Window win(n, {w[2], w[3]});
  expect(n.numbers("kernel_shape", {w[2], w[3]}) == std::vector<int64_t>({w[2], w[3]}), "kernel_shape does not match the weights");
  return {in[0].type, {x[0], w[0], win.out(0, x[2]), win.out(1, x[3])}};
}

// A Tap is a weight of Conv with the pixels that it is for, in a row of the output.
struct Tap {
  const double* x; // for the first of them
  double weight;
  int64_t from, to;
  size_t place; // of the weight in a filter
};

// Conv is most of the time that a model takes: taps that are for the same pixels
// are added while those are in registers. Where the processor has vectors of
// four doubles, they are used; sanitizers stay out.
typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));
const int64_t BLOCK = 16;

__attribute__((always_inline)) inline void add_block(double* sums, const Tap* taps, size_t count, int64_t at) {
  Four* s = reinterpret_cast<Four*>(sums);
  Four a = s[0], b = s[1], c = s[2], d = s[3];
  for (size_t i = 0; i < count; i++) {
    const Four* x = reinterpret_cast<const Four*>(taps[i].x + at);
    const double w = taps[i].weight;
    a += w * x[0], b += w * x[1], c += w * x[2], d += w * x[3];
  }
  s[0] = a, s[1] = b, s[2] = c, s[3] = d;
}

#define STANDIN_BLOCKS(name)                                                          \
  void name(double* sums, const Tap* taps, size_t count, int64_t pixels) {            \
    for (int64_t i = 0; i + BLOCK <= pixels; i += BLOCK) add_block(sums + i, taps, count, i); \
  }
#if defined(__x86_64__)
__attribute__((target("fma"), optimize("O2"), no_sanitize("address", "undefined"))) STANDIN_BLOCKS(add_blocks_fast)
#endif
__attribute__((optimize("O2"), no_sanitize("address", "undefined"))) STANDIN_BLOCKS(add_blocks)
#undef STANDIN_BLOCKS

void add(std::vector<double>& row, const std::vector<Tap>& taps, int64_t stride) {
  static auto* const blocks =
#if defined(__x86_64__)
      __builtin_cpu_supports("fma") ? add_blocks_fast :
#endif
      add_blocks;
  for (size_t i = 0, end; i < taps.size(); i = end) {
    const Tap& t = taps[i];
    for (end = i + 1; end < taps.size() && taps[end].from == t.from && taps[end].to == t.to;) end++;
    int64_t done = 0;
    if (stride == 1) {
      blocks(row.data() + t.from, &t, end - i, t.to - t.from);
      done = (t.to - t.from) / BLOCK * BLOCK;
    }
    for (size_t k = i; k < end; k++)
      for (int64_t j = t.from + done; j < t.to; j++) row[size_t(j)] += taps[k].weight * taps[k].x[(j - t.from) * stride];
  }
}

Tensor compute_conv(const Node& n, const Tensors& in, const Shape& out, const Arithmetic& arithmetic) {
  const Shape &xs = in[0]->shape, &ws = in[1]->shape;
  const Window win(n, {ws[2], ws[3]});
  const std::vector<float> x = factors(arithmetic, *in[0]), w = factors(arithmetic, *in[1]), b = in.size() > 2 ? to_floats(*in[2]) : std::vector<float>();
  const int64_t filters = ws[0] / n.number("group", 1), height = xs[2], width = xs[3], stride = win.stride[1];
  std::vector<float> y(static_cast<size_t>(volume(out)));
  std::vector<double> row(static_cast<size_t>(out[3])), lines(static_cast<size_t>(xs[1] * ws[2] * width));
  std::vector<Tap> taps;
  for (int64_t image = 0; image < out[0]; image++)
    for (int64_t i = 0; i < out[2]; i++) {
      const auto at = [&](int64_t k) { return i * win.stride[0] - win.pad[0] + k * win.dilation[0]; };
      // All that the row needs, side by side: channels lie where caches have no
      // room for many at once.
      for (int64_t c = 0; c < xs[1]; c++)
        for (int64_t k = 0; k < ws[2]; k++)
          if (at(k) >= 0 && at(k) < height) std::copy_n(x.begin() + ((image * xs[1] + c) * height + at(k)) * width, width, lines.begin() + (c * ws[2] + k) * width);
      for (int64_t o = 0; o < out[1]; o++) {
        if (o % filters == 0) { // the first of a group
          taps.clear();
          for (int64_t c = 0; c < ws[1]; c++)
            for (int64_t k = 0; k < ws[2]; k++) {
              if (at(k) < 0 || at(k) >= height) continue;
              const double* line = lines.data() + ((o / filters * ws[1] + c) * ws[2] + k) * width;
              for (int64_t l = 0; l < ws[3]; l++) {
                const int64_t first = l * win.dilation[1] - win.pad[1];
                const int64_t from = first < 0 ? (-first + stride - 1) / stride : 0, to = std::min(out[3], first < width ? (width - first - 1) / stride + 1 : 0);
                if (to > from) taps.push_back({line + from * stride + first, 0, from, to, size_t((c * ws[2] + k) * ws[3] + l)});
              }
            }
        }
        const float* filter = w.data() + o * ws[1] * ws[2] * ws[3];
        for (auto& t : taps) t.weight = double(filter[t.place]);
        std::fill(row.begin(), row.end(), b.empty() ? 0 : double(b[size_t(o)]));
        add(row, taps, stride);
        std::copy(row.begin(), row.end(), y.begin() + ((image * out[1] + o) * out[2] + i) * out[3]);
      }
    }
  finish(arithmetic, y);
  return from_floats(in[0]->type, out, y);
}

Value pool(const Node& n, const Values& in) {
  inputs(n, in, 1, 1);
  floats(n, in[0]);
  const Shape& x = in[0].shape;
  expect(x.size() == 4, "MaxPool is supported for images here");
  const Window win(n, n.numbers("kernel_shape", {}));
  for (int i = 0; i < 2; i++) expect(win.pad[i] < win.extent[i] && win.pad[i + 2] < win.extent[i] && win.dilation[i] == 1, "MaxPool has a window that cannot be");
  return {in[0].type, {x[0], x[1], win.out(0, x[2]), win.out(1, x[3])}};
}

Tensor compute_pool(const Node& n, const Tensors& in, const Shape& out, const Arithmetic&) {
  const Shape& xs = in[0]->shape;
  const Window win(n, n.numbers("kernel_shape", {}));
  const std::vector<float> x = to_floats(*in[0]);
  std::vector<float> y;
  for (int64_t plane = 0; plane < out[0] * out[1]; plane++)
    for (int64_t i = 0; i < out[2]; i++)
      for (int64_t j = 0; j < out[3]; j++) {
        float most = -INFINITY;
        for (int64_t h = std::max<int64_t>(0, i * win.stride[0] - win.pad[0]); h < std::min(xs[2], i * win.stride[0] - win.pad[0] + win.extent[0]); h++)
          for (int64_t v = std::max<int64_t>(0, j * win.stride[1] - win.pad[1]); v < std::min(xs[3], j * win.stride[1] - win.pad[1] + win.extent[1]); v++)
            most = std::max(most, x[size_t((plane * xs[2] + h) * xs[3] + v)]);
        y.push_back(most);
      }
  return from_floats(in[0]->type, out, y);
}

// One element for one

Value relu(const Node& n, const Values& in) {
  inputs(n, in, 1, 1);
  floats(n, in[0]);
  return {in[0].type, in[0].shape};
}

Tensor compute_relu(const Node&, const Tensors& in, const Shape& out, const Arithmetic&) {
  std::vector<float> x = to_floats(*in[0]);
  for (float& v : x) v = v < 0 ? 0 : v;
  return from_floats(in[0]->type, out, x);
}

Value elementwise(const Node& n, const Values& in) {
  inputs(n, in, 2, 2);
  expect(in[0].type == in[1].type, "the inputs of " + n.op + " have several types");
  if (!is_float(in[0].type) && in[0].type != INT32 && in[0].type != INT64) unsupported(n.op + " is not supported for type " + name_of(in[0].type));
  const Shape &a = in[0].shape, &b = in[1].shape;
  Shape out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); i++) {
    const int64_t p = i < out.size() - a.size() ? 1 : a[i - (out.size() - a.size())], q = i < out.size() - b.size() ? 1 : b[i - (out.size() - b.size())];
    if (p >= 0 && q >= 0) expect(p == q || p == 1 || q == 1, "the inputs of " + n.op + " have shapes that do not match");
    out[i] = p == 1 ? q : q == 1 ? p : std::max(p, q);
  }
  return {in[0].type, out};
}

// places are the indices of a tensor's elements, where it is repeated along
// the dimensions of another.
std::vector<size_t> places(const Shape& shape, const Shape& out) {
  std::vector<size_t> all(size_t(volume(out)));
  for (size_t i = 0; i < all.size(); i++) {
    size_t rest = i, step = 1;
    for (size_t k = out.size(); k-- > out.size() - shape.size();) {
      const auto size = size_t(shape[k - (out.size() - shape.size())]);
      all[i] += (size == 1 ? 0 : rest % size_t(out[k])) * step;
      rest /= size_t(out[k]);
      step *= size;
    }
  }
  return all;
}

Tensor compute_elementwise(const Node& n, const Tensors& in, const Shape& out, const Arithmetic& arithmetic) {
  const auto p = places(in[0]->shape, out), q = places(in[1]->shape, out);
  const bool add = n.op == "Add";
  if (is_float(in[0]->type)) {
    const std::vector<float> a = to_floats(*in[0]), b = to_floats(*in[1]);
    std::vector<float> y(p.size());
    for (size_t i = 0; i < y.size(); i++) y[i] = add ? a[p[i]] + b[q[i]] : a[p[i]] * b[q[i]];
    finish(arithmetic, y);
    return from_floats(in[0]->type, out, y);
  }
  Tensor y(in[0]->type, out);
  for (size_t i = 0; i < p.size(); i++) {
    const auto a = uint64_t(integer_at(*in[0], p[i])), b = uint64_t(integer_at(*in[1], q[i]));
    set_integer(y, i, int64_t(add ? a + b : a * b));
  }
  return y;
}

Value cast(const Node& n, const Values& in) {
  inputs(n, in, 1, 1);
  const int64_t to = n.number("to", 0);
  if (to < 0 || to > BFLOAT16 || !known(int(to))) unsupported("Unsupported cast!");
  return {int(to), in[0].shape};
}

Tensor compute_cast(const Node& n, const Tensors& in, const Shape& out, const Arithmetic&) {
  const Tensor& x = *in[0];
  Tensor y(int(n.number("to", 0)), out);
  if (is_float(y.type)) {
    std::vector<float> values;
    if (is_float(x.type)) values = to_floats(x);
    else
      for (size_t i = 0; i < x.size(); i++) values.push_back(float(integer_at(x, i)));
    return from_floats(y.type, out, values);
  }
  const std::vector<float> values = is_float(x.type) ? to_floats(x) : std::vector<float>();
  for (size_t i = 0; i < x.size(); i++) {
    if (values.empty()) set_integer(y, i, integer_at(x, i));
    else if (y.type == BOOL) set_integer(y, i, values[i] != 0);
    else set_integer(y, i, std::isfinite(values[i]) && std::fabs(values[i]) < 9e18f ? int64_t(values[i]) : 0);
  }
  return y;
}

// Quantization is to int8 around 0: TensorRT knows no other, and takes an
// unsigned zero point of 0 for a signed one.

Value quantization(const Node& n, const Values& in, int from, int to) {
  inputs(n, in, 2, 3);
  expect(in[0].type == from || is_float(from) == is_float(in[0].type), n.op + " is not for type " + name_of(in[0].type));
  if (!is_float(from) && in[0].type != INT8) unsupported(n.op + " is not supported for type " + name_of(in[0].type));
  const Value& scale = in[1];
  expect(scale.constant != nullptr && scale.type == FLOAT && scale.shape.size() <= 1 && scale.constant->size() > 0, n.op + " has no constant scale");
  if (scale.shape.size() == 1 && scale.shape[0] != 1) {
    const int64_t axis = axis_of(n.number("axis", 1), in[0].shape.size());
    expect(in[0].shape[size_t(axis)] == scale.shape[0], "the scales of " + n.op + " do not match its input");
  }
  for (size_t i = 0; i < scale.constant->size(); i++) expect(scale.constant->as<float>()[i] > 0, "a scale is not positive");
  if (in.size() > 2) {
    const Tensor* zero = in[2].constant;
    expect(zero != nullptr && zero->size() == scale.constant->size(), "The scale and zero point must have the same volume.");
    for (char c : zero->data)
      if (c != 0) unsupported("Non-zero zero point is not supported.");
  }
  return {to, in[0].shape};
}

Value quantize(const Node& n, const Values& in) { return quantization(n, in, FLOAT, INT8); }
Value dequantize(const Node& n, const Values& in) { return quantization(n, in, INT8, FLOAT); }

// scales is one for each element.
std::vector<float> scales(const Node& n, const Tensor& scale, const Shape& shape) {
  const size_t count = size_t(volume(shape));
  std::vector<float> all(count, scale.as<float>()[0]);
  if (scale.size() == 1) return all;
  const auto axis = size_t(axis_of(n.number("axis", 1), shape.size()));
  size_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); i++) inner *= size_t(shape[i]);
  for (size_t i = 0; i < count; i++) all[i] = scale.as<float>()[i / inner % scale.size()];
  return all;
}

Tensor compute_quantize(const Node& n, const Tensors& in, const Shape& out, const Arithmetic&) {
  const std::vector<float> x = to_floats(*in[0]), s = scales(n, *in[1], out);
  Tensor y(INT8, out);
  for (size_t i = 0; i < x.size(); i++) y.as<int8_t>()[i] = int8_t(std::min(127.0f, std::max(-128.0f, std::isnan(x[i]) ? 0 : std::nearbyint(x[i] / s[i]))));
  return y;
}

Tensor compute_dequantize(const Node& n, const Tensors& in, const Shape& out, const Arithmetic&) {
  const std::vector<float> s = scales(n, *in[1], out);
  Tensor y(FLOAT, out);
  for (size_t i = 0; i < s.size(); i++) y.as<float>()[i] = s[i] * float(in[0]->as<int8_t>()[i]);
  return y;
}

// Other shapes

Value flatten(const Node& n, const Values& in) {
  inputs(n, in, 1, 1);
  const Shape& x = in[0].shape;
  const int64_t axis = n.number("axis", 1), rank = int64_t(x.size());
  expect(axis >= -rank && axis <= rank, "axis " + std::to_string(axis) + " is out of range");
  const auto at = x.begin() + (axis < 0 ? axis + rank : axis);
  return {in[0].type, {volume(Shape(x.begin(), at)), volume(Shape(at, x.end()))}};
}

Value reshape(const Node& n, const Values& in) {
  inputs(n, in, 2, 2);
  const Tensor* to = in[1].constant;
  if (to == nullptr) unsupported("Reshape is supported with a constant shape here");
  expect((to->type == INT64 || to->type == INT32) && to->shape.size() == 1 && to->size() <= size_t(nvinfer1::Dims::MAX_DIMS), "Reshape has no shape");
  const Shape& x = in[0].shape;
  const bool keep_zero = n.number("allowzero", 0) != 0;
  Shape out;
  int64_t rest = volume(x), open = -1;
  for (size_t i = 0; i < to->size(); i++) {
    int64_t d = integer_at(*to, i);
    if (d == 0 && !keep_zero) {
      expect(i < x.size(), "Reshape keeps a dimension that is not there");
      d = x[i];
    } else if (d < 0) {
      expect(d == -1 && open < 0, "Reshape has a shape that cannot be");
      open = int64_t(i);
      d = 1;
    }
    out.push_back(d);
  }
  const int64_t known = volume(out);
  if (is_dynamic(x)) {
    if (open >= 0) out[size_t(open)] = -1;
    return {in[0].type, out};
  }
  expect(known >= 0 && (open < 0 ? known == rest : known > 0 && rest % known == 0), "Reshape from " + to_text(x) + " to " + to_text(out) + " changes the volume");
  if (open >= 0) out[size_t(open)] = rest / known;
  return {in[0].type, out};
}

Tensor compute_copy(const Node&, const Tensors& in, const Shape& out, const Arithmetic&) {
  Tensor y = *in[0];
  y.shape = out;
  return y;
}

std::vector<int64_t> order(const Node& n, size_t rank) {
  std::vector<int64_t> perm;
  for (size_t i = rank; i-- > 0;) perm.push_back(int64_t(i));
  perm = n.numbers("perm", perm);
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  expect(sorted.size() == rank, "perm does not match the input");
  for (size_t i = 0; i < rank; i++) expect(sorted[i] == int64_t(i), "perm does not match the input");
  return perm;
}

Value transpose(const Node& n, const Values& in) {
  inputs(n, in, 1, 1);
  Value v{in[0].type, {}};
  for (int64_t p : order(n, in[0].shape.size())) v.shape.push_back(in[0].shape[size_t(p)]);
  return v;
}

Tensor compute_transpose(const Node& n, const Tensors& in, const Shape& out, const Arithmetic&) {
  const Shape& x = in[0]->shape;
  const auto perm = order(n, x.size());
  std::vector<size_t> steps(x.size(), 1);
  for (size_t i = x.size(); i-- > 1;) steps[i - 1] = steps[i] * size_t(x[i]);
  Tensor y(in[0]->type, out);
  const size_t bytes = bytes_of(y.type);
  for (size_t i = 0; i < y.size(); i++) {
    size_t rest = i, from = 0;
    for (size_t k = out.size(); k-- > 0; rest /= size_t(out[k])) from += rest % size_t(out[k]) * steps[size_t(perm[k])];
    memcpy(y.data.data() + i * bytes, in[0]->data.data() + from * bytes, bytes);
  }
  return y;
}

Value nonzero(const Node& n, const Values& in) {
  inputs(n, in, 1, 1);
  if (STANDIN_TENSORRT < 806) throw Refusal{ErrorCode::kUNSUPPORTED_NODE, "No importer registered for op: NonZero"};
  return {STANDIN_TENSORRT < 1000 ? INT32 : INT64, {int64_t(in[0].shape.size()), -1}};
}

Tensor compute_nonzero(const Node&, const Tensors& in, const Shape&, const Arithmetic&) {
  const Tensor& x = *in[0];
  const std::vector<float> values = is_float(x.type) ? to_floats(x) : std::vector<float>();
  std::vector<size_t> found;
  for (size_t i = 0; i < x.size(); i++)
    if (values.empty() ? integer_at(x, i) != 0 : values[i] != 0) found.push_back(i);
  Tensor y(STANDIN_TENSORRT < 1000 ? INT32 : INT64, {int64_t(x.shape.size()), int64_t(found.size())});
  for (size_t i = 0; i < found.size(); i++) {
    size_t rest = found[i];
    for (size_t k = x.shape.size(); k-- > 0; rest /= size_t(x.shape[k])) set_integer(y, k * found.size() + i, int64_t(rest % size_t(x.shape[k])));
  }
  return y;
}

// Matrices

Value gemm(const Node& n, const Values& in) {
  inputs(n, in, 2, 3);
  floats(n, in[0]);
  const Shape &a = in[0].shape, &b = in[1].shape;
  for (auto& v : in) expect(v.type == in[0].type, "the inputs of Gemm have several types");
  expect(a.size() == 2 && b.size() == 2, "the inputs of Gemm are no matrices");
  const bool ta = n.number("transA", 0) != 0, tb = n.number("transB", 0) != 0;
  const int64_t rows = a[ta], columns = b[!tb];
  expect(a[!ta] < 0 || b[tb] < 0 || a[!ta] == b[tb], "the matrices of Gemm do not match");
  if (in.size() > 2) {
    const Shape& c = in[2].shape;
    expect(c.size() <= 2 && (c.empty() || c.back() == 1 || columns < 0 || c.back() == columns) && (c.size() < 2 || c[0] == 1 || rows < 0 || c[0] == rows), "the bias of Gemm does not match");
  }
  return {in[0].type, {rows, columns}};
}

Tensor compute_gemm(const Node& n, const Tensors& in, const Shape& out, const Arithmetic& arithmetic) {
  const std::vector<float> a = factors(arithmetic, *in[0]), b = factors(arithmetic, *in[1]), c = in.size() > 2 ? to_floats(*in[2]) : std::vector<float>();
  const auto place = in.size() > 2 ? places(in[2]->shape, out) : std::vector<size_t>();
  const bool ta = n.number("transA", 0) != 0, tb = n.number("transB", 0) != 0;
  const double alpha = n.real("alpha", 1), beta = n.real("beta", 1);
  const auto rows = size_t(out[0]), columns = size_t(out[1]), inner = size_t(in[0]->shape[!ta]);
  std::vector<float> y(rows * columns);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) {
      double sum = 0;
      for (size_t k = 0; k < inner; k++) sum += double(a[ta ? k * rows + i : i * inner + k]) * double(b[tb ? j * inner + k : k * columns + j]);
      y[i * columns + j] = float(alpha * sum + (c.empty() ? 0 : beta * double(c[place[i * columns + j]])));
    }
  finish(arithmetic, y);
  return from_floats(in[0]->type, out, y);
}

Value softmax(const Node& n, const Values& in) {
  inputs(n, in, 1, 1);
  floats(n, in[0]);
  axis_of(n.number("axis", -1), in[0].shape.size());
  return {in[0].type, in[0].shape};
}

Tensor compute_softmax(const Node& n, const Tensors& in, const Shape& out, const Arithmetic& arithmetic) {
  const auto axis = size_t(axis_of(n.number("axis", -1), out.size()));
  std::vector<float> x = to_floats(*in[0]);
  size_t inner = 1;
  const auto size = size_t(out[axis]);
  for (size_t i = axis + 1; i < out.size(); i++) inner *= size_t(out[i]);
  for (size_t i = 0; i < x.size(); i++) {
    if (i / inner % size != 0) continue;
    double sum = 0;
    float most = -INFINITY;
    for (size_t k = 0; k < size; k++) most = std::max(most, x[i + k * inner]);
    for (size_t k = 0; k < size; k++) sum += std::exp(double(x[i + k * inner]) - double(most));
    for (size_t k = 0; k < size; k++) x[i + k * inner] = float(std::exp(double(x[i + k * inner]) - double(most)) / sum);
  }
  finish(arithmetic, x);
  return from_floats(in[0]->type, out, x);
}

}  // namespace

const Operator* operator_of(const std::string& op) {
  using nvinfer1::LayerType;
#if STANDIN_TENSORRT >= 806
  const LayerType casts = LayerType::kCAST, finds = LayerType::kNON_ZERO;
#else
  const LayerType casts = LayerType::kIDENTITY, finds = LayerType::kIDENTITY;
#endif
  static const std::map<std::string, Operator> all = {
    {"Add", {LayerType::kELEMENTWISE, "ElementWise", elementwise, compute_elementwise}},
    {"Cast", {casts, "Cast", cast, compute_cast}},
    {"Conv", {LayerType::kCONVOLUTION, "Convolution", conv, compute_conv}},
    {"DequantizeLinear", {LayerType::kDEQUANTIZE, "Dequantize", dequantize, compute_dequantize}},
    {"Flatten", {LayerType::kSHUFFLE, "Shuffle", flatten, compute_copy}},
    {"Gemm", {LayerType::kMATRIX_MULTIPLY, "Matrix Multiply", gemm, compute_gemm}},
    {"MaxPool", {LayerType::kPOOLING, "Pooling", pool, compute_pool}},
    {"Mul", {LayerType::kELEMENTWISE, "ElementWise", elementwise, compute_elementwise}},
    {"NonZero", {finds, "NonZero", nonzero, compute_nonzero}},
    {"QuantizeLinear", {LayerType::kQUANTIZE, "Quantize", quantize, compute_quantize}},
    {"Relu", {LayerType::kACTIVATION, "Activation", relu, compute_relu}},
    {"Reshape", {LayerType::kSHUFFLE, "Shuffle", reshape, compute_copy}},
    {"Softmax", {LayerType::kSOFTMAX, "SoftMax", softmax, compute_softmax}},
    {"Transpose", {LayerType::kSHUFFLE, "Shuffle", transpose, compute_transpose}},
  };
  const auto found = all.find(op);
  return found == all.end() ? nullptr : &found->second;
}

}  // namespace standin
