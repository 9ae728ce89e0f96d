// SPDX-License-Identifier: Apache-2.0

// Native code in a confined process that tries to get out. Each attempt returns 0 or an error number; the test decides which
// numbers are a refusal. Some attempts have arguments that cannot work: what counts is whether the kernel looked at them.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define UPPER ((long)((uint64_t)1 << 32)) // the kernel ignores the upper half of an int; with 32 bits there is none

static char secret[512], fresh[512], readable[512], folder[512], own[512], other[512];
static pid_t parent;

// prepare says where things are: a folder outside, one for reading, one for writing.
void prepare(const char *outside, const char *read, const char *write, int pid) {
	snprintf(secret, sizeof secret, "%s/secret", outside);
	snprintf(fresh, sizeof fresh, "%s/fresh", outside);
	snprintf(folder, sizeof folder, "%s", read);
	snprintf(readable, sizeof readable, "%s/readable", read);
	snprintf(own, sizeof own, "%s/own", write);
	snprintf(other, sizeof other, "%s/other", write);
	parent = pid;
}

static int result(long r) { return r == -1 ? errno : 0; }

static int opened(int fd) {
	int err = result(fd);
	if (fd >= 0) close(fd);
	return err;
}

static int child(pid_t pid) {
	int err = result(pid);
	if (pid == 0) _exit(0);
	if (pid > 0) waitpid(pid, NULL, 0);
	return err;
}

static int open_in_proc(pid_t pid, const char *name, int flags) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return opened(open(path, flags));
}

static int open_link(void) {
	unlink(own);
	if (symlink(secret, own) != 0) return 0;
	return opened(open(own, O_RDONLY));
}

static int hard_link(void) {
	unlink(other);
	return result(linkat(AT_FDCWD, secret, AT_FDCWD, other, 0));
}

static int link_of_path_descriptor(void) {
	int fd = open(secret, O_PATH);
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	unlink(other);
	int err = result(linkat(AT_FDCWD, path, AT_FDCWD, other, AT_SYMLINK_FOLLOW));
	if (err != 0) err = opened(open(path, O_RDONLY));
	close(fd);
	return err;
}

static int move_out(void) {
	int err = result(rename(secret, own));
	if (err == 0) rename(own, secret);
	return err;
}

static int by_handle(void) {
	struct {
		struct file_handle head;
		char more[MAX_HANDLE_SZ];
	} handle = {.head.handle_bytes = MAX_HANDLE_SZ};
	int mount = -1, err = result(name_to_handle_at(AT_FDCWD, secret, &handle.head, &mount, 0));
	int fd = open("/", O_RDONLY | O_DIRECTORY), got = open_by_handle_at(fd, &handle.head, O_RDONLY);
	if (err == 0 || got >= 0) err = result(got);
	close(fd), close(got);
	return err;
}

static int spawn(void) {
	char *argv[] = {"true", NULL};
	pid_t pid = -1;
	int err = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL);
	if (err == 0) waitpid(pid, NULL, 0);
	return err;
}

static int with_clone3(void) {
	struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } args = {.exit_signal = SIGCHLD};
	return child(syscall(SYS_clone3, &args, sizeof args));
}

static int with_openat2(void) {
	struct { uint64_t flags, mode, resolve; } how = {0};
	return opened(syscall(SYS_openat2, AT_FDCWD, secret, &how, sizeof how));
}

static int trace(void) {
	int err = result(ptrace(PTRACE_SEIZE, parent, NULL, NULL));
	if (err == 0) {
		ptrace(PTRACE_INTERRUPT, parent, NULL, NULL);
		waitpid(parent, NULL, __WALL);
		ptrace(PTRACE_DETACH, parent, NULL, NULL);
	}
	return err;
}

static int read_parent(void) {
	char here[8];
	struct iovec local = {here, sizeof here}, remote = {(void *)8, sizeof here};
	return result(process_vm_readv(parent, &local, 1, &remote, 1, 0));
}

static int own_signal(int cmd, long arg) {
	int fds[2];
	if (pipe(fds) != 0) return 0;
#ifdef SYS_fcntl64
	int err = result(syscall(SYS_fcntl64, fds[0], cmd, arg));
#else
	int err = result(syscall(SYS_fcntl, fds[0], cmd + UPPER, arg));
	if (err == EINVAL || err == 0) err = result(syscall(SYS_fcntl, fds[0], cmd, arg));
#endif
	close(fds[0]), close(fds[1]);
	return err;
}

static int uring(void) {
	char params[256] = {0};
	return opened(syscall(SYS_io_uring_setup, 1, params));
}

