// SPDX-License-Identifier: Apache-2.0

//go:build !leakprofile

package common

func (l *lifetime) track(string) {}
func (l *lifetime) untrack()     {}
