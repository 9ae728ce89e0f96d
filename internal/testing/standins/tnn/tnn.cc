// SPDX-License-Identifier: Apache-2.0

// A STAND-IN for TNN 0.3, and no part of it: see tnn/core/tnn.h beside it.
//
// Like the genuine one it takes sizes unseen: an instance has memory for its
// largest shapes, and more is written behind it, which AddressSanitizer sees.
// A layer of the kind Fault passes its input on, and does what its parameter
// says: see fault.
#include <omp.h>
#include <tnn/core/tnn.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>
#include <stdexcept>

namespace TNN_NS {
struct Layer {
  std::string kind, name;
  std::vector<std::string> in, out, words;
  std::vector<int> p;
};
struct Weights {
  std::vector<float> w, b;
};
struct Net {
  InputShapesMap inputs;
  std::map<std::string, DataType> types;
  std::vector<std::string> outputs;
  std::vector<Layer> layers;
  std::map<std::string, Weights> weights;
};

namespace {

int count(const DimsVector& dims, size_t from = 0) {
  int n = 1;
  for (size_t i = from; i < dims.size(); i++) n *= dims[i];
  return n;
}
Status failed(int code, const std::string& text) {
  fprintf(stderr, "E/tnn: stand-in: %s\n", text.c_str());
  return Status(code, text);
}

// there tells what the stand-in was "built with". CUDA is, but finds no GPU;
// the other devices compute on the processor.
bool there(DeviceType device) {
  return std::set<DeviceType>{DEVICE_NAIVE, DEVICE_X86, DEVICE_ARM, DEVICE_OPENCL, DEVICE_METAL, DEVICE_CUDA}.count(device) != 0;
}

struct Reader {
  const std::string& data;
  size_t at = 0;

  std::string take(size_t n) {
    if (n > data.size() - at) throw std::out_of_range("stand-in: the model ends too early");
    at += n;
    return data.substr(at - n, n);
  }
  int number() {
    int v;
    memcpy(&v, take(sizeof v).data(), sizeof v);
    return v;
  }
  std::string text() { return take(size_t(number())); }
  std::vector<float> raw() {
    number(), number();
    const int bytes = number();
    if (bytes <= 0) return {};
    take(4 * size_t(number()));
    std::vector<float> values(size_t(bytes) / 4);
    memcpy(values.data(), take(size_t(bytes)).data(), size_t(bytes));
    return values;
  }
};

Status interpret(const std::string& proto, const std::string& model, Net& net) {
  std::string text = proto;
  text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == '"' || c == '\n'; }), text.end());
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  std::vector<std::string> lines;
  std::stringstream all(text);
  for (std::string line; std::getline(all, line, ',');) lines.push_back(line);
  if (lines.size() <= 5) return failed(TNNERR_INVALID_NETCFG, "content line <= 5");
  std::stringstream inputs(lines[1]);
  for (std::string input; std::getline(inputs, input, ':');) {
    std::stringstream words(input);
    std::string name;
    int rank = 0, dim, type = 0;
    words >> name >> rank;
    for (int i = 0; i < rank && words >> dim; i++) net.inputs[name].push_back(dim);
    words >> type;
    if (type < DATA_TYPE_FLOAT || type > DATA_TYPE_UINT32) return failed(TNNERR_INVALID_NETCFG, "type of input " + name);
    net.types[name] = DataType(type);
  }
  std::stringstream outputs(lines[3]);
  for (std::string name; outputs >> name;) net.outputs.push_back(name);
  for (size_t i = 5; i < lines.size(); i++) {
    std::stringstream words(lines[i]);
    Layer l;
    int in = 0, out = 0;
    if (!(words >> l.kind >> l.name >> in >> out)) continue;
    std::string word;
    for (int k = 0; k < in && words >> word; k++) l.in.push_back(word);
    for (int k = 0; k < out && words >> word; k++) l.out.push_back(word);
    while (words >> word) l.words.push_back(word), l.p.push_back(atoi(word.c_str()));
    for (size_t i = l.p.size(); i < 14; i++) l.p.push_back(i == 11 || i == 12);
    net.layers.push_back(l);
  }
  Reader r{model};
  r.number();
  for (int n = r.number(); n > 0; n--) {
    r.number();
    const std::string kind = r.text();
    Weights& w = net.weights[r.text()];
    r.text();
    const bool bias = kind != "Convolution" || r.number() != 0;
    w.w = r.raw();
    if (bias) w.b = r.raw();
  }
  return TNN_OK;
}