static int message_queue(void) {
	int err = opened(syscall(SYS_mq_open, "anyinfer-attack", O_CREAT | O_RDWR, 0600, NULL));
	if (err == 0) syscall(SYS_mq_unlink, "anyinfer-attack");
	return err;
}

static int set_limit(void) {
	struct rlimit none = {0, 0};
	return result(setrlimit(RLIMIT_CORE, &none));
}

static int core_files(void) { // 0: the limit lets a core file be written, or the system's program be started
	struct rlimit now;
	getrlimit(RLIMIT_CORE, &now);
	return now.rlim_max <= 1 ? EPERM : 0;
}

static int limit_of_parent(void) {
	struct rlimit now;
	return result(prlimit(parent, RLIMIT_NOFILE, NULL, &now));
}

static int remove_ipc(int id, int (*ctl)(int)) {
	int err = result(id);
	if (err == 0) ctl(id);
	return err;
}
static int remove_shm(int id) { return shmctl(id, IPC_RMID, NULL); }
static int remove_msg(int id) { return msgctl(id, IPC_RMID, NULL); }
static int remove_sem(int id) { return semctl(id, 0, IPC_RMID); }

static int set_time(const char *path) {
	struct timespec t[2] = {{1, 0}, {1, 0}};
	return result(utimensat(AT_FDCWD, path, t, 0));
}

// The calls that change modes succeed without effect, which counts as refused.
static int mode_of(const char *path) {
	struct stat before, after;
	if (stat(path, &before) || chmod(path, before.st_mode ^ 0044) || stat(path, &after))
		return errno;
	return after.st_mode == before.st_mode ? EPERM : 0;
}

// An open descriptor of a folder, of any kind, does not lead out of it.
static int from_descriptor(void) {
	int dir = open(folder, O_PATH), err = opened(openat(dir, "../outside/secret", O_RDONLY));
	if (err != 0 && fchdir(dir) == 0) err = opened(open("../outside/secret", O_RDONLY));
	close(dir);
	return err;
}

static int mode_of_readable(void) {
	struct stat before, after;
	int fd = open(readable, O_RDONLY), err;
	if (fstat(fd, &before) || fchmod(fd, before.st_mode ^ 0044) || fstat(fd, &after))
		err = errno;
	else
		err = after.st_mode == before.st_mode ? EPERM : 0;
	close(fd);
	return err;
}

