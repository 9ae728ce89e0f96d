// SPDX-License-Identifier: Apache-2.0

// Package tnn runs TNN models with TNN 0.3. Import it for its side effect, and
// the engine "tnn" is there:
//
//	import _ "github.com/anyinfer/anyinfer/tnn"
package tnn
