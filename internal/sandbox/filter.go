// SPDX-License-Identifier: Apache-2.0

//go:build linux && !android && (amd64 || arm64 || arm)

package sandbox

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// refused are the system calls that fail with EPERM: those with which a process reaches others, the network, the kernel's
// settings or, since landlock does not ask about them, the attributes of files.
var refused = strings.Fields(`
	socket socketpair connect bind listen accept accept4 setsockopt

	fork vfork execve execveat ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp get_robust_list
	tkill pidfd_open pidfd_getfd pidfd_send_signal setpgid setsid ioprio_set setrlimit

	shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl semget semop semtimedop semtimedop_time64 semctl
	mq_open mq_unlink mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify mq_getsetattr

	io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd memfd_secret seccomp personality modify_ldt
	splice tee vmsplice add_key request_key keyctl lsm_set_self_attr uselib syslog

	mount umount2 pivot_root chroot unshare setns move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick
	mount_setattr statmount listmount name_to_handle_at open_by_handle_at lookup_dcookie sysfs
	fanotify_init fanotify_mark inotify_init inotify_init1 inotify_add_watch

	chown chown32 fchown fchown32 fchownat lchown lchown32
	utime utimes futimesat utimensat utimensat_time64 truncate truncate64
	setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
	getxattr lgetxattr getxattrat listxattr llistxattr listxattrat

	quotactl quotactl_fd swapon swapoff reboot acct vhangup sethostname setdomainname settimeofday clock_settime clock_settime64
	adjtimex clock_adjtime clock_adjtime64 iopl ioperm init_module finit_module delete_module create_module query_module
	get_kernel_syms kexec_load kexec_file_load nfsservctl _sysctl bdflush pciconfig_read pciconfig_write pciconfig_iobase`)

// ignored are the system calls that succeed without effect. Landlock does not ask about them, so they could open the user's
// files to others; but SDKs set the permissions of files that they have made, and give up if they cannot.
var ignored = strings.Fields("chmod fchmod fchmodat fchmodat2")

// missing are the system calls that fail with ENOSYS, as on an older kernel: a C library then makes another call, whose
// arguments the filter can read. It cannot read those in memory.
var missing = strings.Fields("clone3 openat2")

// a check refuses a system call if one half of an argument, after the mask, is one of values; if not is set, if it is none of them.
type check struct {
	half   uint32 // 2n is the lower half of argument n, 2n+1 the upper half. The kernel ignores the upper half of an int.
	mask   uint32
	not    bool
	values []uint32
}

const all = ^uint32(0)

// checks are the system calls of which some uses are refused.
func checks(pid uint32) map[string][]check {
	self := []check{{half: 0, mask: all, not: true, values: []uint32{pid}}}
	thisThread := []check{{half: 0, mask: all, not: true, values: []uint32{0}}}
	const spaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	// Landlock lets a file be opened for ioctl alone (mode 3), and before ABI 3 be emptied by who may read it.
	const mode, ioctlOnly = unix.O_ACCMODE, unix.O_ACCMODE
	open := func(half uint32) []check {
		return []check{{half: half, mask: mode | unix.O_TRUNC, values: []uint32{ioctlOnly, ioctlOnly | unix.O_TRUNC, unix.O_TRUNC}}}
	}
	// The kernel sends these signals, to any process, when there is something to read.
	owner := []check{{half: 2, mask: all, values: []uint32{unix.F_SETOWN, unix.F_SETOWN_EX, unix.F_SETSIG}}}
	return map[string][]check{
		"open": open(2), "openat": open(4), "fcntl": owner, "fcntl64": owner,
		"clone": {{half: 0, mask: unix.CLONE_THREAD | spaces, not: true, values: []uint32{unix.CLONE_THREAD}}},
		// Go's runtime and abort send signals to threads of the process. Those to process groups and to all have other values.
		"kill": self, "tgkill": self, "rt_sigqueueinfo": self, "rt_tgsigqueueinfo": self,
		"sched_setscheduler": thisThread, "sched_setparam": thisThread, "sched_setattr": thisThread, "migrate_pages": thisThread, "move_pages": thisThread,
		"setpriority": {{half: 0, mask: all, not: true, values: []uint32{unix.PRIO_PROCESS}}, {half: 2, mask: all, not: true, values: []uint32{0}}},
		// Limits are read, not set.
		"prlimit64": {thisThread[0], {half: 4, mask: all, not: true, values: []uint32{0}}, {half: 5, mask: all, not: true, values: []uint32{0}}},
		// The end of the parent remains the end of the child.
		"prctl": {{half: 0, mask: all, values: []uint32{unix.PR_SET_PDEATHSIG, unix.PR_SET_SECCOMP}}},
		"ioctl": {
			{half: 2, mask: all, values: []uint32{unix.TIOCSTI, unix.TIOCLINUX}}, // typing into a terminal
			{half: 2, mask: all &^ 0x3ff, values: []uint32{0x8800}},              // 0x89 and 0x8b: sockets, network devices, whom to send signals
			{half: 2, mask: 0xff00, values: []uint32{'f' << 8}},                  // flags of files, fs-verity
		},
	}
}

const (
	allowed = unix.SECCOMP_RET_ALLOW
	errno   = unix.SECCOMP_RET_ERRNO
)

// program returns the filter for a processor. Each system call that the table knows, without those that are missing, has its
// lines; newer ones, and those of the processor's other ABIs (32 bits and x32), fail with ENOSYS.
func program(a *arch.Info, pid uint32) []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	equal := func(value uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jt: uint8(yes), Jf: uint8(no)}
	}
	end := func(result uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: result}
	}
	lines := func(name string, checks []check) (lines []unix.SockFilter) {
		if slices.Contains(refused, name) {
			return []unix.SockFilter{end(errno | uint32(unix.EPERM))}
		}
		if slices.Contains(ignored, name) {
			return []unix.SockFilter{end(errno)}
		}
		for _, c := range checks {
			// Arguments of 64 bits begin at offset 16; the lower half is first on these processors.
			lines = append(lines, load(16+4*c.half), unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.mask})
			for i, value := range c.values {
				if left := len(c.values) - i; c.not {
					lines = append(lines, equal(value, left, 0))
				} else if left > 1 {
					lines = append(lines, equal(value, left-1, 0))
				} else {
					lines = append(lines, equal(value, 0, 1))
				}
			}
			lines = append(lines, end(errno|uint32(unix.EPERM)))
		}
		return append(lines, end(allowed))
	}
	code := []unix.SockFilter{load(4), equal(uint32(a.ID), 1, 0), end(errno | uint32(unix.ENOSYS)), load(0)}
	checks := checks(pid)
	for _, number := range slices.Sorted(maps.Keys(a.SyscallNumbers)) {
		if name := a.SyscallNumbers[number]; !slices.Contains(missing, name) {
			lines := lines(name, checks[name])
			code = append(append(code, equal(uint32(number), 0, len(lines))), lines...)
		}
	}
	return append(code, end(errno|uint32(unix.ENOSYS)))
}

// Filter installs the filter of system calls on all threads of the process, for good. It comes after Confine.
func Filter() error {
	a, err := arch.GetInfo(runtime.GOARCH)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	code := program(a, uint32(os.Getpid()))
	filter := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	runtime.KeepAlive(code)
	switch {
	case errno != 0:
		return fmt.Errorf("sandbox: seccomp: %w", errno)
	case thread != 0:
		return fmt.Errorf("sandbox: seccomp: thread %d has a filter of its own", thread)
	}
	return nil
}
