/* SPDX-License-Identifier: Apache-2.0 */
/* A STAND-IN for TensorRT 8.2, 8.6, 10.15 or 11.4, and no part of it: as much of
 * its API as the shim of package tensorrt uses, with the names and signatures
 * that the release of STANDIN_TENSORRT has, written for tests where there is no
 * GPU. The memory layout is another: what is compiled against these headers
 * runs with the stand-in alone.
 *
 * Functions that the genuine API declares noexcept, and the caller does not
 * override, are not so here: the stand-in throws from them when asked to. */
#ifndef ANYINFER_STANDIN_TENSORRT_RUNTIME_H
#define ANYINFER_STANDIN_TENSORRT_RUNTIME_H

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "NvInferVersion.h"

#define TENSORRTAPI __attribute__((visibility("default")))

namespace nvinfer1 {

using char_t = char;
using AsciiChar = char_t;

#if STANDIN_TENSORRT < 1000
enum class DataType : int32_t {
  kFLOAT = 0,
  kHALF = 1,
  kINT8 = 2,
  kINT32 = 3,
  kBOOL = 4,
#if STANDIN_TENSORRT >= 806
  kUINT8 = 5,
  kFP8 = 6,
#endif
};
#else
enum class DataType : int32_t { kFLOAT = 0, kHALF = 1, kINT8 = 2, kINT32 = 3, kBOOL = 4, kUINT8 = 5, kFP8 = 6, kBF16 = 7, kINT64 = 8, kINT4 = 9, kFP4 = 10, kE8M0 = 11 };
#endif

enum class TensorFormat : int32_t {
  kLINEAR = 0,
  kCHW2 = 1,
  kHWC8 = 2,
  kCHW4 = 3,
  kCHW16 = 4,
  kCHW32 = 5,
  kDHWC8 = 6,
  kCDHW32 = 7,
  kHWC = 8,
  kDLA_LINEAR = 9,
  kDLA_HWC4 = 10,
  kHWC16 = 11,
#if STANDIN_TENSORRT >= 806
  kDHWC = 12,
#endif
};

enum class TensorLocation : int32_t { kDEVICE = 0, kHOST = 1 };
enum class OptProfileSelector : int32_t { kMIN = 0, kOPT = 1, kMAX = 2 };
enum class ProfilingVerbosity : int32_t { kLAYER_NAMES_ONLY = 0, kNONE = 1, kDETAILED = 2 };

#if STANDIN_TENSORRT >= 806
enum class TensorIOMode : int32_t { kNONE = 0, kINPUT = 1, kOUTPUT = 2 };
#endif

#if STANDIN_TENSORRT < 1000
class Dims32 {
 public:
  static constexpr int32_t MAX_DIMS{8};
  int32_t nbDims;
  int32_t d[MAX_DIMS];
};
using Dims = Dims32;
#else
class Dims64 {
 public:
  static constexpr int32_t MAX_DIMS{8};
  int32_t nbDims;
  int64_t d[MAX_DIMS];
};
using Dims = Dims64;
#endif

/* What the caller overrides. */

#if STANDIN_TENSORRT >= 1000
class InterfaceInfo {
 public:
  char const* kind;
  int32_t major;
  int32_t minor;
};

enum class APILanguage : int32_t { kCPP = 0, kPYTHON = 1 };

class IVersionedInterface {
 public:
  virtual APILanguage getAPILanguage() const noexcept { return APILanguage::kCPP; }
  virtual InterfaceInfo getInterfaceInfo() const noexcept = 0;
  virtual ~IVersionedInterface() noexcept = default;

 protected:
  IVersionedInterface() = default;
  IVersionedInterface(IVersionedInterface const&) = default;
  IVersionedInterface(IVersionedInterface&&) = default;
  IVersionedInterface& operator=(IVersionedInterface const&) & = default;
  IVersionedInterface& operator=(IVersionedInterface&&) & = default;
};
#endif

#if STANDIN_TENSORRT < 1100
class ILogger {
 public:
#else
class ILogger : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"ILogger", 1, 0}; }
#endif
  enum class Severity : int32_t { kINTERNAL_ERROR = 0, kERROR = 1, kWARNING = 2, kINFO = 3, kVERBOSE = 4 };

  virtual void log(Severity severity, AsciiChar const* msg) noexcept = 0;

  ILogger() = default;
  virtual ~ILogger() = default;

 protected:
  ILogger(ILogger const&) = default;
  ILogger(ILogger&&) = default;
  ILogger& operator=(ILogger const&) & = default;
  ILogger& operator=(ILogger&&) & = default;
};

