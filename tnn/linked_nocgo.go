// SPDX-License-Identifier: Apache-2.0

//go:build tnn && !cgo

package tnn

var _ = the_tag_tnn_compiles_Cpp_with_cgo__set_CGO_ENABLED_to_1_and_have_a_Cpp_compiler
