// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// provider is an execution provider: the part of ONNX Runtime that computes on one
// kind of device. It is appended to session options in one of three ways.
type provider struct {
	device      string
	name        string      // in GetAvailableProviders and EpDevice_EpName
	append      string      // SessionOptionsAppendExecutionProvider takes this name
	functions   *structured // functions of its own for a struct of options
	plugin      uintptr     // an OrtEpDevice that a library offers
	description string
}

// structured has the functions that make, fill, append and release a provider's
// struct of options.
type structured struct{ create, update, append, release int }

const defaultDevice = "CPU"

// providers are those that a library can have built in. A library need not have
// any but the first.
var providers = []provider{
	{device: defaultDevice, name: "CPUExecutionProvider"}, // which ONNX Runtime appends itself
	{device: "CUDA", name: "CUDAExecutionProvider", functions: &structured{fnCreateCUDAProviderOptions, fnUpdateCUDAProviderOptions, fnAppendCUDAV2, fnReleaseCUDAProviderOptions}},
	{device: "TENSORRT", name: "TensorrtExecutionProvider", functions: &structured{fnCreateTensorRTProviderOptions, fnUpdateTensorRTProviderOptions, fnAppendTensorRTV2, fnReleaseTensorRTProviderOptions}},
	{device: "DNNL", name: "DnnlExecutionProvider", functions: &structured{fnCreateDnnlProviderOptions, fnUpdateDnnlProviderOptions, fnAppendDnnl, fnReleaseDnnlProviderOptions}},
	{device: "COREML", name: "CoreMLExecutionProvider", append: "CoreML"},
	{device: "DML", name: "DmlExecutionProvider", append: "DML"},
	{device: "NVTENSORRTRTX", name: "NvTensorRTRTXExecutionProvider", append: "NvTensorRtRtx"},
	{device: "OPENVINO", name: "OpenVINOExecutionProvider", append: "OpenVINO"},
	{device: "QNN", name: "QNNExecutionProvider", append: "QNN"},
	{device: "VITISAI", name: "VitisAIExecutionProvider", append: "VitisAI"},
	{device: "WEBGPU", name: "WebGpuExecutionProvider", append: "WebGPU"},
	{device: "XNNPACK", name: "XnnpackExecutionProvider", append: "XNNPACK"},
}

// Devices lists the CPU, then the devices of the other providers that the library
// has and that can run a small model here.
func (d *driver) Devices(ctx context.Context) ([]common.Device, error) {
	usable, err := d.providers(ctx)
	var devices []common.Device
	for _, p := range usable {
		devices = append(devices, common.Device{Name: p.device, Description: p.description})
	}
	return devices, err
}

// provider returns the provider for the name in Options.Device.
func (d *driver) provider(ctx context.Context, device string) (provider, error) {
	if device == "" || device == defaultDevice {
		return providers[0], nil
	}
	names, err := d.available()
	if err != nil {
		return provider{}, err
	}
	for _, p := range providers[1:] {
		if p.device != device {
			continue
		}
		if slices.Contains(names, p.name) {
			if err = d.try(p); err == nil {
				return p, nil
			}
		} else {
			err = errors.New("this library was built without the provider; ANYINFER_ONNXRUNTIME_LIBRARY can name another one")
		}
		break
	}
	usable, listErr := d.providers(ctx)
	if listErr != nil {
		return provider{}, listErr
	}
	var devices []common.Device
	for _, p := range usable {
		if p.device == device {
			return p, nil
		}
		devices = append(devices, common.Device{Name: p.device})
	}
	unknown := common.UnknownDevice(device, devices)
	if e := (*common.Error)(nil); errors.As(unknown, &e) {
		e.Err = err
	}
	return provider{}, unknown
}

