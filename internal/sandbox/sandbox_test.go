// SPDX-License-Identifier: Apache-2.0

//go:build linux && !android && (amd64 || arm64 || arm)

package sandbox

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// order is what a child is to do.
type order struct {
	Stage  int // 1: Confine and execute itself; 2: Filter, then do; 3: do, without a sandbox
	Do     string
	Rules  Rules
	Attack string // the library of testdata/attack.c
	// Folders: one that no rule names, one for reading, one for writing.
	Outside, Readable, Writable string
	Parent                      int
}

const orderVariable = "ANYINFER_TEST_SANDBOX"

func TestMain(m *testing.M) {
	text := os.Getenv(orderVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.obey()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (o order) obey() error {
	switch o.Stage {
	case 1:
		runtime.LockOSThread()
		if err := Confine(o.Rules); err != nil {
			return err
		}
		o.Stage = 2
		text, err := json.Marshal(o)
		if err != nil {
			return err
		}
		os.Setenv(orderVariable, string(text))
		return syscall.Exec(o.Rules.Exec[0], os.Args, os.Environ())
	case 2:
		if err := Filter(); err != nil {
			return err
		}
	}
	return map[string]func(order) error{
		"attack": attack, "work": work, "threads": threads, "proc": proc, "socket": socket, "link": link,
	}[o.Do](o)
}

// newOrder returns the rules that a program needs to start and to open libraries, with folders of the test.
func newOrder(t *testing.T, do string) order {
	if err := Landlock(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	program, err := os.Executable()
	require.NoError(t, err)
	file, err := elf.Open(program)
	require.NoError(t, err)
	defer file.Close()
	dir := t.TempDir()
	o := order{Stage: 1, Do: do, Parent: os.Getpid(), Outside: filepath.Join(dir, "outside"),
		Readable: filepath.Join(dir, "readable"), Writable: filepath.Join(dir, "writable")}
	for _, folder := range []string{o.Outside, o.Readable, o.Writable} {
		require.NoError(t, os.Mkdir(folder, 0o700))
	}
	require.NoError(t, os.WriteFile(o.Outside+"/secret", []byte("secret"), 0o600))
	require.NoError(t, os.WriteFile(o.Readable+"/readable", []byte("readable"), 0o600))
	o.Rules = Rules{Exec: []string{program}, Own: []string{o.Writable}, Devices: []string{"/dev/null"}, Files: 4,
		Read: []string{o.Readable, "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/proc/meminfo", "/does/not/exist"}}
	for _, name := range []string{"maps", "status", "cgroup", "exe", "fd"} { // not the network's state
		o.Rules.Read = append(o.Rules.Read, "/proc/self/"+name)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			interpreter, err := io.ReadAll(p.Open())
			require.NoError(t, err)
			o.Rules.Exec = append(o.Rules.Exec, strings.TrimRight(string(interpreter), "\x00"))
		}
	}
	return o
}

// run starts a child, with a socket as descriptor 3 and a file of the folder outside as 9, and returns what it prints.
func (o order) run(t *testing.T) (string, error) {
	text, err := json.Marshal(o)
	require.NoError(t, err)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	secret, err := os.Open(o.Outside + "/secret")
	require.NoError(t, err)
	defer secret.Close()
	_, err = ours.WriteString("hello")
	require.NoError(t, err)
	require.NoError(t, unix.Sendmsg(pair[0], []byte("file"), unix.UnixRights(int(secret.Fd())), nil, 0))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), orderVariable+"="+string(text))
	cmd.ExtraFiles = []*os.File{theirs, nil, nil, nil, nil, nil, secret}
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func (o order) mustRun(t *testing.T) string {
	output, err := o.run(t)
	require.NoError(t, err, output)
	return output
}

// compile compiles the attacker's library.
func (o *order) compile(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	o.Attack = o.Readable + "/libattack.so"
	output, err := exec.Command(cc, "-O1", "-Wall", "-shared", "-fPIC", "-pthread", "-o", o.Attack, "testdata/attack.c").CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func (o order) open() (*dylib.Library, error) {
	lib, err := dylib.Open(dylib.Spec{Engine: "attack"}, []dylib.Decl{
		{C: "void prepare(const char *outside, const char *read, const char *write, int pid)"},
		{C: "int attack(int i, char *name, int size)"},
		{C: "int work(void)"},
	}, o.Attack)
	if err == nil {
		lib.Call(0, dylib.String(o.Outside), dylib.String(o.Readable), dylib.String(o.Writable), dylib.Int(o.Parent))
	}
	return lib, err
}

func attack(o order) error {
	lib, err := o.open()
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		name := make([]byte, 64)
		got := int32(lib.Call(1, dylib.Int(i), dylib.Slice(name), dylib.Int(len(name))))
		if got < 0 {
			fmt.Println("end 0")
			return nil
		}
		fmt.Println(unix.ByteSliceToString(name), got)
	}
}

// results reads what attack prints, to the end: no attempt has ended the process.
func results(t *testing.T, output string) map[string]syscall.Errno {
	got := map[string]syscall.Errno{}
	for line := range strings.Lines(output) {
		var name string
		var number int
		_, err := fmt.Sscan(line, &name, &number)
		require.NoError(t, err, output)
		got[name] = syscall.Errno(number)
	}
	require.Contains(t, got, "end", output)
	delete(got, "end")
	return got
}

func isRefusal(name string, err syscall.Errno) bool {
	return err == unix.EPERM || err == unix.EACCES || err == unix.ENOSYS ||
		err == unix.EXDEV && (name == "open_hard_link" || name == "open_moved") || // from landlock
		err == unix.EBADF && name == "open_path_descriptor"
}

// TestAttack has native code try to get out. Most attempts must succeed without a sandbox, or they would show nothing; the
// others depend on the machine.
func TestAttack(t *testing.T) {
	o := newOrder(t, "attack")
	o.compile(t)
	for name, err := range results(t, o.mustRun(t)) {
		assert.True(t, isRefusal(name, err), "%s: %v", name, err)
	}
	secret, err := os.ReadFile(o.Outside + "/secret")
	require.NoError(t, err)
	require.Equal(t, "secret", string(secret))

	o.Stage = 3
	refusedAnyway := []string{"abi_of_32_bits", "abi_x32", "kernel_newest", "proc_init", "proc_mem", "proc_oom", "write_passwd", "write_device",
		"open_home", "open_handle", "terminal_type", "terminal_type_upper", "process_trace", "process_read", "write_owner",
		"limit_core", "signal_all", "signal_pidfd", "start_clone3"}
	mayBe := func(name string) bool {
		return slices.Contains(refusedAnyway, name) || strings.HasPrefix(name, "kernel_") || strings.HasPrefix(name, "space_")
	}
	for name, err := range results(t, o.mustRun(t)) {
		if isRefusal(name, err) {
			assert.True(t, mayBe(name), "without a sandbox, %s: %v", name, err)
			t.Logf("without a sandbox, %s: %v", name, err)
		}
	}
}

// TestAttackWithoutLandlock has the filter alone: files remain.
func TestAttackWithoutLandlock(t *testing.T) {
	o := newOrder(t, "attack")
	o.compile(t)
	o.Rules.NoLandlock = true
	for name, err := range results(t, o.mustRun(t)) {
		if group, _, _ := strings.Cut(name, "_"); slices.Contains([]string{"open", "proc", "write"}, group) {
			continue
		}
		assert.True(t, isRefusal(name, err), "%s: %v", name, err)
	}
}

// TestWork has native code do what engines do.
func TestWork(t *testing.T) {
	o := newOrder(t, "work")
	o.compile(t)
	o.mustRun(t)
}

func work(o order) error {
	lib, err := o.open()
	if err != nil {
		return err
	}
	if line := int32(lib.Call(2)); line != 0 {
		return fmt.Errorf("testdata/attack.c:%d failed", line)
	}
	return nil
}

// TestThreads has every thread read, write, and open a library of the system; none gets out.
func TestThreads(t *testing.T) { newOrder(t, "threads").mustRun(t) }

func threads(o order) error {
	const n = 16
	var started, done sync.WaitGroup
	started.Add(n)
	errs := make([]error, n)
	for i := range n {
		done.Go(func() {
			runtime.LockOSThread() // each has a thread of its own, until all have begun
			started.Done()
			started.Wait()
			errs[i] = thread(o, i)
		})
	}
	done.Wait()
	return errors.Join(errs...)
}

func thread(o order, i int) error {
	if _, err := os.ReadFile(o.Readable + "/readable"); err != nil {
		return err
	}
	if err := os.WriteFile(fmt.Sprintf("%s/%d", o.Writable, i), []byte("text"), 0o600); err != nil {
		return err
	}
	lib, err := dylib.Open(dylib.Spec{Engine: "m", Stem: "m", Sonames: []string{"libm.so.6"}}, []dylib.Decl{{C: "int fegetround(void)"}}, "")
	if err != nil {
		return err
	}
	if got := int32(lib.Call(0)); got != 0 {
		return fmt.Errorf("fegetround returned %d", got)
	}
	if _, err := os.ReadFile(o.Outside + "/secret"); !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("a file outside: %v", err)
	}
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); err != unix.EPERM {
		return fmt.Errorf("a socket: %d, %v", fd, err)
	}
	return nil
}

