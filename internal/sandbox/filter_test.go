// SPDX-License-Identifier: Apache-2.0

//go:build linux && !android && (amd64 || arm64 || arm)

package sandbox

import (
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var processors = []*arch.Info{arch.X86_64, arch.AARCH64, arch.ARM}

// TestNames checks that a name is not misspelled: the tables have it.
func TestNames(t *testing.T) {
	names := append(slices.Clone(refused), missing...)
	for name := range checks(1) {
		names = append(names, name)
	}
	slices.Sort(names)
	require.Equal(t, slices.Compact(slices.Clone(names)), names, "a name is there twice")
	for _, name := range names {
		require.True(t, slices.ContainsFunc(processors, func(a *arch.Info) bool { _, ok := a.SyscallNames[name]; return ok }), name)
	}
}

// judge runs a filter as the kernel does. It returns 0 if the call is allowed.
func judge(t *testing.T, code []unix.SockFilter, abi, number uint32, args []uint64) unix.Errno {
	data := []uint32{number, abi, 0, 0}
	for _, arg := range append(args, make([]uint64, 6-len(args))...) {
		data = append(data, uint32(arg), uint32(arg>>32))
	}
	var a uint32
	for i := 0; ; i++ {
		switch line := code[i]; line.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = data[line.K/4]
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= line.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			if a == line.K {
				i += int(line.Jt)
			} else {
				i += int(line.Jf)
			}
		case unix.BPF_RET | unix.BPF_K:
			if line.K == unix.SECCOMP_RET_ALLOW {
				return 0
			}
			require.EqualValues(t, unix.SECCOMP_RET_ERRNO, line.K&^uint32(unix.SECCOMP_RET_DATA))
			return unix.Errno(line.K & unix.SECCOMP_RET_DATA)
		default:
			t.Fatalf("line %d: %+v", i, line)
		}
	}
}

// TestProgram judges calls on each processor: the tests of children run on this machine's alone.
func TestProgram(t *testing.T) {
	const pid, other, upper = 1234, 4321, 1 << 32
	const thread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM | unix.CLONE_SETTLS
	for _, a := range processors {
		code := program(a, pid)
		require.Less(t, len(code), 4096)
		for _, c := range []struct {
			want unix.Errno
			name string
			args []uint64
		}{
			{0, "read", nil}, {0, "futex", nil}, {0, "mmap", nil}, {0, "mmap2", nil}, {0, "memfd_create", nil}, {0, "recvmsg", nil}, {0, "cacheflush", nil},
			{0, "set_tls", nil}, {0, "rt_sigreturn", nil}, {unix.ENOSYS, "clone3", nil}, {unix.ENOSYS, "openat2", nil},
			{0, "clone", []uint64{thread}}, {0, "clone", []uint64{thread | upper}}, {unix.EPERM, "clone", []uint64{uint64(unix.SIGCHLD)}},
			{unix.EPERM, "clone", []uint64{thread &^ unix.CLONE_THREAD}}, {unix.EPERM, "clone", []uint64{thread | unix.CLONE_NEWNS}},
			{0, "kill", []uint64{pid}}, {unix.EPERM, "kill", []uint64{other}}, {unix.EPERM, "kill", []uint64{0}}, {unix.EPERM, "kill", []uint64{^uint64(0)}},
			{0, "tgkill", []uint64{pid, other}}, {unix.EPERM, "tgkill", []uint64{other, other}},
			{0, "prlimit64", []uint64{0, 7, 0, 8}}, {unix.EPERM, "prlimit64", []uint64{other, 7, 0, 8}}, {unix.EPERM, "prlimit64", []uint64{0, 7, 8, 0}},
			{unix.EPERM, "prlimit64", []uint64{0, 7, upper, 0}}, {unix.EPERM, "setpriority", []uint64{unix.PRIO_USER, 0}},
			{unix.EPERM, "setpriority", []uint64{unix.PRIO_PROCESS, other}}, {0, "setpriority", []uint64{unix.PRIO_PROCESS, 0}},
			{0, "ioctl", []uint64{0, unix.TCGETS}}, {unix.EPERM, "ioctl", []uint64{0, unix.TIOCSTI | upper}}, {unix.EPERM, "ioctl", []uint64{0, unix.TIOCLINUX}},
			{unix.EPERM, "ioctl", []uint64{0, 0x8901}}, {unix.EPERM, "ioctl", []uint64{0, 0x8b1b}}, {0, "ioctl", []uint64{0, 0xc00464b4}},
			{0, "fcntl", []uint64{0, unix.F_SETFL}}, {0, "fcntl64", []uint64{0, unix.F_ADD_SEALS}}, {unix.EPERM, "fcntl", []uint64{0, unix.F_SETOWN | upper}},
			{unix.EPERM, "fcntl64", []uint64{0, unix.F_SETOWN_EX}}, {unix.EPERM, "fcntl64", []uint64{0, unix.F_SETSIG}},
			{0, "openat", []uint64{0, 0, unix.O_RDONLY}}, {0, "openat", []uint64{0, 0, unix.O_RDWR | unix.O_TRUNC | unix.O_CREAT}},
			{unix.EPERM, "openat", []uint64{0, 0, unix.O_RDONLY | unix.O_TRUNC}}, {unix.EPERM, "openat", []uint64{0, 0, 3}},
			{unix.EPERM, "open", []uint64{0, 3 | unix.O_TRUNC}}, {0, "open", []uint64{0, unix.O_WRONLY | unix.O_TRUNC}},
			{0, "prctl", []uint64{unix.PR_SET_NAME}}, {unix.EPERM, "prctl", []uint64{unix.PR_SET_PDEATHSIG | upper}},
		} {
			if number, ok := a.SyscallNames[c.name]; ok {
				require.Equal(t, c.want, judge(t, code, uint32(a.ID), uint32(number), c.args), "%s: %s %x", a.Name, c.name, c.args)
			}
		}
		for _, name := range refused {
			if number, ok := a.SyscallNames[name]; ok {
				require.Equal(t, unix.EPERM, judge(t, code, uint32(a.ID), uint32(number), nil), "%s: %s", a.Name, name)
			}
		}
		for _, name := range []string{"read", "getpid"} { // by the other ABIs, and what no table knows
			number := uint32(a.SyscallNames[name])
			require.Equal(t, unix.ENOSYS, judge(t, code, uint32(arch.I386.ID), number, nil), a.Name)
			require.Equal(t, unix.ENOSYS, judge(t, code, uint32(a.ID), number|uint32(arch.X32.SeccompMask), nil), a.Name)
			require.Equal(t, unix.ENOSYS, judge(t, code, uint32(a.ID), number+4000, nil), a.Name)
		}
	}
}
