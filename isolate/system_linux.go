// SPDX-License-Identifier: Apache-2.0

package isolate

// ownExecutable returns the path of this program's file, even if the file was replaced or deleted since.
func ownExecutable() (string, error) { return "/proc/self/exe", nil }
