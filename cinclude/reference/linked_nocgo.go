// SPDX-License-Identifier: Apache-2.0

//go:build reference && !cgo

package reference

var _ = the_tag_reference_compiles_C_with_cgo__set_CGO_ENABLED_to_1_and_have_a_C_compiler
