#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Lays out the stand-in for TNN as an SDK is, with include and lib:
#
#   build.sh OUTDIR [FLAG of the compiler ...]
set -eu
out=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$out/include" "$out/lib"
mkdir -p "$out/lib"
cp -r "$here/include" "$out"
${CXX:-g++} -std=c++17 -Wall -Wextra -O2 -fPIC -fopenmp -shared -Wl,-soname,libTNN.so "$@" -I"$out/include" -o "$out/lib/libTNN.so" "$here/tnn.cc"
