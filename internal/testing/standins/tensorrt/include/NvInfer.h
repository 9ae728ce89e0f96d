/* SPDX-License-Identifier: Apache-2.0 */
/* A STAND-IN for TensorRT 8.2, 8.6, 10.15 or 11.4, and no part of it: what the
 * shim of package tensorrt calls, with the names and signatures that the release
 * of STANDIN_TENSORRT has. A test compiles the shim with genuine headers.
 *
 * Functions that the genuine API declares noexcept are not so here, because the
 * stand-in throws from them when a test asks for it. */
#pragma once
#include <cstddef>
#include <cstdint>
#include "NvInferVersion.h"

#define TENSORRTAPI __attribute__((visibility("default")))

typedef struct CUstream_st* cudaStream_t; /* as in CUDA's headers */
typedef struct CUevent_st* cudaEvent_t;

namespace nvinfer1 {
#if STANDIN_TENSORRT < 806
enum class DataType : int32_t { kFLOAT = 0, kHALF = 1, kINT8 = 2, kINT32 = 3, kBOOL = 4 };
#elif STANDIN_TENSORRT < 1000
enum class DataType : int32_t { kFLOAT = 0, kHALF = 1, kINT8 = 2, kINT32 = 3, kBOOL = 4, kUINT8 = 5 };
#else
enum class DataType : int32_t { kFLOAT = 0, kHALF = 1, kINT8 = 2, kINT32 = 3, kBOOL = 4, kUINT8 = 5, kBF16 = 7, kINT64 = 8 };
#endif
#if STANDIN_TENSORRT < 1000
enum class BuilderFlag : int32_t { kFP16 = 0, kINT8 = 1, kGPU_FALLBACK = 3, kTF32 = 7 };
enum class NetworkDefinitionCreationFlag : int32_t { kEXPLICIT_BATCH = 0 };
#elif STANDIN_TENSORRT < 1100
enum class BuilderFlag : int32_t { kFP16 = 0, kINT8 = 1, kGPU_FALLBACK = 3, kTF32 = 6, kBF16 = 17 };
enum class NetworkDefinitionCreationFlag : int32_t { kSTRONGLY_TYPED = 1 };
#else
enum class BuilderFlag : int32_t { kGPU_FALLBACK = 3, kTF32 = 6 };
#endif
#if STANDIN_TENSORRT >= 806
enum class TensorIOMode : int32_t { kNONE = 0, kINPUT = 1, kOUTPUT = 2 };
enum class MemoryPoolType : int32_t { kWORKSPACE = 0 };
#endif
#if STANDIN_TENSORRT == 806
enum class PreviewFeature : int32_t { kPROFILE_SHARING_0806 = 2 };
#endif
using NetworkDefinitionCreationFlags = uint32_t;
enum class TensorFormat : int32_t { kLINEAR = 0 };
enum class TensorLocation : int32_t { kDEVICE = 0, kHOST = 1 };
enum class OptProfileSelector : int32_t { kMIN = 0, kOPT = 1, kMAX = 2 };
enum class DeviceType : int32_t { kGPU = 0, kDLA = 1 };
enum class LayerType : int32_t { kIDENTITY = 0, kQUANTIZE = 1 };
struct Dims {
  static constexpr int32_t MAX_DIMS{8};
  int32_t nbDims;
#if STANDIN_TENSORRT < 1000
  int32_t d[MAX_DIMS];
#else
  int64_t d[MAX_DIMS];
#endif
};
/* What the stand-in does nothing in is defined here. */
struct Object {
  Object() = default;
  virtual ~Object() = default;
  Object(Object const&) = delete;
};
/* Classes that the caller derives from. */
struct ILogger : Object {
  enum class Severity : int32_t { kINTERNAL_ERROR = 0, kERROR = 1, kWARNING = 2, kINFO = 3, kVERBOSE = 4 };
  virtual void log(Severity severity, char const* msg) noexcept = 0;
};
struct IProfiler : Object {
  virtual void reportLayerTime(char const* layerName, float ms) noexcept = 0;
};
#if STANDIN_TENSORRT >= 806
struct IOutputAllocator : Object {
#if STANDIN_TENSORRT >= 1000
  virtual void* reallocateOutputAsync(char const* tensorName, void* currentMemory, uint64_t size, uint64_t alignment, cudaStream_t stream) = 0;
#else
  virtual void* reallocateOutput(char const* tensorName, void* currentMemory, uint64_t size, uint64_t alignment) noexcept = 0;
#endif
  virtual void notifyShape(char const* tensorName, Dims const& dims) noexcept = 0;
};
#endif
#if STANDIN_TENSORRT >= 1000
struct IProgressMonitor : Object {
  virtual void phaseStart(char const* phaseName, char const* parentPhase, int32_t nbSteps) noexcept = 0;
  virtual bool stepComplete(char const* phaseName, int32_t step) noexcept = 0;
  virtual void phaseFinish(char const* phaseName) noexcept = 0;
};
#endif
/* Classes of a run. */
struct IHostMemory : Object {
  virtual void* data() const = 0;
  virtual std::size_t size() const = 0;
};
struct ICudaEngine;

struct IExecutionContext : Object {
  virtual void setProfiler(IProfiler* profiler) = 0;
  virtual bool setOptimizationProfileAsync(int32_t profileIndex, cudaStream_t stream) = 0;
#if STANDIN_TENSORRT < 806
  virtual ICudaEngine const& getEngine() const = 0;
  virtual bool setBindingDimensions(int32_t bindingIndex, Dims dimensions) = 0;
  virtual Dims getBindingDimensions(int32_t bindingIndex) const = 0;
  virtual bool allInputDimensionsSpecified() const = 0;
  virtual bool enqueueV2(void* const* bindings, cudaStream_t stream, cudaEvent_t* inputConsumed) = 0;
#else
  virtual bool setInputShape(char const* tensorName, Dims const& dims) = 0;
  virtual Dims getTensorShape(char const* tensorName) const = 0;
  virtual int32_t inferShapes(int32_t nbMaxNames, char const** tensorNames) = 0;
  virtual bool setTensorAddress(char const* tensorName, void* data) = 0;
  virtual bool setOutputAllocator(char const* tensorName, IOutputAllocator* outputAllocator) = 0;
  virtual bool enqueueV3(cudaStream_t stream) = 0;
#endif
};
struct ICudaEngine : Object {
  virtual IExecutionContext* createExecutionContext() = 0;
  virtual int32_t getNbOptimizationProfiles() const = 0;
#if STANDIN_TENSORRT < 1000
  virtual bool hasImplicitBatchDimension() const { return false; }
#endif
#if STANDIN_TENSORRT < 806
  virtual int32_t getNbBindings() const = 0;
  virtual char const* getBindingName(int32_t bindingIndex) const = 0;
  virtual bool bindingIsInput(int32_t bindingIndex) const = 0;
  virtual DataType getBindingDataType(int32_t bindingIndex) const = 0;
  virtual Dims getBindingDimensions(int32_t bindingIndex) const = 0;
  virtual TensorFormat getBindingFormat(int32_t) const { return TensorFormat::kLINEAR; }
  virtual TensorLocation getLocation(int32_t) const { return TensorLocation::kDEVICE; }
  virtual bool isShapeBinding(int32_t) const { return false; }
  virtual Dims getProfileDimensions(int32_t bindingIndex, int32_t profileIndex, OptProfileSelector select) const = 0;
#else
  virtual int32_t getNbIOTensors() const = 0;
  virtual char const* getIOTensorName(int32_t index) const = 0;
  virtual TensorIOMode getTensorIOMode(char const* tensorName) const = 0;
  virtual DataType getTensorDataType(char const* tensorName) const = 0;
  virtual Dims getTensorShape(char const* tensorName) const = 0;
  virtual TensorFormat getTensorFormat(char const*) const { return TensorFormat::kLINEAR; }
  virtual TensorLocation getTensorLocation(char const*) const { return TensorLocation::kDEVICE; }
  virtual Dims getProfileShape(char const* tensorName, int32_t profileIndex, OptProfileSelector select) const = 0;
#endif
};
struct IRuntime : Object {
  virtual ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) = 0;
  virtual void setDLACore(int32_t dlaCore) = 0;
  virtual int32_t getNbDLACores() const = 0;
};
/* Classes of a build. */
struct ITensor : Object {
  virtual char const* getName() const = 0;
  virtual Dims getDimensions() const = 0;
  virtual DataType getType() const = 0;
};
struct ILayer : Object {
  virtual LayerType getType() const { return LayerType::kIDENTITY; }
  virtual int32_t getNbOutputs() const { return 1; }
  virtual ITensor* getOutput(int32_t index) const = 0;
};
struct INetworkDefinition : Object {
  virtual int32_t getNbLayers() const = 0;
  virtual ILayer* getLayer(int32_t index) const = 0;
  virtual int32_t getNbInputs() const = 0;
  virtual ITensor* getInput(int32_t index) const = 0;
};
struct IOptimizationProfile : Object {
  virtual bool setDimensions(char const* inputName, OptProfileSelector select, Dims const& dims) = 0;
};
struct ITimingCache : Object {
  virtual IHostMemory* serialize() const = 0;
};
struct IBuilderConfig : Object {
  virtual void setFlag(BuilderFlag builderFlag) = 0;
  virtual void clearFlag(BuilderFlag builderFlag) = 0;
  virtual int32_t addOptimizationProfile(IOptimizationProfile const* profile) = 0;
  virtual ITimingCache* createTimingCache(void const* blob, std::size_t size) const = 0;
  virtual bool setTimingCache(ITimingCache const&, bool) { return true; }
  virtual void setDefaultDeviceType(DeviceType deviceType) = 0;
  virtual void setDLACore(int32_t dlaCore) = 0;
#if STANDIN_TENSORRT < 806
  virtual void setMaxWorkspaceSize(std::size_t) {}
#else
  virtual void setMemoryPoolLimit(MemoryPoolType, std::size_t) {}
  virtual void setBuilderOptimizationLevel(int32_t) {}
#endif
#if STANDIN_TENSORRT == 806
  virtual void setPreviewFeature(PreviewFeature feature, bool enable) = 0;
#endif
#if STANDIN_TENSORRT >= 1000
  virtual void setProgressMonitor(IProgressMonitor* monitor) = 0;
#endif
};
struct IBuilder : Object {
  virtual INetworkDefinition* createNetworkV2(NetworkDefinitionCreationFlags flags) = 0;
  virtual IBuilderConfig* createBuilderConfig() = 0;
  virtual IOptimizationProfile* createOptimizationProfile() = 0;
  virtual IHostMemory* buildSerializedNetwork(INetworkDefinition& network, IBuilderConfig& config) = 0;
};
TENSORRTAPI IBuilder* createInferBuilder(ILogger& logger);
TENSORRTAPI IRuntime* createInferRuntime(ILogger& logger);
}  // namespace nvinfer1

extern "C" TENSORRTAPI int32_t getInferLibVersion() noexcept;
