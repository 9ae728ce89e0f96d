// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// board is one that qemu emulates: programs for its processor run the genuine
// SDKs for that. docs/boards.md says what this shows.
type board struct {
	arch, triplet string // as Go names the processor, and Debian's folders do
	qemu          string // the emulator, with the processor
	cpuinfo, midr string // what SDKs read to learn of the processor
	ldflags       string
	engines       []string
}

// Without a board's own cpuinfo SDKs read this machine's, on which LiteRT crashes.
var (
	raspberryPi5 = board{"arm64", "aarch64-linux-gnu", "qemu-aarch64-static -cpu cortex-a76",
		cpuinfo("fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp", "0x4", "0xd0b", "1"), "0x00000000414fd0b1",
		"", []string{"openvino", "tflite", "litert", "mnn"}}
	raspberryPi2 = board{"arm", "arm-linux-gnueabihf", "qemu-arm-static -cpu cortex-a7",
		cpuinfo("half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm", "0x0", "0xc07", "5"), "0x00000000410fc075",
		"-I /lib/ld-linux-armhf.so.3", []string{"tflite"}} // where Debian has it
)

func cpuinfo(features, variant, part, revision string) string {
	return "Features\t: " + features + "\nCPU implementer\t: 0x41\nCPU architecture\t: 8\nCPU variant\t: " + variant +
		"\nCPU part\t: " + part + "\nCPU revision\t: " + revision + "\n"
}

// notEmulated are tests of what the processor does not matter to and takes long
// (where models come from, what they say of themselves and print, which files
// are refused), what measures the emulator (concurrency, resources,
// TestLoadFailsHalfWay) or takes minutes in it (TestCancel), and what uses
// programs of this machine: the SDKs' Python packages and a C compiler.
const notEmulated = `TestConformance/^(log|sources|metadata|damage|concurrency|resources|reference|races|big)$|^TestCancel$|^TestLoadFailsHalfWay$|^TestHeaders$|^Test(Refused)?Delegates?$`

// near is how little two engines' scores lie apart.
const near = `[0-9.]+e-(0[7-9]|[1-9])`

// unpack unpacks packages for a processor, and what they depend on, into a
// folder. It need not be root, and has lists of packages of its own, as this
// machine's may be missing or old, and are of its processor.
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
	packages := "qemu-user-static"
	for _, arch := range []string{"arm64", "armhf"} {
		packages += fmt.Sprintf(" libc6-%s-cross libstdc++6-%[1]s-cross libgcc-s1-%[1]s-cross libgomp1-%[1]s-cross", arch)
	}
	unpack(t, cache("boards", "debian"), runtime.GOARCH, packages)
}

// emulation is the step for a board.
type emulation struct {
	*task
	board
}

func (b board) run(t *task) {
	// SDKs and compilers of this machine are none of a board's.
	t.env = append(t.env, "MNN_ROOT=", "TNN_ROOT=", "TENSORRT_ROOT=", "CC=", "CXX=", "CFLAGS=", "CXXFLAGS=", "LDFLAGS=")
	debian := cache("boards", "debian", "usr")
	root := filepath.Join(debian, b.triplet)
	t.names = strings.NewReplacer("$DIR", cache("boards", b.arch), "$BIN", filepath.Join(debian, "bin"), "$ROOT", root,
		"$QEMU", filepath.Join(debian, "bin", b.qemu)+" -L "+root, "$ARCH", b.arch, "$IMAGE", "testdata/expected/digits_0_image.npy")
	processors := ""
	for n := range runtime.NumCPU() {
		processors += fmt.Sprintf("processor\t: %d\n%s\n", n, b.cpuinfo)
		t.write(fmt.Sprintf("$ROOT/sys/devices/system/cpu/cpu%d/regs/identification/midr_el1", n), b.midr+"\n", 0o666)
	}
	t.write("$ROOT/proc/cpuinfo", processors, 0o666)

	e := emulation{t, b}
	t.sh("go run ./cmd/anyinfer sdk install --arch $ARCH " + strings.Join(b.engines, " "))
	packages, scores := "", []string{}
	for _, name := range b.engines {
		packages += " ./" + strings.Replace(name, "litert", "tflite/litert", 1)
		largest := "0[7-9]"
		if name == "mnn" {
			largest = "0[6-9]" // it is 6.8e-06 on arm64
		}
		scores = append(scores, "^"+name+` .* 99\.2 % .* [0-9.]+e-`+largest+" ")
	}
	emulated := `CI=true CGO_ENABLED=0 GOARCH=$ARCH GOARM=7 ANYINFER_TEST_EMULATOR="$QEMU" go `
	with := ` -exec "$QEMU" -ldflags '` + b.ldflags + `' `
	t.sh(emulated + "test -p 1" + with + "-timeout 15m -skip " + quote(notEmulated) + packages)
	e.expect(emulated+"run"+with+"./cmd/anyinfer demo --out $DIR/demo", scores...)
	e.packed("")
	if b.arch == "arm64" {
		// On a Raspberry Pi 4, LiteRT is refused and does not crash.
		e.expect(`CGO_ENABLED=0 GOARCH=arm64 go run -exec "$BIN/qemu-aarch64-static -cpu cortex-a72 -L $ROOT" ./cmd/anyinfer doctor litert || true`,
			"litert: .* needs a processor of ARMv8.1")
		t.sh("go run ./cmd/anyinfer build --target linux/arm64 -o $DIR/anyinfer ./cmd/anyinfer")
		e.jetson()
		e.shimOnBoard()
		t.sh("go run ./cmd/anyinfer build --target linux/arm64 --tags openvino,tflite,mnn -o $DIR/linked/anyinfer ./cmd/anyinfer")
		e.packed("--program $DIR/linked/anyinfer")
	}
}

