// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// releases has the SDKs that can be installed; a new SDK needs one entry. The releases of an engine are in descending
// order: the first one with the wanted target is the default.
var releases = []release{
	{"openvino", "2026.4.1", "openvino", "2026.4.1", intel, openvinoDirs, []archive{
		{"linux", "amd64", "openvino-2026.4.1-22982-cp311-cp311-manylinux_2_28_x86_64.whl", 59130756, "2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf", "lib/libopenvino_c.so.2641"},
		{"linux", "arm64", "openvino-2026.4.1-22982-cp311-cp311-manylinux_2_35_aarch64.whl", 30348540, "bea1eb3733c34ef331adc945da0ccda5937865031139073663be84c517ffda22", "lib/libopenvino_c.so.2641"},
		{"darwin", "arm64", "openvino-2026.4.1-22982-cp311-cp311-macosx_11_0_arm64.whl", 33302114, "d3740853691ae4a9003bc3417a4625d848e2cc3251af4b815c59199b38be252a", "lib/libopenvino_c.2641.dylib"},
		{"windows", "amd64", "openvino-2026.4.1-22982-cp311-cp311-win_amd64.whl", 84956545, "bfddae6d6d3ad240157b946f180c33d0ddfaaae7487995d929a4e6b4bc12b283", "lib/openvino_c.dll"},
	}},
	{"openvino", "2025.4.1", "openvino", "2025.4.1", intel, openvinoDirs, []archive{
		{"linux", "amd64", "openvino-2025.4.1-20426-cp311-cp311-manylinux2014_x86_64.whl", 50270056, "c552a68c094b0d75f48b7c19cbd3482c44e4e267821897dcb7c9f7c36ba5f88b", "lib/libopenvino_c.so.2541"},
		{"linux", "arm64", "openvino-2025.4.1-20426-cp311-cp311-manylinux_2_35_aarch64.whl", 28261416, "86d2d7c94cd3d29d4080cd105a3af50d3497a348b0e3414c2c04a2532feb4c12", "lib/libopenvino_c.so.2541"},
		{"darwin", "arm64", "openvino-2025.4.1-20426-cp311-cp311-macosx_11_0_arm64.whl", 32847644, "12c482011835d72341f038021129036089c6571f8d713810caaeba88750062e8", "lib/libopenvino_c.2541.dylib"},
		{"darwin", "amd64", "openvino-2025.4.1-20426-cp311-cp311-macosx_10_15_x86_64.whl", 37647388, "ee8ce8ebf22d407ce3b50f7926ee9b2fb9b17d131bae4bee68eba3bb5bbee203", "lib/libopenvino_c.2541.dylib"},
		{"windows", "amd64", "openvino-2025.4.1-20426-cp311-cp311-win_amd64.whl", 41798606, "695f9b5cdb1bc6315383548517e9836b7580220b711ca9417a034ce55028bf85", "lib/openvino_c.dll"},
	}},
	{"openvino", "2024.6.0", "openvino", "2024.6.0", intel, openvinoDirs, []archive{
		{"linux", "amd64", "openvino-2024.6.0-17404-cp311-cp311-manylinux2014_x86_64.whl", 44706701, "444a6d3a746dd728654877993c30582faefcad2868c80ec261839a144b8925bc", "lib/libopenvino_c.so.2460"},
		{"linux", "arm64", "openvino-2024.6.0-17404-cp311-cp311-manylinux_2_31_aarch64.whl", 25146000, "ff5f871162299906fb517d5c9ded79f464a0341d8e2d55a037d4f9e38eed8652", "lib/libopenvino_c.so.2460"},
		{"darwin", "arm64", "openvino-2024.6.0-17404-cp311-cp311-macosx_11_0_arm64.whl", 29104325, "1d59ccc2df4a8c8515f30683f6cc0091c5b4e6a01a71ebfb1dc8f2ebdb5c83f4", "lib/libopenvino_c.2460.dylib"},
		{"darwin", "amd64", "openvino-2024.6.0-17404-cp311-cp311-macosx_10_15_x86_64.whl", 38280036, "9150c75e19606a2f2ab411271c79031726980fb6870b96445db1faca5ab64f5f", "lib/libopenvino_c.2460.dylib"},
		{"windows", "amd64", "openvino-2024.6.0-17404-cp311-cp311-win_amd64.whl", 37420980, "4a94ef27022d56a159ea8677e5561bdd6f0d6c6237736e13c0f7cde71224ce7f", "lib/openvino_c.dll"},
	}},
	// The macOS wheel is named universal2 but contains only arm64; the armv7l library lacks the XNNPACK delegate.
	{"tflite", "2.17.1", "pymicro-wakeword", "2.5.0", wakeword, []pypi.Rule{{"pymicro_wakeword/lib/", "lib/"}}, []archive{
		{"linux", "amd64", "pymicro_wakeword-2.5.0-py3-none-manylinux_2_35_x86_64.whl", 2114958, "3869f536402b1254e3be3549d3a462ecd6ed21ce2c3e77ec8eb501c3c700417c", "lib/libtensorflowlite_c.so"},
		{"linux", "arm64", "pymicro_wakeword-2.5.0-py3-none-manylinux_2_35_aarch64.whl", 1611022, "6c75b77c936efd19b8c35a094cb7e3fdbd4ebcd0f63635a0851ce591990829f2", "lib/libtensorflowlite_c.so"},
		{"linux", "arm", "pymicro_wakeword-2.5.0-py3-none-manylinux_2_35_armv7l.whl", 1838144, "af92b862fe0488fba7422b9819b1a8c88781b2f90fb3e4b7f1dcfd1d90a6b69b", "lib/libtensorflowlite_c.so"},
		{"darwin", "arm64", "pymicro_wakeword-2.5.0-py3-none-macosx_15_0_universal2.whl", 1728962, "950336248aefc9e7d0334f1894f878a3e319e2850b165d592c69b48bc706c823", "lib/libtensorflowlite_c.dylib"},
		{"windows", "amd64", "pymicro_wakeword-2.5.0-py3-none-win_amd64.whl", 1942762, "e518dd2256436e57134cabb91b83a0b434aff6c34fdbada2841ff4b1f0f20ff5", "lib/tensorflowlite_c.dll"},
	}},
	// The library finds the accelerators of GPUs (WebGPU, on macOS Metal) beside it.
	{"litert", "2.3.0", "ai-edge-litert", "2.3.0", google, []pypi.Rule{{"ai_edge_litert/libLiteRt", "lib/libLiteRt"}}, []archive{
		{"linux", "amd64", "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_x86_64.whl", 21778233, "1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23", "lib/libLiteRt.so"},
		{"linux", "arm64", "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_aarch64.whl", 14379387, "853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae", "lib/libLiteRt.so"},
		{"darwin", "arm64", "ai_edge_litert-2.3.0-cp311-cp311-macosx_12_0_arm64.whl", 12821669, "da19cb1ad08d5113600d1038fbe7390e74e38fcb3e92af86d56a60120343e6d2", "lib/libLiteRt.dylib"},
		{"windows", "amd64", "ai_edge_litert-2.3.0-cp311-cp311-win_amd64.whl", 20669548, "ffee5993b859580650e844fce322e93b7abf50dfa36fd0fcbde41e079d1eebe3", "lib/libLiteRt.dll"},
	}},
	// The library is unpacked under the name by which it and linked programs are loaded, its SONAME.
	{"onnxruntime", "1.32.0", "onnxruntime", "1.32.0", microsoft, []pypi.Rule{
		{"onnxruntime/capi/libonnxruntime.so.1.32.0", "lib/libonnxruntime.so.1"}, {"onnxruntime/capi/libonnxruntime.1.32.0.dylib", "lib/libonnxruntime.1.dylib"},
		{"onnxruntime/capi/libonnxruntime_providers_shared", "lib/libonnxruntime_providers_shared"},
		{"onnxruntime/capi/onnxruntime.dll", "lib/onnxruntime.dll"}, {"onnxruntime/capi/onnxruntime_providers_shared", "lib/onnxruntime_providers_shared"},
		{"onnxruntime/LICENSE", "licenses/LICENSE"}, {"onnxruntime/ThirdPartyNotices", "licenses/ThirdPartyNotices"}, {"onnxruntime/Privacy", "licenses/Privacy"},
	}, []archive{
		{"linux", "amd64", "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_x86_64.whl", 27773237, "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d", "lib/libonnxruntime.so.1"},
		{"linux", "arm64", "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_aarch64.whl", 23195070, "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c", "lib/libonnxruntime.so.1"},
		{"darwin", "arm64", "onnxruntime-1.32.0-cp311-cp311-macosx_14_0_arm64.whl", 22506162, "366b9e53d07812cc5c92822cecf7563b76a8a0f32ba3bb8dd232a206ac3bcb6c", "lib/libonnxruntime.1.dylib"},
		{"windows", "amd64", "onnxruntime-1.32.0-cp311-cp311-win_amd64.whl", 16695880, "d7e0c45cc5f456ad7805e6dd256a7662736cda9c2fd17becae194eb3c2f6df72", "lib/onnxruntime.dll"},
		{"windows", "arm64", "onnxruntime-1.32.0-cp311-cp311-win_arm64.whl", 16027290, "23361cdf98afac352d10aa7d9e0a10ceaeb02d38430fb693c6eff370196db62d", "lib/onnxruntime.dll"},
	}},
	// The wheels' Python module contains all of MNN; its Python version does not matter.
	{"mnn", "3.6.1", "MNN", "3.6.1", alibaba, []pypi.Rule{
		{"_mnncengine.cpython-311-x86_64-linux-gnu.so", "lib/libMNN.so"}, {"_mnncengine.cpython-311-aarch64-linux-gnu.so", "lib/libMNN.so"},
	}, []archive{
		{"linux", "amd64", "mnn-3.6.1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", 17678311, "abebaaa0c7b0af6dfd6e9f4bda46bb6a30bb95d2b88a5b441a65d1cd322311d0", "lib/libanyinfer_mnn.so"},
		{"linux", "arm64", "mnn-3.6.1-cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64.whl", 17489842, "7f8fbf264047e81bf66f0b04ef95a8c83b8d5ca0a3670afcf3c0c3b6861de4a5", "lib/libanyinfer_mnn.so"},
	}},
}

