// SPDX-License-Identifier: Apache-2.0

// Package cinclude has the C ABI that an engine implements, so that vendoring
// and module caches carry it and tools can put it where a compiler finds it.
package cinclude

import "embed"

// Headers has anyinfer_engine.h, which is the ABI, and anyinfer_shim.hpp, which
// helps to implement it in C++.
//
//go:embed *.h *.hpp
var Headers embed.FS