// TestProc reads /proc of the process, whose rule Confine made before the second execution, and of others.
func TestProc(t *testing.T) {
	o := newOrder(t, "proc")
	o.Rules.Read = append(o.Rules.Read, "/proc/self")
	o.mustRun(t)
}

func proc(o order) error {
	for _, name := range []string{"self/maps", "self/exe", "self/cgroup", "thread-self/status", fmt.Sprintf("%d/environ", os.Getpid()), "meminfo"} {
		if _, err := os.ReadFile("/proc/" + name); err != nil {
			return err
		}
	}
	for _, name := range []string{"environ", "root/etc/passwd", "status", "maps", "cwd"} {
		if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", o.Parent, name)); !errors.Is(err, unix.EACCES) {
			return fmt.Errorf("the parent's %s: %v", name, err)
		}
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return err
	}
	// Without an open descriptor the rule would be lost some day.
	if !slices.ContainsFunc(fds, func(fd string) bool { link, _ := os.Readlink(fd); return link == fmt.Sprint("/proc/", os.Getpid()) }) {
		return fmt.Errorf("no descriptor of /proc/self among %q", fds)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) < 2 {
		return fmt.Errorf("threads: %q, %v", tasks, err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			return err
		}
		for _, want := range []string{"NoNewPrivs:\t1\n", "Seccomp:\t2\n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n"} {
			if !strings.Contains(string(text), want) {
				return fmt.Errorf("%s lacks %q:\n%s", task, want, text)
			}
		}
	}
	return nil
}

