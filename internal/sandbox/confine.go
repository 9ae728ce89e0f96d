// SPDX-License-Identifier: Apache-2.0

//go:build linux && !android && (amd64 || arm64 || arm)

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Confine confines the calling thread, which must be locked to its goroutine, and the program that it executes next. The other
// threads of this program remain as they are, so it must execute one.
func Confine(r Rules) error {
	if err := closeAtExec(max(r.Files, 3)); err != nil {
		return fmt.Errorf("sandbox: descriptors: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: no_new_privs: %w", err)
	}
	if !r.NoLandlock {
		if err := restrictFiles(r); err != nil {
			return fmt.Errorf("sandbox: landlock: %w", err)
		}
	}
	unix.Umask(0o077) // because Filter ignores changes of permissions
	// With no_new_privs a program that root executes gets no capability back. Without them root cannot raise limits, set the
	// clock, or change files of other users.
	header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("sandbox: capabilities: %w", err)
	}
	// A core file is at least a page, so a limit of one byte allows none; and only this limit, not 0, keeps the kernel from
	// starting the program that the system collects cores with (fs/coredump.c).
	if err := limit(unix.RLIMIT_CORE, 1); err != nil {
		return fmt.Errorf("sandbox: RLIMIT_CORE: %w", err)
	}
	return nil
}

// limit sets a limit of this process, or leaves a lower one.
func limit(resource int, most uint64) error {
	var old unix.Rlimit
	if err := unix.Prlimit(0, resource, nil, &old); err != nil {
		return err
	}
	most = min(most, old.Max)
	return unix.Prlimit(0, resource, &unix.Rlimit{Cur: most, Max: most}, nil)
}

// closeAtExec makes the kernel close the descriptors from first on when a program is executed. Go's own are closed anyway, but
// not those that C code of the parent has left open.
func closeAtExec(first int) error {
	entries, err := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return err
}

// Landlock returns nil, or an error that says what the kernel lacks.
func Landlock() error {
	_, err := landlockABI()
	return err
}

func landlockABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
		return int(abi), nil
	case unix.ENOSYS:
		return 0, errors.New("this kernel has no landlock: it came with Linux 5.13 and needs CONFIG_SECURITY_LANDLOCK")
	case unix.EOPNOTSUPP:
		return 0, errors.New("landlock is not enabled on this kernel: add it to the boot parameter lsm, as in lsm=landlock,yama,apparmor,bpf")
	}
	return 0, fmt.Errorf("landlock is refused, as by a container's own seccomp filter: %w", errno)
}

const (
	rightsRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	rightsWrite = rightsRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REFER |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR
	rightsOwn    = rightsWrite | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO
	rightsDevice = rightsRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	rightsExec   = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
	rightsOfFile = rightsExec | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// restrictFiles takes every right that this kernel's landlock knows from the thread, and gives back those of the rules. What
// landlock lets pass, the filter refuses: sockets that are not TCP, truncation before ABI 3, attributes of files.
func restrictFiles(r Rules) error {
	abi, err := landlockABI()
	if err != nil {
		return err
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1}
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(ruleset))
	for _, rule := range []struct {
		paths  []string
		rights uint64
	}{{r.Read, rightsRead}, {r.Write, rightsWrite}, {r.Own, rightsOwn}, {r.Devices, rightsDevice}, {r.Exec, rightsExec}} {
		for _, path := range rule.paths {
			err := allow(int(ruleset), path, rule.rights&attr.Handled_access_fs)
			if err != nil && !(rule.rights == rightsRead && unreachable(err)) {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func unreachable(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES)
}

func allow(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	var stat unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Fstat(fd, &stat), unix.Fstatfs(fd, &fs)); err != nil {
		unix.Close(fd)
		return err
	}
	// Landlock knows a file by its inode. Of /proc the kernel makes new ones when it has dropped the old ones, so that the rule
	// would be lost: an open descriptor, also of the program that is executed, keeps them.
	if fs.Type != unix.PROC_SUPER_MAGIC {
		defer unix.Close(fd)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= rightsOfFile
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	runtime.KeepAlive(&attr)
	if errno != 0 {
		return errno
	}
	return nil
}