// providers returns the providers that can be used here.
func (d *driver) providers(ctx context.Context) ([]provider, error) {
	names, err := d.available()
	if err != nil {
		return nil, err
	}
	var usable []provider
	for i, p := range providers {
		p.description = p.name
		if i == 0 || slices.Contains(names, p.name) && d.works(p) {
			usable = append(usable, p)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	plugins, err := d.plugins(names)
	return append(usable, plugins...), err
}

const maxProviders = 1024 // a sanity limit

// available returns the names of the providers that the library was built with.
func (d *driver) available() ([]string, error) {
	out := new(struct {
		names uintptr
		count int32
	})
	if err := d.call(common.ErrDevice, fnGetAvailableProviders, dylib.Ptr(&out.names), dylib.Ptr(&out.count)); err != nil {
		return nil, err
	}
	if out.count < 0 || out.count > maxProviders || out.names == 0 {
		return nil, fail(common.ErrDevice, "the library has %d providers", out.count)
	}
	defer func() {
		d.check(nil, d.api.Call(fnReleaseAvailableProviders, dylib.Int(out.names), dylib.Int(out.count)))
	}()
	addrs := make([]uintptr, out.count)
	dylib.CopyOut(addrs, out.names)
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = dylib.GoString(a)
	}
	return names, nil
}

// smallModel is an ONNX model: y = Relu(x) for a float.
const smallModel = "\x08\x08\x3a\x33\x0a\x0c\x0a\x01x\x12\x01y\x22\x04Relu\x12\x01g" +
	"\x5a\x0f\x0a\x01x\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01" +
	"\x62\x0f\x0a\x01y\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01" + "\x42\x02\x10\x0d"

// works reports whether a provider can be used on this machine.
func (d *driver) works(p provider) bool {
	err := d.try(p)
	if err != nil {
		d.log.Debug("execution provider not usable", "provider", p.name, "reason", err)
	}
	return err == nil
}

// try loads a small model with a provider: a library can have it without the libraries
// or the device that it needs.
func (d *driver) try(p provider) error {
	options, err := d.get(common.ErrDevice, fnCreateSessionOptions)
	if err != nil {
		return err
	}
	defer d.free(fnReleaseSessionOptions, options)
	if err = d.appendProvider(options, p, nil); err == nil {
		err = d.setLogger(options)
	}
	if err != nil {
		return err
	}
	session, err := d.newSession(context.Background(), []byte(smallModel), options)
	d.free(fnReleaseSession, session)
	return err
}

// hardwareTypes has the names of OrtHardwareDeviceType.
var hardwareTypes = []string{"CPU", "GPU", "NPU"}

// plugins returns the devices of providers that are not builtIn.
func (d *driver) plugins(builtIn []string) ([]provider, error) {
	if !d.api.Has(fnGetEpDevices) {
		return nil, nil
	}
	devices, err := d.epDevices()
	var plugins []provider
	for _, device := range devices {
		p := d.plugin(device)
		if slices.Contains(builtIn, p.name) {
			continue
		}
		same := func(q provider) bool { return q.device == p.device }
		for n, first := 1, p.device; slices.ContainsFunc(plugins, same); n++ {
			p.device = fmt.Sprint(first, ".", n)
		}
		plugins = append(plugins, p)
	}
	return plugins, err
}

// epDevices returns the addresses of the OrtEpDevices that the environment has.
func (d *driver) epDevices() ([]uintptr, error) {
	out := new(struct{ devices, count uintptr })
	if err := d.call(common.ErrDevice, fnGetEpDevices, dylib.Int(d.env), dylib.Ptr(&out.devices), dylib.Ptr(&out.count)); err != nil {
		return nil, err
	}
	if out.count > maxProviders {
		return nil, fail(common.ErrDevice, "the library has %d devices", out.count)
	}
	devices := make([]uintptr, out.count)
	dylib.CopyOut(devices, out.devices)
	return devices, nil
}

// plugin describes an OrtEpDevice. Its name is that of the provider and of the kind
// of hardware, such as "OPENVINO.GPU".
func (d *driver) plugin(device uintptr) provider {
	hardware := d.api.Call(fnEpDeviceDevice, dylib.Int(device))
	kind := "OTHER"
	if i := uint32(d.api.Call(fnHardwareDeviceType, dylib.Int(hardware))); int(i) < len(hardwareTypes) {
		kind = hardwareTypes[i]
	}
	p := provider{name: dylib.GoString(d.api.Call(fnEpDeviceEpName, dylib.Int(device))), plugin: device}
	p.device = strings.ToUpper(strings.TrimSuffix(p.name, "ExecutionProvider")) + "." + kind
	p.description = fmt.Sprintf("%s of %s on %s", p.name, dylib.GoString(d.api.Call(fnEpDeviceEpVendor, dylib.Int(device))), dylib.GoString(d.api.Call(fnHardwareDeviceVendor, dylib.Int(hardware))))
	return p
}

// appendProvider adds a provider with its options to session options.
func (d *driver) appendProvider(options uintptr, p provider, settings map[string]string) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	keys := slices.Sorted(maps.Keys(settings))
	var values []string
	for _, k := range keys {
		values = append(values, settings[k])
	}
	list := []dylib.Arg{dylib.Slice(cStrings(&pin, keys)), dylib.Slice(cStrings(&pin, values)), dylib.Int(len(keys))}
	switch {
	case p.plugin != 0:
		device := []uintptr{p.plugin}
		return d.call(common.ErrDevice, fnAppendDevices, append([]dylib.Arg{dylib.Int(options), dylib.Int(d.env), dylib.Slice(device), dylib.Int(1)}, list...)...)
	case p.append != "":
		return d.call(common.ErrDevice, fnAppendProvider, append([]dylib.Arg{dylib.Int(options), dylib.String(p.append)}, list...)...)
	case p.functions == nil: // the CPU
		if len(keys) > 0 {
			return fail(common.ErrOption, "Provider has %q, but the CPU's execution provider has no options", keys)
		}
		return nil
	}
	own, err := d.get(common.ErrDevice, p.functions.create)
	if err != nil {
		return err
	}
	defer d.free(p.functions.release, own)
	if len(keys) > 0 {
		if err := d.call(common.ErrOption, p.functions.update, append([]dylib.Arg{dylib.Int(own)}, list...)...); err != nil {
			return err
		}
	}
	return d.call(common.ErrDevice, p.functions.append, dylib.Int(options), dylib.Int(own))
}