// TestSocket uses the socket that the child was started with, also to receive a descriptor.
func TestSocket(t *testing.T) { newOrder(t, "socket").mustRun(t) }

func socket(order) error {
	buffer, control := make([]byte, 5), make([]byte, unix.CmsgSpace(4))
	if n, err := unix.Read(3, buffer); err != nil || string(buffer[:n]) != "hello" {
		return fmt.Errorf("%q, %v", buffer[:n], err)
	}
	n, oobn, _, _, err := unix.Recvmsg(3, buffer, control, 0)
	if err != nil || string(buffer[:n]) != "file" {
		return fmt.Errorf("%q, %v", buffer[:n], err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:oobn])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("%v, %v", messages, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	// Landlock is about opening: what the parent sends can be read.
	if text, err := io.ReadAll(os.NewFile(uintptr(fds[0]), "secret")); err != nil || string(text) != "secret" {
		return fmt.Errorf("%q, %v", text, err)
	}
	return unix.Sendmsg(3, []byte("bye"), nil, nil, 0)
}

// TestLink has a child make a link where it may write, with which it could lead another program elsewhere.
func TestLink(t *testing.T) {
	o := newOrder(t, "link")
	require.Contains(t, o.mustRun(t), "<nil>")
	o.Rules.Write, o.Rules.Own = o.Rules.Own, nil
	require.Contains(t, o.mustRun(t), unix.EACCES.Error())
}

func link(o order) error {
	path := filepath.Join(o.Writable, "link")
	fmt.Println(os.Symlink("/", path))
	os.Remove(path)
	return nil
}

// TestMissingRule names a folder to write to that does not exist.
func TestMissingRule(t *testing.T) {
	o := newOrder(t, "work")
	o.Rules.Write = append(o.Rules.Write, "/does/not/exist")
	output, err := o.run(t)
	require.Error(t, err)
	require.Contains(t, output, "sandbox: landlock: /does/not/exist: no such file or directory")
}
