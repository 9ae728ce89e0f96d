// SPDX-License-Identifier: Apache-2.0

// Package cinclude has the C ABI that an engine implements. Header is
// anyinfer_engine.h, so that vendoring and module caches carry it and tools
// can put it where a compiler finds it.
package cinclude

import _ "embed"

// Header is the content of anyinfer_engine.h.
//
//go:embed anyinfer_engine.h
var Header string
