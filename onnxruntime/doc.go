// SPDX-License-Identifier: Apache-2.0

// Package onnxruntime runs models with Microsoft's ONNX Runtime, through its C API.
// Importing it registers the engine "onnxruntime".
package onnxruntime