static int flags_of_readable(void) {
	int fd = open(readable, O_RDONLY), flags = 0, err = result(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	close(fd);
	return err;
}

#ifdef __x86_64__
static sigjmp_buf back;
static void fault(int sig) { siglongjmp(back, sig); }

// The system calls of 32 bits have other numbers: 359 is socket, where in 64 bits there is none.
static int abi_of_32_bits(void) {
	struct sigaction act = {.sa_handler = fault, .sa_flags = SA_ONSTACK}, old;
	sigaction(SIGSEGV, &act, &old);
	volatile long r = -ENOSYS; // a kernel without this ABI
	if (sigsetjmp(back, 1) == 0) __asm__ volatile("int $0x80" : "=a"(r) : "a"(359L), "b"(1L), "c"(1L), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
	sigaction(SIGSEGV, &old, NULL);
	if (r >= 0) close((int)r);
	return r < 0 ? (int)-r : 0;
}

static int abi_x32(void) { return opened((int)syscall(0x40000000 | SYS_socket, AF_UNIX, SOCK_STREAM, 0)); }
#endif

static struct sockaddr_storage nowhere = {.ss_family = AF_INET};

#define TRY(name, expression) static int name(void) { return expression; }
#define ATTEMPTS \
	A(open_secret, opened(open(secret, O_RDONLY))) \
	A(open_passwd, opened(open("/etc/passwd", O_RDONLY))) \
	A(open_home, opened(open("/root", O_RDONLY | O_DIRECTORY))) \
	A(open_root, opened(open("/", O_RDONLY | O_DIRECTORY))) \
	A(open_openat2, with_openat2()) \
	A(open_through_root, opened(open("/proc/self/root/etc/passwd", O_RDONLY))) \
	A(open_link_to, open_link()) \
	A(open_hard_link, hard_link()) \
	A(open_path_descriptor, link_of_path_descriptor()) \
	A(open_from_descriptor, from_descriptor()) \
	A(open_moved, move_out()) \
	A(open_handle, by_handle()) \
	A(open_for_ioctl, opened(open(secret, O_ACCMODE))) \
	A(open_inherited, fcntl(9, F_GETFD) < 0 ? EPERM : 0) \
	A(proc_list, opened(open("/proc", O_RDONLY | O_DIRECTORY))) \
	A(proc_environ, open_in_proc(parent, "environ", O_RDONLY)) \
	A(proc_status, open_in_proc(parent, "status", O_RDONLY)) \
	A(proc_mem, open_in_proc(parent, "mem", O_RDWR)) \
	A(proc_cwd, open_in_proc(parent, "cwd", O_RDONLY | O_DIRECTORY)) \
	A(proc_root, open_in_proc(parent, "root/etc/passwd", O_RDONLY)) \
	A(proc_fd, open_in_proc(parent, "fd", O_RDONLY | O_DIRECTORY)) \
	A(proc_oom, open_in_proc(getpid(), "oom_score_adj", O_WRONLY)) \
	A(proc_net, open_in_proc(getpid(), "net/dev", O_RDONLY)) \
	A(proc_init, open_in_proc(1, "cmdline", O_RDONLY)) \
	A(write_new, opened(open(fresh, O_CREAT | O_WRONLY, 0600))) \
	A(write_passwd, opened(open("/etc/passwd", O_WRONLY))) \
	A(write_readable, opened(open(readable, O_WRONLY))) \
	A(write_empty, opened(open(readable, O_RDONLY | O_TRUNC))) \
	A(write_truncate, result(truncate(readable, 1))) \
	A(write_unnamed, opened(open(folder, O_TMPFILE | O_WRONLY, 0600))) \
	A(open_shared_memory, opened(open("/dev/shm", O_RDONLY | O_DIRECTORY))) \
	A(write_folder, result(mkdir(fresh, 0700))) \
	A(write_remove, result(unlink(readable))) \
	A(write_device, result(mknod(other, S_IFCHR | 0600, 0x103))) \
	A(write_socket, result(mknod(other, S_IFSOCK | 0600, 0))) \
	A(write_mode, mode_of(secret)) \
	A(write_mode_of_descriptor, mode_of_readable()) \
	A(write_flags, flags_of_readable()) \
	A(write_owner, result(chown(secret, getuid(), -1))) \
	A(write_time, set_time(secret)) \
	A(write_attribute, result(setxattr(secret, "user.attack", "1", 1, 0))) \
	A(watch, opened(inotify_init())) \
	A(net_tcp, opened(socket(AF_INET, SOCK_STREAM, 0))) \
	A(net_tcp6, opened(socket(AF_INET6, SOCK_STREAM, 0))) \
	A(net_udp, opened(socket(AF_INET, SOCK_DGRAM, 0))) \
	A(net_unix, opened(socket(AF_UNIX, SOCK_STREAM, 0))) \
	A(net_netlink, opened(socket(AF_NETLINK, SOCK_RAW, 0))) \
	A(net_pair, result(socketpair(AF_UNIX, SOCK_DGRAM, 0, (int[2]){0}))) \
	A(net_connect, result(connect(3, (struct sockaddr *)&nowhere, sizeof nowhere))) \
	A(net_bind, result(bind(3, (struct sockaddr *)&nowhere, sizeof nowhere))) \
	A(net_listen, result(listen(3, 1))) \
	A(net_accept, result(accept(3, NULL, NULL))) \
	A(net_option, result(setsockopt(3, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)))) \
	A(net_interfaces, result(ioctl(3, 0x8912, NULL))) \
	A(start_fork, child(fork())) \
	A(start_vfork, child(vfork())) \
	A(start_clone, child(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) \
	A(start_clone3, with_clone3()) \
	A(start_spawn, spawn()) \
	A(start_exec, result(execl("/nowhere", "nowhere", NULL))) \
	A(start_execveat, result(syscall(SYS_execveat, AT_FDCWD, "/nowhere", NULL, NULL, 0))) \
	A(space_thread, result(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER, 0, 0, 0, 0))) \
	A(space_unshare, result(unshare(CLONE_NEWUSER))) \
	A(space_setns, result(setns(-1, 0))) \
	A(space_mount, result(mount("none", "/nowhere", "tmpfs", 0, NULL))) \
	A(space_chroot, result(chroot("/nowhere"))) \
	A(signal_parent, result(kill(parent, 0))) \
	A(signal_group, result(kill(0, 0))) \
	A(signal_all, result(kill(-1, 0))) \
	A(signal_tkill, result(syscall(SYS_tkill, parent, 0))) \
	A(signal_tgkill, result(syscall(SYS_tgkill, parent, parent, 0))) \
	A(signal_queue, result(sigqueue(parent, 0, (union sigval){0}))) \
	A(signal_pidfd, opened(syscall(SYS_pidfd_open, parent, 0))) \
	A(signal_owner, own_signal(F_SETOWN, parent)) \
	A(signal_number, own_signal(F_SETSIG, SIGKILL)) \
	A(signal_of_death, result(prctl(PR_SET_PDEATHSIG, 0))) \
	A(terminal_type, result(ioctl(0, TIOCSTI, "x"))) \
	A(terminal_type_upper, result(syscall(SYS_ioctl, 0, TIOCSTI + UPPER, "x"))) \
	A(process_trace, trace()) \
	A(process_trace_self, result(ptrace(-1, getpid(), NULL, NULL))) \
	A(process_read, read_parent()) \
	A(process_schedule, result(sched_setscheduler(parent, SCHED_OTHER, &(struct sched_param){0}))) \
	A(process_priority, result(setpriority(PRIO_USER, 0, getpriority(PRIO_USER, 0)))) \
	A(process_limit, limit_of_parent()) \
	A(process_session, setsid() == -1 ? errno : 0) \
	A(limit_core, core_files()) \
	A(limit_set, set_limit()) \
	A(kernel_uring, uring()) \
	A(kernel_bpf, result(syscall(SYS_bpf, -1, NULL, 0))) \
	A(kernel_perf, result(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))) \
	A(kernel_userfault, result(syscall(SYS_userfaultfd, -1))) \
	A(kernel_key, result(syscall(SYS_keyctl, 0, -3, 1))) \
	A(kernel_personality, result(personality(0xffffffff))) \
	A(kernel_filter, result(syscall(SYS_seccomp, -1, 0, NULL))) \
	A(kernel_filter_prctl, result(prctl(PR_SET_SECCOMP, -1, NULL))) \
	A(kernel_newest, result(syscall(4000))) \
	A(ipc_memory, remove_ipc(shmget(IPC_PRIVATE, 1, 0600), remove_shm)) \
	A(ipc_queue, remove_ipc(msgget(IPC_PRIVATE, 0600), remove_msg)) \
	A(ipc_semaphore, remove_ipc(semget(IPC_PRIVATE, 1, 0600), remove_sem)) \
	A(ipc_posix, message_queue())

