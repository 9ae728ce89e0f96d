// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package isolate

import "os"

func ownExecutable() (string, error) { return os.Executable() }
