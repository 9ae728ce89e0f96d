// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"

	"github.com/anyinfer/anyinfer/common"
)

// Detector finds things in pictures. NewDetector fills the fields with what the model
// says of itself; they may be changed before the first Detect, or be filled without
// it for a model that it does not know. Many goroutines may call Detect.
type Detector struct {
	Model    *common.Model
	Input    Input
	Head     Head
	Labels   []string   // by class
	MinScore float32    // 0: 0.25
	NMS      NMSOptions // the zero NMSOptions: Head.Suppression
	Classes  []int      // the classes to find; nil: all

	runner runner
}

func NewDetector(m *common.Model) (*Detector, error) { panic("to be written") }

// Detect returns what it finds, the best first.
func (d *Detector) Detect(ctx context.Context, img image.Image) ([]Detection, error) {
	panic("to be written")
}

// DetectAll is Detect for many pictures: as many at a time as the model's batch has,
// or can have.
func (d *Detector) DetectAll(ctx context.Context, imgs []image.Image) ([][]Detection, error) {
	panic("to be written")
}
