// SPDX-License-Identifier: Apache-2.0

// Of the stand-in for TensorRT: its parser of ONNX files.
#include <fstream>

#include "network.h"

namespace standin {

namespace {

class ParserError final : public nvonnxparser::IParserError {
 public:
  ParserError(Refusal r, const Node* n) : refusal_(std::move(r)), name_(n == nullptr ? "" : n->name), op_(n == nullptr ? "" : n->op) {}
  ErrorCode code() const override { return refusal_.code; }
  char const* desc() const override { return refusal_.text.c_str(); }
  char const* file() const override { return "standin"; }
  int line() const override { return 1; }
  char const* func() const override { return "parse"; }
  int node() const override { return refusal_.node; }
#if STANDIN_TENSORRT >= 1000
  char const* nodeName() const override { return name_.c_str(); }
  char const* nodeOperator() const override { return op_.c_str(); }
#endif

 private:
  Refusal refusal_;
  std::string name_, op_;
};

// beside reads a part of a file in the folder of the model.
std::string beside(const std::string& model, const std::string& location, uint64_t offset, uint64_t size) {
  const size_t slash = model.rfind('/');
  if (location.empty() || location[0] == '/' || location.find("..") != std::string::npos) damaged("external data at \"" + location + "\", which is not beside it");
  std::ifstream file((slash == std::string::npos ? "" : model.substr(0, slash + 1)) + location, std::ios::binary);
  std::string bytes(size, 0);
  if (!file || !file.seekg(std::streamoff(offset)) || !file.read(&bytes[0], std::streamsize(size))) damaged("Failed to open file or to read external data: " + location);
  return bytes;
}

class Parser final : public nvonnxparser::IParser, public Object {
 public:
  Parser(Network& network, ILogger& logger) : network_(network), logger_(logger) {}

  bool parse(void const* data, size_t size, char const* path) override {
    if (fails("parse")) return refuse({ErrorCode::kINTERNAL_ERROR, "stand-in: it fails as asked for"});
    if (network_.implicit())
      return refuse({ErrorCode::kINVALID_VALUE, "This version of the ONNX parser only supports TensorRT INetworkDefinitions with an explicit batch dimension. Please ensure the network was created using the EXPLICIT_BATCH NetworkDefinitionCreationFlag."});
    if (network_.graph != nullptr) return refuse({ErrorCode::kINVALID_VALUE, "the network holds a model already"});
    try {
      std::map<std::string, std::string> external;
      const std::string folder = path == nullptr ? "" : path;
      Model model = read_onnx(static_cast<const char*>(data), size, [&](const std::string& tensor, const std::string& location, uint64_t offset, uint64_t bytes) {
        return external[tensor] = beside(folder, location, offset, bytes);
      });
      const bool narrowed = narrow(model);
      bool unsigned_zero = false;
      for (auto& n : model.nodes) {
        const auto zero = model.weights.find(n.in.size() > 2 ? n.in[2] : "");
        unsigned_zero = unsigned_zero || (n.op == "QuantizeLinear" && zero != model.weights.end() && zero->second.type == UINT8);
      }
      if (narrowed)
        logger_.log(Severity::kWARNING, STANDIN_TENSORRT < 1000 ? "onnx2trt_utils: Your ONNX model has been generated with INT64 or DOUBLE weights, while TensorRT does not natively support these. Attempting to cast down to INT32 and FLOAT."
                                                                : "onnxOpImporters: DOUBLE is cast down to FLOAT.");
      if (unsigned_zero)
        logger_.log(Severity::kWARNING, "onnxOpImporters: TensorRT supports QuantizeLinear/DequantizeLinear with UINT8 zero_point only on DLA (version >= 3.16). Defaulting to INT8 instead.");
      nodes_ = model.nodes;
      network_.adopt(std::make_shared<Graph>(std::move(model)), std::string(static_cast<const char*>(data), size), std::move(external), alive_);
      return true;
    } catch (Refusal& r) {
      return refuse(std::move(r));
    } catch (const std::bad_alloc&) {
      return refuse({ErrorCode::kMEM_ALLOC_FAILED, "out of memory"});
    }
  }

  bool supportsOperator(char const* name) const override { return operator_of(name) != nullptr; }
  int getNbErrors() const override { return int(errors_.size()); }
  nvonnxparser::IParserError const* getError(int index) const override { return index >= 0 && size_t(index) < errors_.size() ? errors_[size_t(index)].get() : nullptr; }
  void clearErrors() override { errors_.clear(); }

 private:
  bool refuse(Refusal r) {
    const Node* n = r.node >= 0 && size_t(r.node) < nodes_.size() ? &nodes_[size_t(r.node)] : nullptr;
    if (n != nullptr) logger_.log(Severity::kERROR, ("ModelImporter: While parsing node number " + std::to_string(r.node) + " [" + n->op + " -> \"" + (n->out.empty() ? "" : n->out[0]) + "\"]:").c_str());
    logger_.log(Severity::kERROR, ("ModelImporter: ERROR: " + r.text).c_str());
    errors_.emplace_back(new ParserError(std::move(r), n));
    return false;
  }

  Network& network_;
  ILogger& logger_;
  std::vector<Node> nodes_;
  std::vector<std::unique_ptr<ParserError>> errors_;
  std::shared_ptr<void> alive_ = std::make_shared<int>(0);
};

}  // namespace

}  // namespace standin

void* createNvOnnxParser_INTERNAL(void* network, void* logger, int version) {
  if (standin::fails("createParser") || version != NV_ONNX_PARSER_VERSION) return nullptr;
  auto* n = static_cast<standin::Network*>(static_cast<nvinfer1::INetworkDefinition*>(network));
  return static_cast<nvonnxparser::IParser*>(new standin::Parser(*n, *static_cast<nvinfer1::ILogger*>(logger)));
}

int getNvOnnxParserVersion() { return NV_ONNX_PARSER_VERSION; }
