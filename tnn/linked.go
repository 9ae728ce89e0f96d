// SPDX-License-Identifier: Apache-2.0

//go:build tnn

package tnn

/*
#cgo CPPFLAGS: -I${SRCDIR}/../cinclude -DANYINFER_ENTRY=anyinfer_engine_tnn
#cgo CXXFLAGS: -std=c++17 -fvisibility=hidden
#cgo !darwin LDFLAGS: -lTNN -lstdc++ -lpthread -ldl -lm
#cgo darwin LDFLAGS: -lTNN -lc++

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
