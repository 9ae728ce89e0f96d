// SPDX-License-Identifier: Apache-2.0

package dylib

// Address passes the address of function sym itself, for C to call.
func (l *Library) Address(sym int) Arg { return Arg{word: l.addrs[sym]} }
