// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package isolate

// watch does nothing: Options with limits were refused.
func (p *process) watch(*Options) {}
