// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// board is an ARM board that qemu emulates. Programs for its processor run the
// genuine SDKs; docs/boards.md says what this shows.
type board struct {
	arch, triplet string // GOARCH, and Debian's name for it
	emulator, cpu string // qemu's names
	cpuinfo, midr string // of /proc and /sys: LiteRT crashes on those of this machine
	ldflags       string
	engines       string
	packages      string
}

var (
	raspberryPi5 = board{"arm64", "aarch64-linux-gnu", "aarch64", "cortex-a76",
		cpuinfo("fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp", "0x4", "0xd0b", "1"), "0x00000000414fd0b1",
		"", "onnxruntime openvino tflite litert mnn", "./onnxruntime ./openvino ./tflite ./tflite/litert ./mnn"}
	raspberryPi4 = board{arch: "arm64", triplet: "aarch64-linux-gnu", emulator: "aarch64", cpu: "cortex-a72"}
	raspberryPi2 = board{"arm", "arm-linux-gnueabihf", "arm", "cortex-a7",
		cpuinfo("half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm", "0x0", "0xc07", "5"), "0x00000000410fc075",
		"-I /lib/ld-linux-armhf.so.3", "tflite", "./tflite"} // where Debian has it
)

func cpuinfo(features, variant, part, revision string) string {
	return "Features\t: " + features + "\nCPU implementer\t: 0x41\nCPU architecture\t: 8\nCPU variant\t: " + variant +
		"\nCPU part\t: " + part + "\nCPU revision\t: " + revision + "\n"
}

// qemu is what emulators' names begin with.
var qemu = cache("boards", "debian", "usr", "bin", "qemu-")

func (b board) root() string { return cache("boards", "debian", "usr", b.triplet) }
func (b board) command() string {
	return qemu + b.emulator + "-static -cpu " + b.cpu + " -L " + b.root()
}

// notEmulated are tests that take long and do not depend on the processor
// (sources, metadata, log, damage), that measure the emulator (concurrency,
// resources, TestLoadFailsHalfWay) or take minutes in it (TestCancel), and that
// need programs of this machine: the SDKs' Python packages and a C compiler.
const notEmulated = `TestConformance/^(log|sources|metadata|damage|concurrency|resources|reference|races|big)$|^TestCancel$|^TestLoadFailsHalfWay$|^Test(Headers|CustomOps|Operators)$|^Test(Refused)?Delegates?$`

// near matches the largest difference between the scores of two engines.
const near = `[0-9.]+e-(0[7-9]|[1-9])`

// unpack unpacks Debian's packages for a processor, and those that they depend
// on, into a folder. It does not need root. It fetches the lists of packages,
// since this machine's may be missing, old, or of another processor.
func unpack(t *task, dir, arch, packages string) {
	t.made(dir, "echo "+arch+" "+packages, func() {
		apt := dir + "/apt"
		t.write(apt+"/conf", fmt.Sprintf("APT::Architecture %q; APT::Architectures { %[1]q; }; Dir::State::Lists %q; Dir::State::status %q; Dir::Cache %q; "+
			"Debug::NoLocking \"true\"; APT::Sandbox::User \"root\";\n", arch, apt+"/lists", apt+"/status", apt), 0o666)
		t.sh("cd " + apt + " && mkdir -p lists/partial archives/partial && touch status && export APT_CONFIG=$PWD/conf && apt-get -qq update && " +
			"apt-get -qq -y --no-install-recommends --download-only install " + packages + " && for p in archives/*.deb; do dpkg-deb -x $p .. || exit; done && rm -r $PWD")
	})
}

// emulators unpacks qemu, and the C and C++ libraries of boards, from the
// packages for cross compilers.
func emulators(t *task) {
	if runtime.GOARCH != "amd64" {
		return // boards are emulated on x86 alone
	}
	packages := "qemu-user-static"
	for _, arch := range []string{"arm64", "armhf"} {
		packages += fmt.Sprintf(" libc6-%s-cross libstdc++6-%[1]s-cross libgcc-s1-%[1]s-cross", arch)
	}
	unpack(t, cache("boards", "debian"), runtime.GOARCH, packages)
}

func (b board) run(t *task) {
	if runtime.GOARCH != "amd64" {
		fmt.Fprintln(t.out, "boards are emulated on x86 alone")
		return
	}
	dir, qemu := cache("boards", b.arch), b.command()
	// This machine's SDKs and compilers are not for a board.
	t.env = append(t.env, "MNN_ROOT=", "TNN_ROOT=", "TENSORRT_ROOT=", "CC=", "CXX=", "CFLAGS=", "CXXFLAGS=", "LDFLAGS=",
		"DIR="+dir, "ARCH="+b.arch, "QEMU="+qemu, "ANYINFER_TEST_EMULATOR="+qemu, "IMAGE=testdata/expected/digits_0_image.npy")
	processors := ""
	for n := range runtime.NumCPU() {
		processors += fmt.Sprintf("processor\t: %d\n%s\n", n, b.cpuinfo)
		t.write(fmt.Sprintf("%s/sys/devices/system/cpu/cpu%d/regs/identification/midr_el1", b.root(), n), b.midr+"\n", 0o666)
	}
	t.write(b.root()+"/proc/cpuinfo", processors, 0o666)
	t.sh("go run ./cmd/anyinfer sdk install --arch $ARCH " + b.engines)

	emulated := func(command string) string {
		return "CI=true CGO_ENABLED=0 GOARCH=$ARCH GOARM=7 go " + command + ` -exec "$QEMU" -ldflags "` + b.ldflags + `" `
	}
	t.sh(emulated("test") + "-timeout 15m -skip '" + notEmulated + "' " + b.packages)
	// --no-probe here and below, because a process that starts in the emulator may wait for ever for a lock that a thread
	// of the emulator held.
	// Reading text takes many minutes there.
	scores := t.sh(emulated("run") + "./cmd/anyinfer demo --no-probe --tasks faces,person --out $DIR/demo")
	for _, name := range strings.Fields(b.engines) {
		largest := "0[7-9]"
		if name == "mnn" {
			largest = "0[6-9]" // it is 6.8e-06 on arm64
		}
		t.want(scores, "^"+name+` .* 99\.2 % .* [0-9.]+e-`+largest+" ")
	}
	b.packed(t, "")
	if b.arch == "arm64" {
		t.want(t.sh(`CGO_ENABLED=0 GOARCH=arm64 go run -exec "`+raspberryPi4.command()+`" ./cmd/anyinfer doctor litert || true`),
			"litert: .* needs a processor of ARMv8.1") // and does not crash
		t.sh("go run ./cmd/anyinfer build --target linux/arm64 -o $DIR/anyinfer ./cmd/anyinfer")
		jetson(t)
		shimOnBoard(t)
		t.sh("go run ./cmd/anyinfer build --target linux/arm64 --tags onnxruntime,openvino,tflite,mnn -o $DIR/linked/anyinfer ./cmd/anyinfer")
		b.packed(t, "--program $DIR/linked/anyinfer")
	}
}

