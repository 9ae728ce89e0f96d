# SPDX-License-Identifier: Apache-2.0
#
# Names for steps of internal/ci: go run ./internal/ci --list shows what they run,
# and the other steps. PYTHON, CC and CXX choose other programs.

STEPS := test lint matrix fuzz boards bench cross gpu-check headers testdata

.PHONY: demo $(STEPS)

demo: # installs what is missing, and runs two small models with every engine
	go run ./cmd/anyinfer demo --out demo-out

test: # all tests on the real SDKs, which it installs first
lint: # gofmt, vet, staticcheck, hadolint, a tidy go.mod, and that all compiles
matrix: # what else CI runs: race detector, linked SDKs, sanitizers, older releases, boards
fuzz: # each fuzz target for ten seconds
boards: # engines as on ARM boards, in an emulator; docs/boards.md
bench: # Session.Run beside a C loop over the same calls
cross: # the command and the examples for other systems, in dist
gpu-check: # what proves the engine tensorrt, on a machine with a GPU
headers: # the headers of SDKs that declarations are compared with, by cargo and go
testdata: # makes the test models anew

$(STEPS):
	@go run ./internal/ci $@
