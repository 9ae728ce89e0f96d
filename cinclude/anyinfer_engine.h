/* SPDX-License-Identifier: Apache-2.0
 *
 * The C ABI between anyinfer and an engine: one table of functions. An engine
 * can be written in any language that can export C functions.
 * reference/reference.c is a complete example.
 *
 * Calls
 *   An engine exports one function, ANYINFER_ENTRY, which returns the table of
 *   all others. A function that can fail returns a status. If that is not
 *   ANYINFER_OK, the function has set the caller's anyinfer_error, unless that
 *   is NULL, and has made no object. No exception and no signal may leave a
 *   function.
 *
 * Data
 *   Arguments are pointers and integers of up to 32 bits; 64-bit values, floats
 *   and structs are passed by pointer. The structs have the same layout on all
 *   machines with the same pointer size, whether the compiler aligns 64-bit
 *   integers to 4 or to 8 bytes. Strings are UTF-8 and end in NUL. An array
 *   without elements may be NULL.
 *
 * Ownership
 *   The engine may read what the caller passes until the call returns, with two
 *   exceptions: the files of a model stay valid until the model is closed,
 *   unless the property files is "copied"; the memory of tensors stays valid
 *   from bind until the next bind or until the session is closed. A pointer that
 *   the engine returns belongs to the engine. It stays valid until the object
 *   that returned it is closed, unless the function's comment says otherwise.
 *   The caller closes each object once: sessions before their model, models
 *   before their engine.
 *
 * Threads
 *   Several threads may call functions of an engine or a model at the same time,
 *   except the functions that close them. A session gets one call at a time,
 *   except cancel. Consecutive calls may come on different threads, so every
 *   call must set thread-local state that the SDK needs.
 *
 * Order
 *   A session gets reshape first, then bind, then any number of runs. bind may
 *   be repeated for the same shapes, and follows every reshape. If one of the
 *   two fails, nothing is bound, and the next call is reshape or close.
 */
#ifndef ANYINFER_ENGINE_H
#define ANYINFER_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this ABI. It changes when the meaning of something changes.
 * Functions that are only added go to the end of anyinfer_api, and its size
 * shows whether an engine has them. */
#define ANYINFER_ABI 2

#define ANYINFER_MAX_RANK 16

/* The name of the one function that an engine exports. Engines that are linked
 * into the same program are compiled with different names. */
#ifndef ANYINFER_ENTRY
#define ANYINFER_ENTRY anyinfer_engine
#endif

#if defined(_WIN32)
#define ANYINFER_EXPORT __declspec(dllexport)
#else
#define ANYINFER_EXPORT __attribute__((visibility("default")))
#endif

typedef int32_t anyinfer_status;
enum {
  ANYINFER_OK = 0,
  ANYINFER_NOT_AVAILABLE = 1, /* something that the engine needs is missing */
  ANYINFER_VERSION = 2,       /* the version of the SDK or of this ABI does not fit */
  ANYINFER_MODEL = 3,         /* damaged, or not for this engine */
  ANYINFER_DEVICE = 4,        /* unknown, absent or failing */
  ANYINFER_OPTION = 5,        /* unknown, or a value that the engine does not support */
  ANYINFER_SHAPE = 6,         /* the model cannot have this shape of an input */
  ANYINFER_DTYPE = 7,         /* the model has an element type that anyinfer_dtype lacks */
  ANYINFER_NAME = 8,          /* the model has no input of that name */
  ANYINFER_RUN = 9            /* any other failure */
};

/* The types of elements. Multi-byte ones are in the machine's byte order. */
typedef int32_t anyinfer_dtype;
enum {
  ANYINFER_BOOL = 1, /* a byte; 0 is false */
  ANYINFER_INT8 = 2,
  ANYINFER_INT16 = 3,
  ANYINFER_INT32 = 4,
  ANYINFER_INT64 = 5,
  ANYINFER_UINT8 = 6,
  ANYINFER_UINT16 = 7,
  ANYINFER_UINT32 = 8,
  ANYINFER_UINT64 = 9,
  ANYINFER_FLOAT16 = 10,
  ANYINFER_BFLOAT16 = 11,
  ANYINFER_FLOAT32 = 12,
  ANYINFER_FLOAT64 = 13
};

