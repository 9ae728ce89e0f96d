#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Lays out the stand-in for TensorRT, and for the CUDA driver, as an SDK is:
#
#   build.sh OUTDIR VERSION [FLAG ...]
#
# OUTDIR gets include and lib; VERSION is 802, 806, 1015 or 1104 for TensorRT 8.2
# to 11.4; flags are for the compiler, such as those of sanitizers.
set -eu
out=$1 version=$2 major=$(($2 / 100))
shift 2
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$out/include" "$out/lib"
mkdir -p "$out/lib"
cp -r "$here/include" "$out"
sed -i "s/^#define STANDIN_TENSORRT .*/#define STANDIN_TENSORRT $version/" "$out/include/NvInferVersion.h"

# library FILE SOURCE...: the libraries find each other in their folder, so that
# who opens libcuda.so.1 later gets this one.
library() {
  name=$1
  shift
  ${CXX:-g++} -std=c++17 -Wall -Wextra -O2 -fPIC -fvisibility=hidden -pthread $flags -shared -I"$out/include" \
    "$@" -o "$out/lib/$name" -Wl,-soname,"$name" -Wl,-rpath,'$ORIGIN'
}
flags=$*
library libcuda.so.1 "$here/cuda.cc"
library libnvinfer.so.$major "$here/build.cc" "$here/run.cc" "$out/lib/libcuda.so.1"
# The parser is in the same library.
ln -s libnvinfer.so.$major "$out/lib/libnvinfer.so"
ln -s libnvinfer.so.$major "$out/lib/libnvonnxparser.so"