// expect runs a line of shell, and wants what it prints to match patterns.
func (e emulation) expect(line string, patterns ...string) {
	printed := e.sh(line)
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(printed) {
			e.fail(fmt.Errorf("nothing that was printed matches %s", p))
		}
	}
}

// packed runs models with what `anyinfer pack` makes, by the script in it, with
// nothing else at hand: no home, and where that can be had no network. The
// emulator stands before the program, which the script starts by itself on a board.
func (e emulation) packed(flags string) {
	list, models := strings.Join(e.engines, ","), "digits.tflite"
	if strings.Contains(list, "mnn") {
		models += " digits.mnn"
	}
	e.sh("rm -rf $DIR/packed && mkdir -p $DIR/packed && cp $IMAGE $DIR/packed/image.npy && cd testdata && " +
		"go run ../cmd/anyinfer pack --target linux/$ARCH --engine " + list + " --out $DIR/packed/app.tar.gz " + flags + " " + models)
	e.sh("cd $DIR/packed && tar -xzf app.tar.gz && mv app/bin/anyinfer app/bin/packed")
	e.write("$DIR/packed/app/bin/anyinfer", "#!/bin/sh\nexec $QEMU $DIR/packed/app/bin/packed \"$@\"\n", 0o777)
	e.expect(`alone=; ! unshare --net true 2>/dev/null || alone="unshare --net"; cd $DIR/packed/app/models && `+
		`env -i PATH="$PATH" $alone ../run run `+models+" --engine "+list+" --input image=$DIR/packed/image.npy",
		"(?s)"+strings.Repeat(" out scores .*", len(e.engines)))
}

// jetson runs the command as on a Jetson, with the shim of the engine tensorrt
// compiled for that processor. TensorRT takes a GPU: it is the stand-in, on the
// CPU, and shows nothing of the genuine one.
func (e emulation) jetson() {
	s := newStandin("tensorrt", "1015")
	s.dir, s.cxx, s.flags, s.target = s.dir+"-arm64", "aarch64-linux-gnu-g++", "-O0", " --target linux/arm64"
	s.build(e.task)
	run := "ANYINFER_TENSORRT_LIBRARY=" + s.shim() + " $QEMU $DIR/anyinfer "
	e.sh(run + "doctor --engine tensorrt")
	e.expect(run+"run testdata/digits.onnx --engine tensorrt,openvino --input image=$IMAGE", "^scores +openvino +tensorrt +"+near)
}

// shimOnBoard compiles the shim of MNN as a user of a board does, and runs it.
// The compiler is that of Debian's packages for boards, in the emulator: c++, and
// all that it calls, is a script that starts the program of the package.
func (e emulation) shimOnBoard() {
	if text, _ := os.ReadFile("/etc/os-release"); !regexp.MustCompile("(?m)^ID=debian$").Match(text) {
		fmt.Fprintln(e.out, "without Debian's packages for arm64, which Ubuntu has in another archive, no shim is compiled on the board")
		return
	}
	gcc := cache("boards", "compiler")
	unpack(e.task, gcc, "arm64", "g++")
	e.write(gcc+"/emulated/c++", strings.ReplaceAll(`#!/bin/sh
case ${0##*/} in
c++) set -- GCC/usr/bin/g++ -B${0%/*}/ --sysroot=GCC "$@" ;;
as | ld) set -- GCC/usr/bin/${0##*/} "$@" ;;
*) set -- GCC/usr/lib/gcc/aarch64-linux-gnu/*/${0##*/} "$@" ;;
esac
exec $BIN/qemu-aarch64-static -cpu cortex-a76 -L GCC "$@"
`, "GCC", gcc), 0o777)
	e.sh("cd " + gcc + "/emulated && for p in cc1plus collect2 as ld; do ln -sf c++ $p; done")
	e.sh("PATH=" + gcc + "/emulated:$PATH $QEMU $DIR/anyinfer shim build mnn --out $DIR/libanyinfer_mnn.so")
	run := "ANYINFER_MNN_LIBRARY=$DIR/libanyinfer_mnn.so $QEMU $DIR/anyinfer "
	e.sh(run + "doctor --engine mnn")
	e.expect(run+"run testdata/digits.mnn testdata/digits.tflite --engine mnn,tflite --input image=$IMAGE", "^scores +tflite +mnn +"+near)
}
