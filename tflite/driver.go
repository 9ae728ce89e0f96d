// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"context"
	"runtime"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

func init() {
	common.Register(common.Registration{Name: spec.Engine, Formats: []common.Format{formats.TFLite}, Open: open})
}

var device = common.Device{Name: "CPU", Description: runtime.GOARCH}

// driver is the open library. It has no state of its own to free.
type driver struct {
	lib *dylib.Library
	log nativelog.Log
}

func open(c common.Config) (common.Driver, error) {
	if c.Native != nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no options for Config.Native"}
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

// status is nil for kTfLiteOk, else an error of that kind with r's text.
func status(result uintptr, r *errorReporter, kind error, call string) error {
	code := int32(result)
	if code == 0 {
		return nil
	}
	return r.error(kind, code, call+" failed")
}
