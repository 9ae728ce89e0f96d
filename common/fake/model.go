// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"context"
	"fmt"

	"github.com/anyinfer/anyinfer/common"
)

// NewModel makes a model with that signature whose Run calls run. The function
// returns a tensor for each of the signature's outputs. It must not change the
// tensors of in, nor use them after it has returned. Its ctx ends when the call is
// cancelled. o.Sessions calls execute at the same time, one for a nil o. NewModel
// panics if o is not valid.
func NewModel(signature common.Signature, o *common.Options, run func(ctx context.Context, in common.Tensors) (common.Tensors, error)) *common.Model {
	e := &Engine{Name: "fake", Signatures: []common.Signature{signature}, EmptyTensors: true}
	e.Run = func(ctx context.Context, _ int, in, out []*common.Tensor) error {
		named := common.Tensors{}
		for i, info := range signature.Inputs {
			named[info.Name] = in[i]
		}
		results, err := run(ctx, named)
		if err != nil {
			return err
		}
		for i, info := range signature.Outputs {
			t := results[info.Name]
			if t.DType() != info.DType || !info.Shape.Accepts(t.Shape()) {
				return &common.Error{
					Kind:    common.ErrRun,
					Message: fmt.Sprintf("the test's function returned output %q as %v %v; its signature has %v %v", info.Name, t.DType(), t.Shape(), info.DType, info.Shape),
				}
			}
			if !out[i].Is(t.DType(), t.Shape()) {
				out[i] = t.Clone()
				continue
			}
			copy(out[i].Bytes(), t.Bytes())
			if to, err := common.Data[string](out[i]); err == nil {
				from, _ := common.Data[string](t) // of the same type
				copy(to, from)
			}
		}
		return nil
	}
	engine, err := common.OpenEngine(e.registration(), nil)
	if err != nil {
		panic(err)
	}
	model, err := engine.Load(context.Background(), common.Bytes([]byte("fake")), o)
	if err != nil {
		panic(err)
	}
	return model
}
