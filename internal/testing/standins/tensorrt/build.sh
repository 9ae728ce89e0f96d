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
out=$1 version=$2 library=libnvinfer.so.$(($2 / 100))
shift 2
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$out/include" "$out/lib"
mkdir -p "$out/lib"
cp -r "$here/include" "$out"
sed -i "s/^#define STANDIN_TENSORRT .*/#define STANDIN_TENSORRT $version/" "$out/include/NvInferVersion.h"

# Libraries are found beside each other, so that who opens libcuda.so.1 later gets
# this one. The parser is in TensorRT's own library.
compile="${CXX:-g++} -std=c++17 -Wall -Wextra -O2 -fPIC -fvisibility=hidden -pthread -shared -Wl,-rpath,\$ORIGIN $*"
$compile -I"$out/include" "$here/cuda.cc" -o "$out/lib/libcuda.so.1" -Wl,-soname,libcuda.so.1
$compile -I"$out/include" "$here/build.cc" "$here/run.cc" "$out/lib/libcuda.so.1" -o "$out/lib/$library" -Wl,-soname,$library
for name in nvinfer nvonnxparser; do ln -s $library "$out/lib/lib$name.so"; done
