/* SPDX-License-Identifier: Apache-2.0
 *
 * The C ABI between anyinfer and an engine: one table of functions. Whoever
 * fills it, in C, C++ or anything else that speaks C, has written an engine.
 * reference/reference.c is the worked example.
 *
 * Calls
 *   An engine exports one function, ANYINFER_ENTRY, which returns its table.
 *   Every other function is reached through the table. Those that can fail
 *   return a status; anything but ANYINFER_OK fills in the caller's
 *   anyinfer_error, where that is not NULL, and makes no object. No exception
 *   and no signal leaves a function.
 *
 * Data
 *   Arguments are pointers and integers of up to 32 bits; 64-bit values and
 *   floats go through pointers, structs too. The structs have the same layout
 *   on every machine of one pointer size, with compilers that align 64-bit
 *   integers to 4 bytes and with those that align them to 8. Strings are UTF-8
 *   and end in NUL. Arrays of no elements may be NULL.
 *
 * Ownership
 *   What the caller passes is the engine's to read until the call returns, and
 *   longer only where it is said: the files of a model until the model is
 *   closed, unless the property files is "copied"; the tensors' memory from bind until the next bind or the close of
 *   the session. What the engine returns as a pointer stays its own, and stays
 *   valid until the object it was asked of is closed, or as long as is said.
 *   Objects are closed once each: sessions before their model, models before
 *   their engine.
 *
 * Threads
 *   Functions of an engine and a model may be called from several threads at
 *   once, but for their close. A session has one call at a time, but for
 *   cancel. Consecutive calls may come on different threads: what the SDK
 *   keeps in thread-local state is to be set in every call.
 *
 * Order
 *   A session sees reshape first, then bind, then any number of runs. bind may
 *   come again for the same shapes, and does after each reshape. Where one of
 *   the two fails, nothing is bound, and reshape comes next.
 */
#ifndef ANYINFER_ENGINE_H
#define ANYINFER_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this ABI. It changes when something here means something
 * else; what is only added goes to the end of anyinfer_api, whose size tells. */
#define ANYINFER_ABI 2

#define ANYINFER_MAX_RANK 16

/* The name of the one function that an engine exports. Engines that are linked
 * into one program are compiled with a name each. */
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
  ANYINFER_NOT_AVAILABLE = 1, /* something beside the engine is missing */
  ANYINFER_VERSION = 2,       /* of the SDK, or of this ABI */
  ANYINFER_MODEL = 3,         /* damaged, or not for this engine */
  ANYINFER_DEVICE = 4,        /* unknown, absent or failing */
  ANYINFER_OPTION = 5,        /* unknown, or a value that cannot be honoured */
  ANYINFER_SHAPE = 6,         /* of an input: the model cannot take it */
  ANYINFER_DTYPE = 7,         /* the model has a type that is not here */
  ANYINFER_NAME = 8,          /* of an input: there is none */
  ANYINFER_RUN = 9            /* everything else */
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

/* Levels of log lines, as in Go's log/slog. Programs print INFO by default: it
 * is for what every user wants to know, such as how far a build of minutes is.
 * What an SDK logs at a level of that name, of its own set-up, is DEBUG. */
enum { ANYINFER_DEBUG = -4, ANYINFER_INFO = 0, ANYINFER_WARN = 4, ANYINFER_ERROR = 8 };

typedef struct anyinfer_engine_t anyinfer_engine_t;
typedef struct anyinfer_model_t anyinfer_model_t;
typedef struct anyinfer_session_t anyinfer_session_t;

typedef struct {
  int32_t code;    /* the SDK's own, or 0 */
  char text[1020]; /* what happened, in the SDK's words where it has some */
} anyinfer_error;

/* What the caller offers an engine for as long as it is open. The struct is to
 * be copied. */
typedef struct {
  /* log may be called from any thread at any time until the engine is closed. */
  void (*log)(void* user, int32_t level, const char* line);
  void* user;
} anyinfer_host;

typedef struct {
  const char* name;        /* for options: "CPU", "GPU.0" */
  const char* description; /* for people */
} anyinfer_device;

/* A model to load, in memory that is read-only and stays as it is. Options are pairs of strings; the
 * engine refuses, with ANYINFER_OPTION, a key that it does not know. The
 * common ones, all optional:
 *   device      a name that the function device told
 *   precision   of the arithmetic: float32, float16, bfloat16; else the
 *               model's own
 *   threads     of one run
 *   sessions    how many will run at once
 *   processors  that the program uses, where fewer than the machine has may
 *               count: without threads, those of one run are a share of them
 *   cache_dir   a folder for what is slow to make
 *   profile     "1": layer will be called
 *   shape:NAME  the shapes of input NAME: MIN;OPT;MAX, each like 1,3,224,224;
 *               they count in place of the model's, also in what input and
 *               output tell: -1 where MIN and MAX differ
 */
typedef struct {
  const char* format;          /* "onnx", "mnn", ... or "" if not known */
  const char* const* paths;    /* links to the files, where the model refers to others that are found beside them; else NULL */
  const void* const* data;     /* the files' contents */
  const uint64_t* sizes;       /* of data, in bytes */
  const char* const* keys;     /* of the options */
  const char* const* values;   /* of the options */
  const volatile int32_t* canceled; /* becomes 1 when the load is cancelled: it may look, and fail */
  int32_t parts;               /* how many paths, data and sizes */
  int32_t options;             /* how many keys and values */
} anyinfer_source;