DimsVector shape_of(const Layer& l, const DimsVector& x) {
  auto windows = [](int size, int extent, int stride, int pad) { return (size + 2 * pad - extent) / stride + 1; };
  if (l.kind == "Convolution") return {x[0], l.p[2], windows(x[2], l.p[11] * (l.p[3] - 1) + 1, l.p[5], l.p[7]), windows(x[3], l.p[12] * (l.p[4] - 1) + 1, l.p[6], l.p[8])};
  if (l.kind == "Pooling") return {x[0], x[1], windows(x[2], l.p[1], l.p[3], l.p[5]), windows(x[3], l.p[2], l.p[4], l.p[6])};
  if (l.kind == "Flatten") return {x[0], count(x, 1)};
  if (l.kind == "InnerProduct") return {x[0], l.p[0]};
  return x;
}

// convolution is InnerProduct, too: with one pixel.
void convolution(const Layer& l, const Weights& w, DimsVector in, DimsVector out, const float* x, float* y) {
  std::vector<int> p = l.p;
  if (l.kind == "InnerProduct") p = {1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0}, in = {in[0], count(in, 1), 1, 1}, out = {out[0], out[1], 1, 1};
  const int group = p[0], kh = p[3], kw = p[4], per = in[1] / group;
  for (int n = 0; n < out[0]; n++)
    for (int o = 0; o < out[1]; o++)
      for (int i = 0; i < out[2]; i++)
        for (int j = 0; j < out[3]; j++) {
          double sum = w.b.empty() ? 0 : w.b[size_t(o)];
          for (int c = 0; c < per; c++)
            for (int a = 0; a < kh; a++)
              for (int b = 0; b < kw; b++) {
                const int h = i * p[5] - p[7] + a * p[11], v = j * p[6] - p[8] + b * p[12], channel = o / (out[1] / group) * per + c;
                if (h < 0 || h >= in[2] || v < 0 || v >= in[3]) continue;
                sum += double(w.w[size_t(((o * per + c) * kh + a) * kw + b)]) * x[((n * in[1] + channel) * in[2] + h) * in[3] + v];
              }
          *y++ = float(p[13] == 1 ? std::max(sum, 0.0) : sum);
        }
}

void pooling(const Layer& l, const DimsVector& in, const DimsVector& out, const float* x, float* y) {
  for (int plane = 0; plane < out[0] * out[1]; plane++, x += in[2] * in[3])
    for (int i = 0; i < out[2]; i++)
      for (int j = 0; j < out[3]; j++) {
        float most = -INFINITY;
        for (int h = std::max(0, i * l.p[3] - l.p[5]); h < std::min(in[2], i * l.p[3] - l.p[5] + l.p[1]); h++)
          for (int v = std::max(0, j * l.p[4] - l.p[6]); v < std::min(in[3], j * l.p[4] - l.p[6] + l.p[2]); v++) most = std::max(most, x[h * in[3] + v]);
        *y++ = most;
      }
}

void softmax(const DimsVector& in, const float* x, float* y) {
  const int k = count(in, 1);
  for (int n = 0; n < in[0]; n++, x += k, y += k) {
    double sum = 0;
    const float most = *std::max_element(x, x + k);
    for (int i = 0; i < k; i++) sum += std::exp(double(x[i]) - most);
    for (int i = 0; i < k; i++) y[i] = float(std::exp(double(x[i]) - most) / sum);
  }
}

// fault does what layers Fault ask for, if this is when: create:status,
// reshape:throw, forward:int and the like.
Status fault(const Net& net, const std::string& when) {
  for (auto& l : net.layers) {
    const std::string what = l.kind == "Fault" && !l.words.empty() ? l.words[0] : "";
    if (what == when + ":status") return failed(TNNERR_LAYER_ERR, "a fault was asked for");
    if (what == when + ":throw") throw std::runtime_error("stand-in: thrown as asked for");
    if (what == when + ":int") throw 7;
  }
  return TNN_OK;
}

}  // namespace

