// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

#include "textflag.h"

GLOBL ·trampoline(SB), NOPTR|RODATA, $8
DATA ·trampoline(SB)/8, $anyinfer_trampoline(SB)

// void anyinfer_trampoline(frame*), by C's calling convention: it calls
// frame.addr with frame.args and stores the result. AL is the number of vector
// registers, for functions with variable arguments.
TEXT anyinfer_trampoline(SB), NOSPLIT|NOFRAME, $0
	PUSHQ BP
	MOVQ  SP, BP
	PUSHQ BX
	SUBQ  $8, SP // the stack is aligned to 16 bytes
	MOVQ  DI, BX
	MOVQ  0(BX), R11
	MOVQ  8(BX), DI
	MOVQ  16(BX), SI
	MOVQ  24(BX), DX
	MOVQ  32(BX), CX
	MOVQ  40(BX), R8
	MOVQ  48(BX), R9
	XORL  AX, AX
	CALL  R11
	MOVQ  AX, 72(BX)
	ADDQ  $8, SP
	POPQ  BX
	POPQ  BP
	RET