// openvinoDirs omits the wheel's C++ headers and CMake files, because this module uses the C API.
var openvinoDirs = []pypi.Rule{{"openvino/libs/", "lib/"}, {"openvino/include/openvino/c/", "include/openvino/c/"}}

// The publishers, from the metadata of the packages.
var (
	intel     = Publisher{"PyPI", "Intel (OpenVINO Developers)", ""}
	google    = Publisher{"PyPI", "Google (Google AI Edge Authors)", ""}
	microsoft = Publisher{"PyPI", "Microsoft (Microsoft Corporation)", ""}
	alibaba   = Publisher{"PyPI", "Alibaba (alibaba MNN Team)", ""}

	wakeword = Publisher{"PyPI", "Michael Hansen (OHF-Voice)",
		"TensorFlow Lite is Google's. This package detects wake words, and contains a libtensorflowlite_c that others compiled: " +
			"its description names the project tphakala/tflite_c."}
)

// headers has the crates with the headers of SDKs whose package lacks them.
var headers = map[string]*crate{
	"mnn": {"mnn-sys", "0.2.0", 10106683, "9034853e342dde6533c5ad8cffd7e0f979e3cd4ce0e782630177e9659f1328b0",
		Publisher{"crates", "aftershootco (mnn-rs)", "MNN is Alibaba's. This package contains a copy of MNN's source, of which only the headers are used."},
		[]pypi.Rule{{"vendor/include/", "include/"}, {"vendor/3rd_party/half/LICENSE.txt", "licenses/half-LICENSE.txt"}}},
}

