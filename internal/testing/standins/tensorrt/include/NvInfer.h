/* SPDX-License-Identifier: Apache-2.0 */
/* Of the stand-in for TensorRT: see NvInferRuntime.h. What builds an engine. */
#ifndef ANYINFER_STANDIN_TENSORRT_H
#define ANYINFER_STANDIN_TENSORRT_H

#include "NvInferRuntime.h"

namespace nvinfer1 {

/* As many as testdata's models have. The numbers moved when 10 came. */
#if STANDIN_TENSORRT < 1000
enum class LayerType : int32_t {
  kCONVOLUTION = 0,
  kFULLY_CONNECTED = 1,
  kACTIVATION = 2,
  kPOOLING = 3,
  kSOFTMAX = 6,
  kELEMENTWISE = 9,
  kPLUGIN = 10,
  kSHUFFLE = 13,
  kMATRIX_MULTIPLY = 17,
  kCONSTANT = 19,
  kIDENTITY = 21,
  kPLUGIN_V2 = 22,
  kQUANTIZE = 33,
  kDEQUANTIZE = 34,
#if STANDIN_TENSORRT >= 806
  kNON_ZERO = 42,
  kCAST = 47,
#endif
};
#else
enum class LayerType : int32_t {
  kCONVOLUTION = 0,
  kCAST = 1,
  kACTIVATION = 2,
  kPOOLING = 3,
  kSOFTMAX = 6,
  kELEMENTWISE = 9,
  kPLUGIN = 10,
  kSHUFFLE = 13,
  kMATRIX_MULTIPLY = 17,
  kCONSTANT = 19,
  kIDENTITY = 20,
  kPLUGIN_V2 = 21,
  kQUANTIZE = 32,
  kDEQUANTIZE = 33,
  kNON_ZERO = 41,
  kPLUGIN_V3 = 46,
  kDYNAMIC_QUANTIZE = 50,
};
#endif

using BuilderFlags = uint32_t;
#if STANDIN_TENSORRT < 1000
enum class BuilderFlag : int32_t {
  kFP16 = 0,
  kINT8 = 1,
  kDEBUG = 2,
  kGPU_FALLBACK = 3,
  kREFIT = 5,
  kDISABLE_TIMING_CACHE = 6,
  kTF32 = 7,
  kSPARSE_WEIGHTS = 8,
  kOBEY_PRECISION_CONSTRAINTS = 10,
  kPREFER_PRECISION_CONSTRAINTS = 11,
  kDIRECT_IO = 12,
#if STANDIN_TENSORRT >= 806
  kVERSION_COMPATIBLE = 15,
  kFP8 = 17,
#endif
};
#elif STANDIN_TENSORRT < 1100
enum class BuilderFlag : int32_t {
  kFP16 = 0,
  kINT8 = 1,
  kDEBUG = 2,
  kGPU_FALLBACK = 3,
  kREFIT = 4,
  kDISABLE_TIMING_CACHE = 5,
  kTF32 = 6,
  kSPARSE_WEIGHTS = 7,
  kOBEY_PRECISION_CONSTRAINTS = 9,
  kPREFER_PRECISION_CONSTRAINTS = 10,
  kDIRECT_IO = 11,
  kVERSION_COMPATIBLE = 13,
  kFP8 = 15,
  kERROR_ON_TIMING_CACHE_MISS = 16,
  kBF16 = 17,
  kDISABLE_COMPILATION_CACHE = 18,
};
#else
enum class BuilderFlag : int32_t {
  kDEBUG = 2,
  kGPU_FALLBACK = 3,
  kREFIT = 4,
  kDISABLE_TIMING_CACHE = 5,
  kTF32 = 6,
  kSPARSE_WEIGHTS = 7,
  kDIRECT_IO = 11,
  kVERSION_COMPATIBLE = 12,
  kERROR_ON_TIMING_CACHE_MISS = 15,
  kDISABLE_COMPILATION_CACHE = 17,
};
#endif

using NetworkDefinitionCreationFlags = uint32_t;
#if STANDIN_TENSORRT < 1000
enum class NetworkDefinitionCreationFlag : int32_t { kEXPLICIT_BATCH = 0 };
#elif STANDIN_TENSORRT < 1100
enum class NetworkDefinitionCreationFlag : int32_t { kEXPLICIT_BATCH = 0, kSTRONGLY_TYPED = 1 };
#else
enum class NetworkDefinitionCreationFlag : int32_t { kSTRONGLY_TYPED = 0 };
#endif

enum class DeviceType : int32_t { kGPU = 0, kDLA = 1 };

#if STANDIN_TENSORRT >= 806
enum class MemoryPoolType : int32_t {
  kWORKSPACE = 0,
  kDLA_MANAGED_SRAM = 1,
  kDLA_LOCAL_DRAM = 2,
  kDLA_GLOBAL_DRAM = 3,
  kTACTIC_DRAM = 4,
#if STANDIN_TENSORRT >= 1000
  kTACTIC_SHARED_MEMORY = 5,
#endif
};

#if STANDIN_TENSORRT < 1000
enum class PreviewFeature : int32_t { kFASTER_DYNAMIC_SHAPES_0805 = 0, kDISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805 = 1, kPROFILE_SHARING_0806 = 2 };
#elif STANDIN_TENSORRT < 1100
enum class PreviewFeature : int32_t { kPROFILE_SHARING_0806 = 0, kALIASED_PLUGIN_IO_10_03 = 1, kRUNTIME_ACTIVATION_RESIZE_10_10 = 2 };
#else
enum class PreviewFeature : int32_t { kALIASED_PLUGIN_IO_10_03 = 0, kRUNTIME_ACTIVATION_RESIZE_10_10 = 1 };
#endif
#endif

#if STANDIN_TENSORRT >= 1000
class IProgressMonitor : public IVersionedInterface {
 public:
  IProgressMonitor() = default;
  virtual ~IProgressMonitor() noexcept = default;
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IProgressMonitor", 1, 0}; }
  virtual void phaseStart(char const* phaseName, char const* parentPhase, int32_t nbSteps) noexcept = 0;
  virtual bool stepComplete(char const* phaseName, int32_t step) noexcept = 0;
  virtual void phaseFinish(char const* phaseName) noexcept = 0;
};
#endif

class ITensor : public INoCopy {
 public:
  virtual char const* getName() const = 0;
  virtual Dims getDimensions() const = 0;
  virtual DataType getType() const = 0;
  virtual TensorLocation getLocation() const = 0;
  virtual bool isNetworkInput() const = 0;
  virtual bool isNetworkOutput() const = 0;
  virtual bool isShapeTensor() const = 0;
  virtual bool isExecutionTensor() const = 0;