#if STANDIN_TENSORRT < 1100
class IProfiler {
 public:
#else
class IProfiler : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IProfiler", 1, 0}; }
#endif
  virtual void reportLayerTime(char const* layerName, float ms) noexcept = 0;
  virtual ~IProfiler() noexcept {}
};

#if STANDIN_TENSORRT >= 1000
class IOutputAllocator : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IOutputAllocator", 1, 0}; }
  virtual void* reallocateOutput(char const*, void*, uint64_t, uint64_t) noexcept { return nullptr; }
  virtual void* reallocateOutputAsync(char const* tensorName, void* currentMemory, uint64_t size, uint64_t alignment, cudaStream_t) {
    return reallocateOutput(tensorName, currentMemory, size, alignment);
  }
  virtual void notifyShape(char const* tensorName, Dims const& dims) noexcept = 0;
};
#elif STANDIN_TENSORRT >= 806
class IOutputAllocator {
 public:
  virtual int32_t getInterfaceVersion() const noexcept { return 1; }
  virtual void* reallocateOutput(char const* tensorName, void* currentMemory, uint64_t size, uint64_t alignment) noexcept = 0;
  virtual void notifyShape(char const* tensorName, Dims const& dims) noexcept = 0;
  virtual ~IOutputAllocator() = default;
};
#endif

/* What the library makes. */

class INoCopy {
 protected:
  INoCopy() = default;
  virtual ~INoCopy() = default;
  INoCopy(INoCopy const&) = delete;
  INoCopy& operator=(INoCopy const&) = delete;
  INoCopy(INoCopy&&) = delete;
  INoCopy& operator=(INoCopy&&) = delete;
};

class IHostMemory : public INoCopy {
 public:
  virtual ~IHostMemory() noexcept = default;
  virtual void* data() const = 0;
  virtual std::size_t size() const = 0;
  virtual DataType type() const = 0;
};

class ICudaEngine;

class IExecutionContext : public INoCopy {
 public:
  virtual ~IExecutionContext() noexcept = default;
  virtual ICudaEngine const& getEngine() const = 0;
  virtual void setProfiler(IProfiler* profiler) = 0;
  virtual IProfiler* getProfiler() const = 0;
  virtual void setEnqueueEmitsProfile(bool enqueueEmitsProfile) = 0;
  virtual bool getEnqueueEmitsProfile() const = 0;
  virtual bool reportToProfiler() const = 0;
  virtual int32_t getOptimizationProfile() const = 0;
  virtual bool setOptimizationProfileAsync(int32_t profileIndex, cudaStream_t stream) = 0;
  virtual bool allInputDimensionsSpecified() const = 0;
#if STANDIN_TENSORRT < 1000
  virtual bool setBindingDimensions(int32_t bindingIndex, Dims dimensions) = 0;
  virtual Dims getBindingDimensions(int32_t bindingIndex) const = 0;
  virtual bool enqueueV2(void* const* bindings, cudaStream_t stream, cudaEvent_t* inputConsumed) = 0;
#endif
#if STANDIN_TENSORRT >= 806
  virtual bool setInputShape(char const* tensorName, Dims const& dims) = 0;
  virtual Dims getTensorShape(char const* tensorName) const = 0;
  virtual bool setTensorAddress(char const* tensorName, void* data) = 0;
  virtual void const* getTensorAddress(char const* tensorName) const = 0;
  virtual bool setInputTensorAddress(char const* tensorName, void const* data) = 0;
  virtual bool setOutputAllocator(char const* tensorName, IOutputAllocator* outputAllocator) = 0;
  virtual IOutputAllocator* getOutputAllocator(char const* tensorName) const = 0;
  virtual int32_t inferShapes(int32_t nbMaxNames, char const** tensorNames) = 0;
  virtual bool enqueueV3(cudaStream_t stream) = 0;
#endif
};

