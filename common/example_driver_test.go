// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"fmt"
	"log"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anyinfer/anyinfer/common"
)

// This is a complete engine: first the methods that every driver has, then the
// optional ones. A model is a text with one number, its weight. It smooths a signal
// of any length: y moves from its last value towards x by that weight.
func init() {
	common.Register(common.Registration{Name: "smooth", Formats: []common.Format{{Name: "smooth"}}, UnpaddedTensors: true, Open: openSmoother})
}

// smoother is the Driver. An engine with an SDK finds and opens its library here,
// and returns ErrNotAvailable or ErrVersion if that fails.
type smoother struct{}

func openSmoother(c common.Config) (common.Driver, error) {
	if c.Library != "" || c.Native != nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no library and no options of its own"}
	}
	return smoother{}, nil
}

func (smoother) Info() common.EngineInfo {
	return common.EngineInfo{Name: "smooth", Version: "1.0", Library: "linked"}
}

func (smoother) Devices(context.Context) ([]common.Device, error) {
	return []common.Device{{Name: "CPU"}}, nil
}

// Load refuses options that it does not support. Its errors need only a kind and a
// text.
func (smoother) Load(_ context.Context, files *common.ModelFiles, o common.Options) (common.DriverModel, error) {
	switch {
	case o.Device != "" && o.Device != "CPU":
		return nil, common.UnknownDevice(o.Device, []common.Device{{Name: "CPU"}})
	case o.Precision != 0 && o.Precision != common.Float32, o.Threads > 1, o.CacheDir != "", o.Shapes != nil, o.Native != nil:
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no options but Sessions and Profile"}
	}
	weight, err := strconv.ParseFloat(strings.TrimSpace(string(files.Bytes(0))), 32)
	if err != nil {
		return nil, &common.Error{Kind: common.ErrModel, Message: "its weight is not a number", Err: err}
	}
	files.Release() // because nothing refers to their memory any more
	return &smoothModel{float32(weight), common.ModelInfo{
		Format: "smooth", Device: "CPU", Precision: common.Float32, Threads: 1, Sessions: max(o.Sessions, 1),
		State: common.Stateful, // Model.Run resets it
	}}, nil
}

func (smoother) Close() error { return nil }

// smoothModel is the DriverModel.
type smoothModel struct {
	weight float32
	info   common.ModelInfo
}

func (m *smoothModel) Info() common.ModelInfo { return m.info }

func (m *smoothModel) Signatures() []common.Signature {
	signal := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{-1}}}
	}
	return []common.Signature{{Inputs: signal("x"), Outputs: signal("y")}}
}

func (m *smoothModel) NewSession(context.Context, int) (common.DriverSession, error) {
	return &smoothSession{weight: m.weight}, nil
}

func (m *smoothModel) Close() error { return nil }

// smoothSession is the DriverSession.
type smoothSession struct {
	weight float32
	x, y   []float32
	last   float32 // a variable of the model

	cancelled atomic.Bool
	took      time.Duration
}

// Bind gets tensors of the signature's types and of shapes that it accepts.
func (s *smoothSession) Bind(in, out []*common.Tensor) (err error) {
	if out[0], err = common.EnsureTensor(out[0], common.Float32, in[0].Shape()); err != nil {
		return err
	}
	if s.x, err = common.Data[float32](in[0]); err != nil {
		return err
	}
	s.y, err = common.Data[float32](out[0])
	return err
}

func (s *smoothSession) Run(context.Context) error {
	s.cancelled.Store(false) // of a Cancel that came when an earlier Run ended
	begin := time.Now()
	for i, x := range s.x {
		if s.cancelled.Load() {
			return &common.Error{Kind: common.ErrRun, Message: "interrupted"}
		}
		s.last += s.weight * (x - s.last)
		s.y[i] = s.last
	}
	s.took = time.Since(begin)
	return nil
}

func (s *smoothSession) Close() error { return nil }

// The methods below are optional.
var _ interface {
	common.Canceler
	common.Resetter
	common.Profiler
} = (*smoothSession)(nil)

var _ common.Propertier = (*smoothModel)(nil)

func (s *smoothSession) Cancel()      { s.cancelled.Store(true) }
func (s *smoothSession) Reset() error { s.last = 0; return nil }

func (s *smoothSession) Profile() ([]common.LayerTime, error) {
	return []common.LayerTime{{Name: "y", Type: "Smooth", Duration: s.took}}, nil
}

func (m *smoothModel) Property(key string) (string, error) {
	if key != "weight" {
		return "", &common.Error{Kind: common.ErrOption, Message: "no property " + key + "; there is weight"}
	}
	return fmt.Sprint(m.weight), nil
}

func ExampleDriver() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.Bytes([]byte("0.5")).As("smooth"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	x, err := common.FromSlice([]float32{8, 8, 8})
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Run(ctx, common.Tensors{"x": x})
	if err != nil {
		log.Fatal(err)
	}
	y, err := common.Get[float32](out, "y")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y)
	// Output: [4 6 7]
}