 protected:
  virtual ~ITensor() noexcept = default;
};

class ILayer : public INoCopy {
 public:
  virtual LayerType getType() const = 0;
  virtual char const* getName() const = 0;
  virtual int32_t getNbInputs() const = 0;
  virtual ITensor* getInput(int32_t index) const = 0;
  virtual int32_t getNbOutputs() const = 0;
  virtual ITensor* getOutput(int32_t index) const = 0;

 protected:
  virtual ~ILayer() noexcept = default;
};

class INetworkDefinition : public INoCopy {
 public:
  virtual ~INetworkDefinition() noexcept = default;
  virtual char const* getName() const = 0;
  virtual int32_t getNbLayers() const = 0;
  virtual ILayer* getLayer(int32_t index) const = 0;
  virtual int32_t getNbInputs() const = 0;
  virtual ITensor* getInput(int32_t index) const = 0;
  virtual int32_t getNbOutputs() const = 0;
  virtual ITensor* getOutput(int32_t index) const = 0;
  virtual bool hasImplicitBatchDimension() const = 0;
#if STANDIN_TENSORRT >= 1000
  virtual bool getFlag(NetworkDefinitionCreationFlag networkDefinitionCreationFlag) const = 0;
#endif
};

class IOptimizationProfile : public INoCopy {
 public:
#if STANDIN_TENSORRT < 1000
  virtual bool setDimensions(char const* inputName, OptProfileSelector select, Dims dims) = 0;
#else
  virtual bool setDimensions(char const* inputName, OptProfileSelector select, Dims const& dims) = 0;
#endif
  virtual Dims getDimensions(char const* inputName, OptProfileSelector select) const = 0;
  virtual bool isValid() const = 0;
  /* Of the stand-in: a builder owns its profiles, and deletes them. */
  virtual ~IOptimizationProfile() noexcept = default;
};

class ITimingCache : public INoCopy {
 public:
  virtual ~ITimingCache() noexcept = default;
  virtual IHostMemory* serialize() const = 0;
  virtual bool combine(ITimingCache const& inputCache, bool ignoreMismatch) = 0;
  virtual bool reset() = 0;
};

class IBuilderConfig : public INoCopy {
 public:
  virtual ~IBuilderConfig() noexcept = default;
  virtual void setFlags(BuilderFlags builderFlags) = 0;
  virtual BuilderFlags getFlags() const = 0;
  virtual void setFlag(BuilderFlag builderFlag) = 0;
  virtual void clearFlag(BuilderFlag builderFlag) = 0;
  virtual bool getFlag(BuilderFlag builderFlag) const = 0;
  virtual int32_t addOptimizationProfile(IOptimizationProfile const* profile) = 0;
  virtual int32_t getNbOptimizationProfiles() const = 0;
  virtual void setProfilingVerbosity(ProfilingVerbosity verbosity) = 0;
  virtual ProfilingVerbosity getProfilingVerbosity() const = 0;
  virtual ITimingCache* createTimingCache(void const* blob, std::size_t size) const = 0;
  virtual bool setTimingCache(ITimingCache const& cache, bool ignoreMismatch) = 0;
  virtual ITimingCache const* getTimingCache() const = 0;
  virtual void setDefaultDeviceType(DeviceType deviceType) = 0;
  virtual DeviceType getDefaultDeviceType() const = 0;
  virtual void setDLACore(int32_t dlaCore) = 0;
  virtual int32_t getDLACore() const = 0;
#if STANDIN_TENSORRT < 1000
  virtual void setMaxWorkspaceSize(std::size_t workspaceSize) = 0;
  virtual std::size_t getMaxWorkspaceSize() const = 0;
#endif
#if STANDIN_TENSORRT >= 806
  virtual void setMemoryPoolLimit(MemoryPoolType pool, std::size_t poolSize) = 0;
  virtual std::size_t getMemoryPoolLimit(MemoryPoolType pool) const = 0;
  virtual void setPreviewFeature(PreviewFeature feature, bool enable) = 0;
  virtual bool getPreviewFeature(PreviewFeature feature) const = 0;
  virtual void setBuilderOptimizationLevel(int32_t level) = 0;
  virtual int32_t getBuilderOptimizationLevel() = 0;
#endif
#if STANDIN_TENSORRT >= 1000
  virtual void setProgressMonitor(IProgressMonitor* monitor) = 0;
  virtual IProgressMonitor* getProgressMonitor() const = 0;
#endif
};

class IBuilder : public INoCopy {
 public:
  virtual ~IBuilder() noexcept = default;
  virtual IBuilderConfig* createBuilderConfig() = 0;
  virtual INetworkDefinition* createNetworkV2(NetworkDefinitionCreationFlags flags) = 0;
  virtual IOptimizationProfile* createOptimizationProfile() = 0;
  virtual IHostMemory* buildSerializedNetwork(INetworkDefinition& network, IBuilderConfig& config) = 0;
  virtual int32_t getNbDLACores() const = 0;
  virtual ILogger* getLogger() const = 0;
#if STANDIN_TENSORRT < 1100
  virtual bool platformHasFastFp16() const = 0;
  virtual bool platformHasFastInt8() const = 0;
  virtual bool platformHasTf32() const = 0;
#endif
#if STANDIN_TENSORRT >= 806
  virtual bool setMaxThreads(int32_t maxThreads) = 0;
  virtual int32_t getMaxThreads() const = 0;
#endif
};

}  // namespace nvinfer1

extern "C" TENSORRTAPI void* createInferBuilder_INTERNAL(void* logger, int32_t version);

namespace nvinfer1 {
namespace {

inline IBuilder* createInferBuilder(ILogger& logger) { return static_cast<IBuilder*>(createInferBuilder_INTERNAL(&logger, NV_TENSORRT_VERSION)); }

}  // namespace
}  // namespace nvinfer1

#endif
