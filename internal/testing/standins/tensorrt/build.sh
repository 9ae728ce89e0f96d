#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Lays out the stand-in for TensorRT, and for the CUDA driver, as an SDK is:
#
#   build.sh OUTDIR VERSION [FLAG ...]
#
# OUTDIR gets include and lib; VERSION is 802, 806, 1015 or 1104 for TensorRT 8.2
# to 11.4; flags are for the compiler, those of sanitizers say.
set -eu
out=$1 version=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
case $version in
802 | 806) major=8 ;;
1015) major=10 ;;
1104) major=11 ;;
*) echo "there is no stand-in for TensorRT $version" >&2; exit 2 ;;
esac

rm -rf "$out/include" "$out/lib" "$out/objects"
mkdir -p "$out/include" "$out/lib"
cp "$here"/include/*.h "$out/include"
sed "s/^#define STANDIN_TENSORRT .*/#define STANDIN_TENSORRT $version/" "$here/include/NvInferVersion.h" >"$out/include/NvInferVersion.h"

# Sources that include TensorRT's headers are of its release. They are compiled
# by as many as there are processors.
flags="-std=c++17 -Wall -Wextra -O2 -fPIC -fvisibility=hidden -pthread $*"
objects=$out/objects
mkdir -p "$objects"
(cd "$here" && ls ./*.cc) | xargs -P "$(nproc)" -I{} ${CXX:-g++} $flags -I"$out/include" -I"$here" -c "$here/{}" -o "$objects/{}.o"

# library NAME SUFFIX SOURCES [LIBRARIES]: lib is where they find each other, so
# that a program that opens libcuda.so.1 later gets this one.
library() {
  ${CXX:-g++} $flags -shared $(for s in $3; do echo "$objects/$s.cc.o"; done) -o "$out/lib/$1.so.$2" \
    -Wl,-soname,"$1.so.$2" -Wl,-rpath,'$ORIGIN' -L"$out/lib" ${4-}
  ln -s "$1.so.$2" "$out/lib/$1.so"
}
library libcuda 1 "control cuda memory stream"
library libnvinfer $major "onnx operators graph builder engine context" -lcuda
library libnvonnxparser $major parser "-lnvinfer -lcuda"
library libnvinfer_plugin $major plugin "-lnvinfer -lcuda"
rm -r "$objects"