// A Publisher publishes a package in a registry.
type Publisher struct {
	Registry  string
	Publisher string
	// ThirdParty explains who made the SDK and how it came into the package. It is empty if the publisher made it.
	ThirdParty string
}

func (p Publisher) String() string {
	if p.ThirdParty != "" {
		return p.Publisher + ", a third party"
	}
	return p.Publisher
}

// lines returns the lines of Source for one package.
func (p Publisher) lines(file string, size int64, sha256 string) string {
	text := fmt.Sprintf(" (%s, %s)\n  publisher: %s\n", file, pypi.Size(size), p)
	if p.ThirdParty != "" {
		text += "  " + p.ThirdParty + "\n"
	}
	return text + "  SHA-256: " + sha256 + "\n"
}

type release struct {
	engine, version, pkg, pkgVersion string
	publisher                        Publisher
	unpack                           []pypi.Rule
	archives                         []archive
}

type archive struct {
	os, arch, file string
	size           int64
	sha256         string
	library        string // the SDK.Library
}

// A Pin is one SDK that can be installed. The embedded SDK is the content of its later sdk.json, still without Size.
type Pin struct {
	sdkdir.SDK
	Publisher Publisher
	Download  int64 // bytes of File

	unpack  []pypi.Rule
	headers *crate // nil if the package has all headers
}