#if STANDIN_TENSORRT >= 1000
enum class ExecutionContextAllocationStrategy : int32_t { kSTATIC = 0, kON_PROFILE_CHANGE = 1, kUSER_MANAGED = 2 };
#endif

class ICudaEngine : public INoCopy {
 public:
  virtual ~ICudaEngine() noexcept = default;
  virtual int32_t getNbLayers() const = 0;
  virtual char const* getName() const = 0;
  virtual IHostMemory* serialize() const = 0;
  virtual int32_t getNbOptimizationProfiles() const = 0;
  virtual ProfilingVerbosity getProfilingVerbosity() const = 0;
#if STANDIN_TENSORRT < 1000
  virtual IExecutionContext* createExecutionContext() = 0;
  virtual int32_t getNbBindings() const = 0;
  virtual int32_t getBindingIndex(char const* name) const = 0;
  virtual char const* getBindingName(int32_t bindingIndex) const = 0;
  virtual bool bindingIsInput(int32_t bindingIndex) const = 0;
  virtual Dims getBindingDimensions(int32_t bindingIndex) const = 0;
  virtual DataType getBindingDataType(int32_t bindingIndex) const = 0;
  virtual TensorFormat getBindingFormat(int32_t bindingIndex) const = 0;
  virtual TensorLocation getLocation(int32_t bindingIndex) const = 0;
  virtual bool isShapeBinding(int32_t bindingIndex) const = 0;
  virtual bool isExecutionBinding(int32_t bindingIndex) const = 0;
  virtual Dims getProfileDimensions(int32_t bindingIndex, int32_t profileIndex, OptProfileSelector select) const = 0;
#else
  virtual IExecutionContext* createExecutionContext(ExecutionContextAllocationStrategy strategy = ExecutionContextAllocationStrategy::kSTATIC) = 0;
#endif
#if STANDIN_TENSORRT < 1100
  virtual bool hasImplicitBatchDimension() const = 0;
#endif
#if STANDIN_TENSORRT >= 806
  virtual int32_t getNbIOTensors() const = 0;
  virtual char const* getIOTensorName(int32_t index) const = 0;
  virtual TensorIOMode getTensorIOMode(char const* tensorName) const = 0;
  virtual DataType getTensorDataType(char const* tensorName) const = 0;
  virtual Dims getTensorShape(char const* tensorName) const = 0;
  virtual TensorFormat getTensorFormat(char const* tensorName) const = 0;
  virtual TensorFormat getTensorFormat(char const* tensorName, int32_t profileIndex) const = 0;
  virtual TensorLocation getTensorLocation(char const* tensorName) const = 0;
  virtual bool isShapeInferenceIO(char const* tensorName) const = 0;
  virtual Dims getProfileShape(char const* tensorName, int32_t profileIndex, OptProfileSelector select) const = 0;
#endif
};

class IRuntime : public INoCopy {
 public:
  virtual ~IRuntime() noexcept = default;
  virtual ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) = 0;
  virtual void setDLACore(int32_t dlaCore) = 0;
  virtual int32_t getDLACore() const = 0;
  virtual int32_t getNbDLACores() const = 0;
  virtual ILogger* getLogger() const = 0;
#if STANDIN_TENSORRT >= 806
  virtual bool setMaxThreads(int32_t maxThreads) = 0;
  virtual int32_t getMaxThreads() const = 0;
#endif
};

}  // namespace nvinfer1

extern "C" TENSORRTAPI int32_t getInferLibVersion() noexcept;
extern "C" TENSORRTAPI void* createInferRuntime_INTERNAL(void* logger, int32_t version);

namespace nvinfer1 {
namespace {

inline IRuntime* createInferRuntime(ILogger& logger) { return static_cast<IRuntime*>(createInferRuntime_INTERNAL(&logger, NV_TENSORRT_VERSION)); }

}  // namespace
}  // namespace nvinfer1

#endif
