// SPDX-License-Identifier: Apache-2.0

// Package tensorrt is to come.
package tensorrt