// Pins returns the SDKs that can be installed; an engine's default for a target comes before its older versions.
func Pins() []Pin {
	var pins []Pin
	for _, r := range releases {
		for _, w := range r.archives {
			pins = append(pins, Pin{
				SDK: sdkdir.SDK{
					Engine: r.engine, Version: r.version, OS: w.os, Arch: w.arch,
					Package: r.pkg, PackageVersion: r.pkgVersion,
					File: w.file, SHA256: w.sha256, Library: w.library,
				},
				Publisher: r.publisher, Download: w.size, unpack: r.unpack, headers: headers[r.engine],
			})
		}
	}
	return pins
}

func (p Pin) String() string {
	return fmt.Sprintf("%s %s for %s/%s", p.Engine, p.Version, p.OS, p.Arch)
}

// Origin names the package of the SDK.
func (p Pin) Origin() string {
	return fmt.Sprintf("%s package %s %s", p.Publisher.Registry, p.Package, p.PackageVersion)
}

// Packages names all packages that are fetched for the SDK.
func (p Pin) Packages() string {
	if h := p.headers; h != nil {
		return fmt.Sprintf("%s and the crate %s %s", p.Origin(), h.name, h.version)
	}
	return p.Origin()
}

// Source describes the SDK's packages and publishers in lines.
func (p Pin) Source() string {
	text := p.Origin() + p.Publisher.lines(p.File, p.Download, p.SHA256)
	if h := p.headers; h != nil {
		text += "  headers from the crate " + h.name + " " + h.version + h.publisher.lines(h.String()+".crate", h.size, h.sha256)
	}
	return text
}

// Find returns the pin of an engine for a target; an empty version means the newest.
func Find(engine, version, goos, goarch string) (Pin, error) {
	match := func(engine, version, goos, goarch string) []Pin { // empty matches all
		return slices.DeleteFunc(Pins(), func(p Pin) bool {
			return engine != "" && p.Engine != engine || version != "" && p.Version != version ||
				goos != "" && p.OS != goos || goarch != "" && p.Arch != goarch
		})
	}
	if found := match(engine, version, goos, goarch); len(found) > 0 {
		if p := found[0]; p.headers != nil && p.OS != runtime.GOOS {
			return Pin{}, fmt.Errorf("the shim of %s is compiled on %s, and this is %s", p, p.OS, runtime.GOOS)
		}
		return found[0], nil
	}
	ofEngine := match(engine, "", "", "")
	if len(ofEngine) == 0 {
		return Pin{}, fmt.Errorf("there is no SDK to install for engine %q; there is one for: %s",
			engine, values(Pins(), func(p Pin) string { return p.Engine }))
	}
	if ofVersion := match(engine, version, "", ""); len(ofVersion) > 0 {
		if version != "" {
			engine += " " + version
		}
		elsewhere := ""
		if ofEngine[0].Engine == "onnxruntime" && goos == "linux" && goarch == "arm" { // programs open it by its name
			elsewhere = ", and Debian 13 has libonnxruntime1.21 for this one: apt install libonnxruntime1.21"
		}
		return Pin{}, fmt.Errorf("there is no %s SDK for %s/%s; there is one for: %s (choose with --os and --arch)%s", engine, goos, goarch,
			values(ofVersion, func(p Pin) string { return p.OS + "/" + p.Arch }), elsewhere)
	}
	return Pin{}, fmt.Errorf("there is no %s SDK of version %s; there are: %s (choose with --version)", engine, version,
		values(ofEngine, func(p Pin) string { return p.Version }))
}

// values joins the distinct results of f.
func values(pins []Pin, f func(Pin) string) string {
	var all []string
	for _, p := range pins {
		if v := f(p); !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return strings.Join(all, ", ")
}
