/* SPDX-License-Identifier: Apache-2.0 */
/* A loaded model, and the code that finds its inputs and outputs. */
#ifndef ANYINFER_MNN_MODEL_H
#define ANYINFER_MNN_MODEL_H

#include "module.h"

#include <mutex>

namespace anyinfer_mnn {

using shapes = std::map<std::string, anyinfer::range>; // from options, by input

struct description {
  std::string name;
  Variable::Info info; // of an input, from the file
  anyinfer_tensor tensor{};
};

}  // namespace anyinfer_mnn

struct anyinfer_model_t {
  const anyinfer_engine_t* engine;
  settings options;
  std::unique_ptr<runtime> load_runtime;
  const char* data;
  size_t size;
  std::unique_ptr<Module> module; // sessions are clones of it; it runs only during load
  std::mutex preparing; // clones share constants, whose descriptions shape inference writes to
  bool separated;
  std::vector<description> inputs, outputs;

  std::unique_ptr<Module> load(const runtime& r) const {
    Module::Config config;
    return std::unique_ptr<Module>(Module::load({}, {}, reinterpret_cast<const uint8_t*>(data), size, r.manager, &config));
  }

  ~anyinfer_model_t() {
    if (load_runtime == nullptr) return;
    ExecutorScope scope(load_runtime->executor); // a module frees its memory in the current scope
    module.reset();
  }
};

namespace anyinfer_mnn {

void describe_inputs(anyinfer_model_t& m, const shapes& shape_options) {
  auto info = m.module->getInfo();
  m.inputs.resize(info->inputNames.size());
  for (size_t i = 0; i < m.inputs.size(); i++) {
    auto& d = m.inputs[i];
    d.name = info->inputNames[i];
    d.info = info->inputs[i];
    d.tensor.name = d.name.c_str();
    d.tensor.dtype = dtype_of(d.info.type, d.name);
    d.tensor.shape = to_shape(d.info.dim);
    for (int32_t k = 0; k < d.tensor.shape.rank; k++)
      if (d.tensor.shape.dims[k] == 0) d.tensor.shape.dims[k] = -1;
  }
  for (auto& g : shape_options) {
    auto found = std::find_if(m.inputs.begin(), m.inputs.end(), [&](const description& d) { return d.name == g.first; });
    if (found == m.inputs.end()) refuse(ANYINFER_NAME, "there is no input \"%.100s\"", g.first.c_str());
    auto& shape = found->tensor.shape;
    const anyinfer::range& r = g.second;
    if (size_t(shape.rank) != r.opt.size()) refuse(ANYINFER_SHAPE, "input \"%.100s\" has %d dimensions", g.first.c_str(), int(shape.rank));
    for (size_t k = 0; k < r.opt.size(); k++) shape.dims[k] = r.min[k] == r.max[k] ? r.opt[k] : -1; // MNN resizes any
  }
}

/* trial has sizes for dynamic dimensions, to infer shapes. */
struct trial {
  int64_t first, other; // for the first and the other dimensions of inputs without an option

  int64_t dim(const anyinfer::range* r, size_t k, bool again) const {
    if (r == nullptr) return k == 0 ? first : other;
    return !again ? r->opt[k] : r->opt[k] != r->max[k] ? r->max[k] : r->min[k];
  }
};

const trial trials[] = {{1, 64}, {1, 224}, {1, 1}, {1, 320}, {2, 96}, {3, 7}};
const size_t n_trials = sizeof trials / sizeof *trials;

/* attempt makes the model infer shapes, or run if inference is not separated.
 * It returns no outputs if the sizes do not suit the model. */
VARPS attempt(anyinfer_model_t& m, const shapes& shape_options, const trial& t, bool again, const volatile int32_t* canceled) {
  VARPS inputs;
  std::vector<std::vector<char>> zeros;
  for (auto& d : m.inputs) {
    const auto found = shape_options.find(d.name);
    anyinfer_shape shape = d.tensor.shape;
    for (int32_t k = 0; k < shape.rank; k++)
      if (shape.dims[k] < 0) shape.dims[k] = t.dim(found == shape_options.end() ? nullptr : &found->second, size_t(k), again);
    inputs.push_back(input_variable(d.info, shape));
    if (m.separated) continue; // shape inference does not read the memory
    zeros.emplace_back(planes(*inputs.back()->getInfo()).packed() + 64);
    set_memory(inputs.back(), zeros.back().data());
  }
  watch w;
  w.load_canceled = canceled;
  VARPS outputs = forward(*m.module, inputs, w);
  if (*canceled) refuse(ANYINFER_RUN, "cancelled");
  return outputs.size() == m.outputs.size() ? outputs : VARPS();
}

/* describe_outputs finds types and shapes, which the file lacks, by trial. If inputs
 * are dynamic, a dimension is fixed if it is the same in two trials. */
void describe_outputs(anyinfer_model_t& m, const shapes& shape_options, const volatile int32_t* canceled, const std::string& printed) {
  auto info = m.module->getInfo();
  m.outputs.resize(info->outputNames.size());
  bool dynamic = false;
  for (auto& d : m.inputs) dynamic = dynamic || std::find(d.tensor.shape.dims, d.tensor.shape.dims + d.tensor.shape.rank, -1) != d.tensor.shape.dims + d.tensor.shape.rank;
  hosts::mute quiet; // sizes that do not suit are not an error
  VARPS first_outputs, second_outputs;
  size_t next = 0;
  while (first_outputs.empty() && next < (dynamic ? n_trials : 1)) first_outputs = attempt(m, shape_options, trials[next++], false, canceled);
  if (first_outputs.empty() && !m.outputs.empty())
    refuse(ANYINFER_MODEL, "MNN cannot prepare the model: %.700s%s", printed.c_str(), dynamic && shape_options.empty() ? "; a dynamic input may need Options.Shapes" : "");
  for (size_t i = n_trials; dynamic && m.separated && second_outputs.empty() && i-- > next;) second_outputs = attempt(m, shape_options, trials[i], true, canceled);

  for (size_t i = 0; i < m.outputs.size(); i++) {
    auto& d = m.outputs[i];
    d.name = info->outputNames[i];
    d.tensor.name = d.name.c_str();
    const auto one = first_outputs[i]->getInfo(), other = second_outputs.empty() ? nullptr : second_outputs[i]->getInfo();
    if (one == nullptr) refuse(ANYINFER_MODEL, "MNN does not report the type of output \"%.100s\"", d.name.c_str());
    d.tensor.dtype = dtype_of(one->type, d.name);
    d.tensor.shape = to_shape(one->dim);
    if (!m.separated || (other != nullptr && other->dim.size() != one->dim.size())) d.tensor.shape.rank = -1;
    for (int32_t k = 0; dynamic && k < d.tensor.shape.rank; k++)
      if (other == nullptr || other->dim[size_t(k)] != one->dim[size_t(k)]) d.tensor.shape.dims[k] = -1;
  }
}

}  // namespace anyinfer_mnn

#endif
