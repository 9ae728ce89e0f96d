// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package privdir

// Check does nothing on this system.
func Check(string) error { return nil }
