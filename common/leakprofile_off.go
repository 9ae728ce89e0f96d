// SPDX-License-Identifier: Apache-2.0

//go:build !leakprofile

package common

func (l *lifetime) opened(string) {}
func (l *lifetime) gone()         {}
