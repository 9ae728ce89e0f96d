// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/mnn"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	"github.com/anyinfer/anyinfer/vision"
)

// load loads the models, each with the first ready engine that reads it. The embedder is
// nil if there is no file for it.
func load(ctx context.Context, detectorFile, embedderFile string) (*vision.Detector, *vision.Embedder, error) {
	model, err := common.Load(ctx, common.File(detectorFile), nil)
	if err != nil {
		return nil, nil, err
	}
	detector, err := vision.NewDetector(model)
	if err != nil || embedderFile == "" {
		return detector, nil, err
	}
	if model, err = common.Load(ctx, common.File(embedderFile), nil); err != nil {
		return nil, nil, err
	}
	embedder, err := vision.NewEmbedder(model)
	return detector, embedder, err
}
