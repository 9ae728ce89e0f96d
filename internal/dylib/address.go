// SPDX-License-Identifier: Apache-2.0

package dylib

// Address passes the address of function sym, for C to call it.
func (l *Library) Address(sym int) Arg { return Arg{word: l.addrs[sym]} }