/* Levels of log lines, as in Go's log/slog. Programs print INFO by default, so
 * it is only for messages to every user, such as the progress of a build
 * that takes minutes. An SDK's own messages about its set-up are DEBUG, even if
 * the SDK calls their level INFO. */
enum { ANYINFER_DEBUG = -4, ANYINFER_INFO = 0, ANYINFER_WARN = 4, ANYINFER_ERROR = 8 };

typedef struct anyinfer_engine_t anyinfer_engine_t;
typedef struct anyinfer_model_t anyinfer_model_t;
typedef struct anyinfer_session_t anyinfer_session_t;

typedef struct {
  int32_t code;    /* the SDK's own code, or 0 */
  char text[1020]; /* what happened, if possible in the SDK's own words */
} anyinfer_error;

/* The functions that an engine may call while it is open. The engine copies the
 * struct. */
typedef struct {
  /* log may be called from any thread at any time until the engine is closed. */
  void (*log)(void* user, int32_t level, const char* line);
  void* user;
} anyinfer_host;

typedef struct {
  const char* name;        /* for options: "CPU", "GPU.0" */
  const char* description; /* for people */
} anyinfer_device;

/* A model to load, in read-only memory that does not change. Options are pairs
 * of strings; the engine refuses a key that it does not know with
 * ANYINFER_OPTION. All of these keys are optional:
 *   device      a name that the function device has returned
 *   precision   of the arithmetic: float32, float16 or bfloat16; without it, the
 *               model's own
 *   threads     the number of threads of one run
 *   sessions    the number of sessions that will run at the same time
 *   processors  the number of processors that the program may use; without
 *               threads, a run uses these divided by sessions
 *   cache_dir   a folder in which the engine may store compiled models
 *   profile     "1": the caller will call layer
 *   shape:NAME  the shapes of input NAME: MIN;OPT;MAX, each like 1,3,224,224.
 *               They replace the shape in the model; input and output return
 *               them too, with -1 for dimensions whose MIN and MAX differ
 */
typedef struct {
  const char* format;          /* "onnx", "mnn", ... or "" if not known */
  const char* const* paths;    /* links to the files, if the model refers to further files, which are beside them; else NULL */
  const void* const* data;     /* the files' contents */
  const uint64_t* sizes;       /* of data, in bytes */
  const char* const* keys;     /* of the options */
  const char* const* values;   /* of the options */
  const volatile int32_t* canceled; /* becomes 1 when the load is cancelled; load may check it and fail */
  int32_t parts;               /* the number of paths, data and sizes */
  int32_t options;             /* the number of keys and values */
} anyinfer_source;

/* A shape. In a description, a rank or dimension of -1 is dynamic. */
typedef struct {
  int32_t rank;
  int32_t reserved;
  int64_t dims[ANYINFER_MAX_RANK];
} anyinfer_shape;

/* An input or output. */
typedef struct {
  anyinfer_shape shape;
  anyinfer_dtype dtype;
  int32_t scales;            /* the number of scale and zero_point: 0 if not quantized, else 1 or shape.dims[axis] */
  int32_t axis;              /* the dimension that the scales belong to, if there is more than one */
  int32_t reserved;
  const char* name;
  const float* scale;        /* real = scale * (stored - zero_point) */
  const int64_t* zero_point;
  const void* unused;        /* makes the number of pointers even, so that the size is a multiple of 8 on 32-bit machines */
} anyinfer_tensor;

/* A layer of a profile. */
typedef struct {
  int64_t micros;     /* of the last run, in microseconds */
  const char* name;
  const char* type;   /* its operator */
  const char* kernel; /* the implementation that ran, or "" */
  const void* unused;
} anyinfer_layer;

