// SPDX-License-Identifier: Apache-2.0

// Package cinclude embeds the headers of the C ABI that an engine implements,
// so that vendoring includes them and tools can pass them to a compiler.
package cinclude

import "embed"

// Headers has anyinfer_engine.h, which is the ABI, and anyinfer_shim.hpp, with
// helpers for implementations in C++.
//
//go:embed *.h *.hpp
var Headers embed.FS
