// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

#include "textflag.h"

GLOBL ·trampoline(SB), NOPTR|RODATA, $8
DATA ·trampoline(SB)/8, $anyinfer_trampoline(SB)

// void anyinfer_trampoline(frame*), by C's calling convention: it calls
// frame.addr with frame.args and stores the result.
TEXT anyinfer_trampoline(SB), NOSPLIT|NOFRAME, $0
	STP.W (R29, R30), -32(RSP)
	MOVD  R19, 16(RSP)
	MOVD  RSP, R29
	MOVD  R0, R19
	MOVD  0(R19), R9
	LDP   8(R19), (R0, R1)
	LDP   24(R19), (R2, R3)
	LDP   40(R19), (R4, R5)
	LDP   56(R19), (R6, R7)
	BL    (R9)
	MOVD  R0, 72(R19)
	MOVD  16(RSP), R19
	LDP.P 32(RSP), (R29, R30)
	RET