// want fails the step unless what was printed matches a pattern.
func (t *task) want(printed, pattern string) {
	if !regexp.MustCompile("(?m)" + pattern).MatchString(printed) {
		t.fail(fmt.Errorf("the output does not match %s", pattern))
	}
}

// packed runs models with the script in what `anyinfer pack` makes, without a
// home and, where the system allows that, without a network. The script would
// start the program itself on a board; here it starts the emulator with it.
func (b board) packed(t *task, flags string) {
	list, models := strings.ReplaceAll(b.engines, " ", ","), "digits.tflite"
	if strings.Contains(b.engines, "mnn") {
		models += " digits.mnn digits.onnx"
	}
	t.sh("rm -rf $DIR/packed && mkdir -p $DIR/packed && cp $IMAGE $DIR/packed/image.npy && cd testdata && " +
		"go run ../cmd/anyinfer pack --target linux/$ARCH --engine " + list + " --out $DIR/packed/app.tar.gz " + flags + " " + models)
	t.sh(`cd $DIR/packed && tar -xzf app.tar.gz && cd app/bin && mv anyinfer packed && printf '#!/bin/sh\nexec %s "$@"\n' "$QEMU $PWD/packed" >anyinfer && chmod +x anyinfer`)
	t.want(t.sh(`alone=; ! unshare --net true 2>/dev/null || alone="unshare --net"; cd $DIR/packed/app/models && `+
		`env -i PATH="$PATH" $alone ../run run --no-probe `+models+" --engine "+list+" --input image=$DIR/packed/image.npy"),
		"(?s)"+strings.Repeat(" out scores .*", len(strings.Fields(b.engines))))
}

// jetson runs the command as on a Jetson, with the shim of the engine tensorrt
// compiled for arm64, on the stand-in for TensorRT, which needs no GPU.
func jetson(t *task) {
	s := newStandin("tensorrt", "1015")
	s.dir, s.cxx, s.flags, s.target = s.dir+"-arm64", "aarch64-linux-gnu-g++", "-O0", " --target linux/arm64"
	s.build(t)
	run := "ANYINFER_TENSORRT_LIBRARY=" + s.shim() + " $QEMU $DIR/anyinfer "
	t.sh(run + "doctor --engine tensorrt")
	t.want(t.sh(run+"run --no-probe testdata/digits.onnx --engine tensorrt,openvino --input image=$IMAGE"), "^scores +openvino +tensorrt +"+near)
}

// shimOnBoard compiles the shim of MNN as a user does on a board, and runs it.
// The compiler is Debian's for arm64, in the emulator: c++, and each program that
// it starts, is a script that starts the emulator with the program.
func shimOnBoard(t *task) {
	if text, _ := os.ReadFile("/etc/os-release"); !regexp.MustCompile("(?m)^ID=debian$").Match(text) {
		fmt.Fprintln(t.out, "no shim is compiled on the board: Ubuntu has its packages for arm64 in another archive than Debian")
		return
	}
	gcc := cache("boards", "compiler")
	unpack(t, gcc, "arm64", "g++")
	t.write(gcc+"/emulated/c++", strings.NewReplacer("GCC", gcc, "QEMU", qemu+"aarch64-static").Replace(`#!/bin/sh
case ${0##*/} in
c++) set -- GCC/usr/bin/g++ -B${0%/*}/ --sysroot=GCC "$@" ;;
as | ld) set -- GCC/usr/bin/${0##*/} "$@" ;;
*) set -- GCC/usr/lib/gcc/aarch64-linux-gnu/*/${0##*/} "$@" ;;
esac
exec QEMU -cpu cortex-a76 -L GCC "$@"
`), 0o777)
	t.sh("cd " + gcc + "/emulated && for p in cc1plus collect2 as ld; do ln -sf c++ $p; done")
	t.sh("PATH=" + gcc + "/emulated:$PATH $QEMU $DIR/anyinfer shim build mnn --out $DIR/libanyinfer_mnn.so")
	run := "ANYINFER_MNN_LIBRARY=$DIR/libanyinfer_mnn.so $QEMU $DIR/anyinfer "
	t.sh(run + "doctor --engine mnn")
	t.want(t.sh(run+"run --no-probe testdata/digits.mnn testdata/digits.tflite --engine mnn,tflite --input image=$IMAGE"), "^scores +tflite +mnn +"+near)
}