Status Instance::Infer() {
  for (auto& l : net_->layers) {
    Blob& in = *blobs_[l.in[0]];
    for (auto& name : l.in)
      if (blobs_[name]->desc.dims != in.desc.dims) return failed(TNNERR_LAYER_ERR, "it does not broadcast");
    for (auto& name : l.out) {
      BlobDesc& desc = blobs_[name]->desc;
      desc.dims = shape_of(l, in.desc.dims);
      if (*std::min_element(desc.dims.begin(), desc.dims.end()) < 1) return failed(TNNERR_LAYER_ERR, "layer output dims is invalid");
      desc.data_type = l.kind == "Fault" && l.words[0] == "int64" ? DATA_TYPE_INT64 : in.desc.data_type;
      blobs_[name]->late = l.kind == "Fault" && l.words[0] == "late";
    }
  }
  return TNN_OK;
}
Status Instance::Reshape(const InputShapesMap& inputs) {
  for (auto& i : inputs) blobs_[i.first]->desc.dims = i.second;
  Status status = fault(*net_, "reshape");
  return int(status) != TNN_OK ? status : Infer();
}
Status Instance::SetCpuNumThreads(int n) {
  threads_ = std::min(std::max(n, 1), omp_get_num_procs());
  return TNN_OK;
}
Status Instance::GetAllInputBlobs(BlobMap& blobs) {
  for (auto& i : net_->inputs) blobs[i.first] = blobs_[i.first].get();
  return TNN_OK;
}
Status Instance::GetAllOutputBlobs(BlobMap& blobs) {
  for (auto& name : net_->outputs) blobs[name] = blobs_[name].get();
  return TNN_OK;
}
Status Instance::Forward() {
  omp_set_num_threads(threads_);
  Status status = fault(*net_, "forward");
  if (int(status) != TNN_OK) return status;
  for (auto& l : net_->layers) {
    Blob &in = *blobs_[l.in[0]], &out = *blobs_[l.out[0]];
    const DimsVector &a = in.desc.dims, &b = out.desc.dims;
    const float* x = in.values.data();
    float* y = out.values.data();
    static const Weights none;
    auto found = net_->weights.find(l.name);
    const Weights& w = found == net_->weights.end() ? none : found->second;
    const float* other = l.in.size() > 1 ? blobs_[l.in[1]]->values.data() : x;
    if (l.kind == "Convolution" || l.kind == "InnerProduct") convolution(l, w, a, b, x, y);
    else if (l.kind == "Pooling") pooling(l, a, b, x, y);
    else if (l.kind == "Softmax") softmax(a, x, y);
    else
      for (int i = 0; i < count(a); i++) y[i] = l.kind == "Add" ? x[i] + other[i] : l.kind == "Mul" ? x[i] * other[i] : l.kind == "ReLU" ? std::max(x[i], 0.0f) : x[i];
    if (l.kind == "Fault" && l.words[0] == "forward:grow") out.desc.dims[0]++;
  }
  return TNN_OK;
}
Status TNN::Init(ModelConfig& config) {
  auto net = std::make_shared<Net>();
  Status status = interpret(config.params[0], config.params[1], *net);
  for (auto& l : net->layers) {
    static const std::set<std::string> known = {"Convolution", "InnerProduct", "Pooling", "Flatten", "Softmax", "Add", "Mul", "ReLU", "Fault"};
    if (known.count(l.kind) == 0) return failed(TNNERR_PARAM_ERR, "layer type is not supported");
  }
  net_ = net;
  return status;
}
Status TNN::GetModelInputShapesMap(InputShapesMap& shapes) { return shapes = net_->inputs, TNN_OK; }

std::shared_ptr<Instance> TNN::CreateInst(NetworkConfig& config, Status& status, InputShapesMap, InputShapesMap max_shapes) {
  if (config.device_type == DEVICE_METAL && config.precision != PRECISION_NORMAL && config.precision != PRECISION_AUTO)
    return status = failed(TNNERR_DEVICE_NOT_SUPPORT, "Metal computes in float16"), nullptr;
  if (!there(config.device_type) || config.device_type == DEVICE_CUDA) return status = Status(TNNERR_DEVICE_NOT_SUPPORT, "there is no such device"), nullptr;
  auto instance = std::make_shared<Instance>(net_);
  auto add = [&](const std::string& name, DataType type) {
    instance->blobs_[name].reset(new Blob(BlobDesc{config.device_type, type, {}, name}));
  };
  for (auto& i : net_->inputs) {
    add(i.first, net_->types.at(i.first));
    auto found = max_shapes.find(i.first);
    instance->blobs_[i.first]->desc.dims = found == max_shapes.end() ? i.second : found->second;
  }
  for (auto& l : net_->layers)
    for (auto& name : l.out) add(name, DATA_TYPE_FLOAT);
  status = fault(*net_, "create");
  if (int(status) == TNN_OK) status = instance->Infer();
  if (int(status) != TNN_OK) return nullptr;
  for (auto& b : instance->blobs_) b.second->values.resize(size_t(count(b.second->desc.dims)));
  return instance;
}

Status BlobConverter::Convert(Mat& mat, bool to_mat) {
  const bool integers = blob_->desc.data_type == DATA_TYPE_INT32;
  if (!there(blob_->desc.device_type)) return Status(TNNERR_INIT_LAYER, "image converter is nil, check device type");
  if (mat.type != (integers ? NC_INT32 : NCHW_FLOAT)) return Status(TNNERR_PARAM_ERR, "convert type not support yet");
  float *v = blob_->values.data(), *f = static_cast<float*>(mat.data);
  int32_t* i = static_cast<int32_t*>(mat.data);
  for (int n = count(blob_->desc.dims), k = 0; k < n; k++)
    if (to_mat) integers ? void(i[k] = int32_t(v[k])) : void(f[k] = v[k]);
    else v[k] = integers ? float(i[k]) : f[k];
  return TNN_OK;
}

}  // namespace TNN_NS
