// SPDX-License-Identifier: Apache-2.0

// Package testdata embeds the models and data that the demo runs.
package testdata

import "embed"

// FS has the digits model and the edge filter in each format, the held-back
// scans with their labels and onnxruntime's scores for them, two photos and a receipt.
//
//go:embed digits.onnx digits.tflite digits.mnn digits.tnnproto digits.tnnmodel
//go:embed edges.onnx edges.tflite edges.mnn edges.tnnproto edges.tnnmodel
//go:embed scans.npy scans_labels.npy scans_scores.npy photo.png astronaut.jpg receipt.png
var FS embed.FS