/* A shape. In descriptions a dimension of -1 is dynamic, and so is the rank. */
typedef struct {
  int32_t rank;
  int32_t reserved;
  int64_t dims[ANYINFER_MAX_RANK];
} anyinfer_shape;

/* An input or output. */
typedef struct {
  anyinfer_shape shape;
  anyinfer_dtype dtype;
  int32_t scales;            /* how many scale and zero_point: 0 if not quantized, 1, or shape.dims[axis] */
  int32_t axis;              /* that the scales are for, if more than one */
  int32_t reserved;
  const char* name;
  const float* scale;        /* real = scale * (stored - zero_point) */
  const int64_t* zero_point;
  const void* unused;        /* an even number of pointers ends at 8 bytes on 32-bit machines too */
} anyinfer_tensor;

/* A layer of a profile. */
typedef struct {
  int64_t micros;     /* of the last run */
  const char* name;
  const char* type;   /* its operator */
  const char* kernel; /* the implementation that ran, or "" */
  const void* unused;
} anyinfer_layer;

typedef struct {
  uint32_t abi;  /* ANYINFER_ABI, when the engine was compiled */
  uint32_t size; /* sizeof(anyinfer_api), then */
  const char* name;
  const char* formats; /* that it reads, separated by commas, what it is best at first */

  anyinfer_status (*open)(const anyinfer_host* host, anyinfer_engine_t** engine, anyinfer_error* error);
  void (*close)(anyinfer_engine_t* engine);
  /* version is the SDK's. */
  const char* (*version)(anyinfer_engine_t* engine);
  /* device sets *device to number index, the default first. Past the last it
   * returns ANYINFER_DEVICE. */
  anyinfer_status (*device)(anyinfer_engine_t* engine, int32_t index, anyinfer_device* device, anyinfer_error* error);

  anyinfer_status (*load)(anyinfer_engine_t* engine, const anyinfer_source* source, anyinfer_model_t** model, anyinfer_error* error);
  void (*model_close)(anyinfer_model_t* model);
  /* property writes a setting that is really in use to text, which has room
   * for size bytes with the NUL. The keys format, device, precision, threads,
   * details (lines of "key=value": what else is in use), state ("stateless" or
   * "stateful", where the engine has reset) and files ("copied", where the engine
   * needs those of the model no longer than load) are known to every engine, if
   * only as ""; others are its own. A key that it does not know is ANYINFER_OPTION. */
  anyinfer_status (*property)(anyinfer_model_t* model, const char* key, char* text, uint32_t size, anyinfer_error* error);
  /* signature tells the name and the number of inputs and outputs of number
   * index. Past the last it returns ANYINFER_NAME. */
  anyinfer_status (*signature)(anyinfer_model_t* model, int32_t index, const char** name, int32_t* inputs, int32_t* outputs, anyinfer_error* error);
  anyinfer_status (*input)(anyinfer_model_t* model, int32_t signature, int32_t index, anyinfer_tensor* tensor, anyinfer_error* error);
  anyinfer_status (*output)(anyinfer_model_t* model, int32_t signature, int32_t index, anyinfer_tensor* tensor, anyinfer_error* error);

  anyinfer_status (*session)(anyinfer_model_t* model, int32_t signature, anyinfer_session_t** session, anyinfer_error* error);
  void (*session_close)(anyinfer_session_t* session);
  /* reshape prepares for inputs of these shapes, and fills in those of the
   * outputs; one with a -1 is known after run only. */
  anyinfer_status (*reshape)(anyinfer_session_t* session, const anyinfer_shape* inputs, anyinfer_shape* outputs, anyinfer_error* error);
  /* bind says where run reads and writes. The memory is aligned to 64 bytes,
   * and 64 bytes beyond its end may be read and written. An entry of outputs
   * whose shape is not known is NULL. */
  anyinfer_status (*bind)(anyinfer_session_t* session, const void* const* inputs, void* const* outputs, anyinfer_error* error);
  /* run does not return while anything may still read or write that memory. */
  anyinfer_status (*run)(anyinfer_session_t* session, anyinfer_error* error);
  /* result tells, after run, an output whose shape was not known. The data is
   * the engine's, until the next run or reshape. */
  anyinfer_status (*result)(anyinfer_session_t* session, int32_t output, anyinfer_shape* shape, const void** data, anyinfer_error* error);

  /* What not every engine can may be NULL. */

  /* cancel has run return soon, with any error. It comes while the caller
   * executes run, so never beside another function of the session; but it may
   * come before run has begun its work, where it may be lost, as it is repeated,
   * or after it has ended it, where it must not hurt what comes next. */
  void (*cancel)(anyinfer_session_t* session);
  /* reset puts the variables that a model keeps from run to run back. It
   * comes only after a run, while all is bound. Without it, models have no
   * variables. */
  anyinfer_status (*reset)(anyinfer_session_t* session, anyinfer_error* error);
  /* layer tells number index of the profile. Past the last it returns
   * ANYINFER_NAME. */
  anyinfer_status (*layer)(anyinfer_session_t* session, int32_t index, anyinfer_layer* layer, anyinfer_error* error);
} anyinfer_api;

ANYINFER_EXPORT const anyinfer_api* ANYINFER_ENTRY(void);

#ifdef __cplusplus
}
#endif

#endif