#define A(name, expression) TRY(name, expression)
ATTEMPTS
#undef A
#define A(name, expression) {#name, name},
static const struct { const char *name; int (*try)(void); } attempts[] = {
	ATTEMPTS
#ifdef __x86_64__
	{"abi_of_32_bits", abi_of_32_bits}, {"abi_x32", abi_x32},
#endif
};

// attack makes attempt i, writes its name, and returns its error number, or -1 if there is none so high.
int attack(int i, char *name, int size) {
	if (i >= (int)(sizeof attempts / sizeof attempts[0])) return -1;
	snprintf(name, size, "%s", attempts[i].name);
	return attempts[i].try();
}

static void *in_thread(void *arg) {
	*(pid_t *)arg = syscall(SYS_gettid);
	return arg;
}

// work does what engines do, and returns the line of what failed, or 0.
int work(void) {
#define MUST(condition) do { if (!(condition)) return __LINE__; } while (0)
	pthread_t thread;
	pid_t tid = 0;
	MUST(pthread_create(&thread, NULL, in_thread, &tid) == 0 && pthread_join(thread, NULL) == 0 && tid > 0);
	int fd = memfd_create("work", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	MUST(fd >= 0 && ftruncate(fd, 4096) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(shared != MAP_FAILED && close(fd) == 0);
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(code != MAP_FAILED && mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
	cpu_set_t cores;
	MUST(sched_getaffinity(0, sizeof cores, &cores) == 0 && pthread_setaffinity_np(pthread_self(), sizeof cores, &cores) == 0);
	MUST(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0)) == 0);
	struct rlimit now;
	MUST(getrlimit(RLIMIT_STACK, &now) == 0);
	MUST(prctl(PR_SET_NAME, "work") == 0);
	MUST(kill(getpid(), 0) == 0 && syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) == 0);
	unlink(own), unlink(other);
	FILE *f = fopen(own, "w");
	MUST(f != NULL && fputs("work", f) >= 0 && fclose(f) == 0);
	MUST((f = fopen(own, "a")) != NULL && ftruncate(fileno(f), 1) == 0 && fclose(f) == 0);
	MUST(rename(own, other) == 0 && symlink("other", own) == 0 && opened(open(own, O_RDWR | O_TRUNC)) == 0);
	MUST(unlink(own) == 0 && unlink(other) == 0 && mkdir(own, 0700) == 0 && rmdir(own) == 0);
	MUST(link(readable, other) != 0); // it would be writable there
	MUST(opened(open(readable, O_RDONLY)) == 0 && opened(open("/dev/null", O_RDWR)) == 0);
	return 0;
}
