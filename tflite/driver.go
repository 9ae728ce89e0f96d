// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"context"
	"runtime"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/nativelog"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

func init() {
	common.Register(common.Registration{Name: spec.Engine, Formats: []common.Format{formats.TFLite}, Options: Options{}, Open: open})
}

var device = common.Device{Name: "CPU", Description: runtime.GOARCH}

// driver is the open library. It has nothing to free: dylib never unloads a library.
type driver struct {
	lib *dylib.Library
	log nativelog.Log
}

func open(c common.Config) (common.Driver, error) {
	if c.Native != nil {
		return nil, tfl.Errorf(common.ErrOption, "Config.Native is a %T; this engine has no options there: leave it nil",
			c.Native)
	}
	lib, err := dylib.Open(spec, table, c.Library)
	if err != nil {
		return nil, err
	}
	return &driver{lib: lib, log: nativelog.New(c, spec.Engine, true)}, nil
}

func (d *driver) Info() common.EngineInfo {
	return common.EngineInfo{
		Name: spec.Engine, Version: dylib.GoString(d.lib.Call(version)), Library: d.lib.Path,
	}
}

func (d *driver) Devices(context.Context) ([]common.Device, error) {
	return []common.Device{device}, nil
}

func (d *driver) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (common.DriverModel, error) {
	n, err := nativeOptions(o)
	if err != nil {
		return nil, err
	}
	var m *model
	err = d.log.Capture(func() error {
		m, err = d.load(files, o, n)
		return err
	})
	return m, err
}

func (d *driver) Close() error { return nil }

// status returns nil for kTfLiteOk, else an error of kind with the text that r has received.
func status(result uintptr, r *errorReporter, kind error, call string) error {
	code := int32(result)
	if code == 0 {
		return nil
	}
	return r.error(kind, code, call+" failed")
}
