// SPDX-License-Identifier: Apache-2.0

//go:build !linux || android || !(amd64 || arm64 || arm)

package sandbox

import (
	"fmt"
	"runtime"
)

var errSystem = fmt.Errorf("no sandbox on %s/%s: it needs Linux on amd64, arm64 or arm", runtime.GOOS, runtime.GOARCH)

// Confine returns an error: there is no sandbox on this system.
func Confine(Rules) error { return errSystem }

// Filter returns an error: there is no sandbox on this system.
func Filter() error { return errSystem }

// Landlock returns an error: there is no sandbox on this system.
func Landlock() error { return errSystem }