typedef struct {
  uint32_t abi;  /* the value of ANYINFER_ABI when the engine was compiled */
  uint32_t size; /* sizeof(anyinfer_api) when the engine was compiled */
  const char* name;
  const char* formats; /* the formats that it reads, separated by commas, the one that it reads best first */

  anyinfer_status (*open)(const anyinfer_host* host, anyinfer_engine_t** engine, anyinfer_error* error);
  void (*close)(anyinfer_engine_t* engine);
  /* version returns the version of the SDK. */
  const char* (*version)(anyinfer_engine_t* engine);
  /* device sets *device to the device of that index, the default first. Past the
   * last device it returns ANYINFER_DEVICE. */
  anyinfer_status (*device)(anyinfer_engine_t* engine, int32_t index, anyinfer_device* device, anyinfer_error* error);

  anyinfer_status (*load)(anyinfer_engine_t* engine, const anyinfer_source* source, anyinfer_model_t** model, anyinfer_error* error);
  void (*model_close)(anyinfer_model_t* model);
  /* property writes a setting in use to text, which has size bytes including the
   * NUL. Every engine knows the keys format, device, precision, threads, details
   * (lines of "key=value" with further settings), state ("stateless" or
   * "stateful", if the engine has reset) and files ("copied" if the engine does
   * not need the model's files after load); the value may be "". An engine may
   * have other keys. It refuses unknown ones with ANYINFER_OPTION. */
  anyinfer_status (*property)(anyinfer_model_t* model, const char* key, char* text, uint32_t size, anyinfer_error* error);
  /* signature returns the name of the signature of that index, and the numbers
   * of its inputs and outputs. Past the last it returns ANYINFER_NAME. */
  anyinfer_status (*signature)(anyinfer_model_t* model, int32_t index, const char** name, int32_t* inputs, int32_t* outputs, anyinfer_error* error);
  anyinfer_status (*input)(anyinfer_model_t* model, int32_t signature, int32_t index, anyinfer_tensor* tensor, anyinfer_error* error);
  anyinfer_status (*output)(anyinfer_model_t* model, int32_t signature, int32_t index, anyinfer_tensor* tensor, anyinfer_error* error);

  anyinfer_status (*session)(anyinfer_model_t* model, int32_t signature, anyinfer_session_t** session, anyinfer_error* error);
  void (*session_close)(anyinfer_session_t* session);
  /* reshape prepares for inputs of these shapes, and sets the shapes of the
   * outputs, with -1 for dimensions that are known only after run. */
  anyinfer_status (*reshape)(anyinfer_session_t* session, const anyinfer_shape* inputs, anyinfer_shape* outputs, anyinfer_error* error);
  /* bind sets the memory that run reads and writes. It is aligned to 64 bytes,
   * and 64 bytes beyond its end may be read and written. The entry of an output
   * whose shape is not known is NULL. */
  anyinfer_status (*bind)(anyinfer_session_t* session, const void* const* inputs, void* const* outputs, anyinfer_error* error);
  /* run runs the model. It does not return while anything may still read or
   * write that memory. */
  anyinfer_status (*run)(anyinfer_session_t* session, anyinfer_error* error);
  /* result returns, after run, an output whose shape was not known before. The
   * data belongs to the engine, and is valid until the next run or reshape. */
  anyinfer_status (*result)(anyinfer_session_t* session, int32_t output, anyinfer_shape* shape, const void** data, anyinfer_error* error);

  /* The following functions are optional, and may be NULL. */

  /* cancel makes run return soon, with any error. It is called while the caller
   * executes run, so never beside another function of the session. It may come
   * before run has begun its work; it may have no effect then, because it is
   * repeated. It may also come after run has ended its work, and must not affect
   * later calls then. */
  void (*cancel)(anyinfer_session_t* session);
  /* reset sets the variables that a model keeps from run to run back to their
   * initial values. It is called only after a run, while tensors are bound. An
   * engine without reset has no models with variables. */
  anyinfer_status (*reset)(anyinfer_session_t* session, anyinfer_error* error);
  /* layer returns the layer of that index in the last run's profile. Past the
   * last it returns ANYINFER_NAME. */
  anyinfer_status (*layer)(anyinfer_session_t* session, int32_t index, anyinfer_layer* layer, anyinfer_error* error);
} anyinfer_api;

ANYINFER_EXPORT const anyinfer_api* ANYINFER_ENTRY(void);

#ifdef __cplusplus
}
#endif

#endif
