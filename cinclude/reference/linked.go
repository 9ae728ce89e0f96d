// SPDX-License-Identifier: Apache-2.0

//go:build reference

package reference

/*
#cgo CPPFLAGS: -I${SRCDIR}/.. -DANYINFER_ENTRY=anyinfer_engine_reference
#cgo LDFLAGS: -lm

#include "anyinfer_engine.h"

static void *entry(void) { return (void *)ANYINFER_ENTRY; }
*/
import "C"

import (
	"unsafe"

	_ "github.com/anyinfer/anyinfer/cinclude" // its header, for vendoring and the build cache
	"github.com/anyinfer/anyinfer/internal/dylib"
)

func init() { dylib.Link(spec.Engine, []unsafe.Pointer{C.entry()}) }
