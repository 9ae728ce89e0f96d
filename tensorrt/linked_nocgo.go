// SPDX-License-Identifier: Apache-2.0

//go:build tensorrt && !cgo

package tensorrt

var _ = the_tag_tensorrt_compiles_Cpp_with_cgo__set_CGO_ENABLED_to_1_and_have_a_Cpp_compiler
