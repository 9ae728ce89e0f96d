// SPDX-License-Identifier: Apache-2.0

//go:build mnn

package mnn

/*
#cgo CPPFLAGS: -I${SRCDIR}/../cinclude -DANYINFER_ENTRY=anyinfer_engine_mnn
#cgo CXXFLAGS: -std=c++17 -fvisibility=hidden
// MNN's assembly lacks the section that declares a non-executable stack.
#cgo !darwin LDFLAGS: -lMNN -lstdc++ -lpthread -ldl -lm -Wl,-z,noexecstack
#cgo darwin LDFLAGS: -lMNN -lc++

#include "anyinfer_engine.h"

static void *entry(void) { return (void *)ANYINFER_ENTRY; }
*/
import "C"

import (
	"unsafe"

	_ "github.com/anyinfer/anyinfer/cinclude" // its headers, for vendoring and the build cache
	"github.com/anyinfer/anyinfer/internal/dylib"
)

func init() { dylib.Link(spec.Engine, []unsafe.Pointer{C.entry()}) }
