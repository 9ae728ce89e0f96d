// SPDX-License-Identifier: Apache-2.0

// Package sandbox confines the process that calls it, for good: a child process that runs native code on a stranger's data.
// It works in two stages. The process calls Confine on a locked thread and executes itself again: limits and landlock hold
// for the program that a thread executes, so then they hold for every thread of it. The new program calls Filter.
//
// What is left to an attacker who runs code of his own in the process, besides the files of Rules and the descriptors that it has:
//   - memory that can be executed, since engines compile code, and libraries are opened after Filter
//   - whether any path exists, its status, and the target of a symbolic link, which landlock does not know; locks on readable files
//   - resources: threads, memory files (which RLIMIT_DATA does not count), the disk under Write
//   - sched_setaffinity for other processes of the user: threads have numbers too, and the filter cannot tell whose they are
//   - with NoLandlock all files, and so the memory of the user's other processes in /proc
package sandbox

// Rules say which files remain after Confine. Landlock follows symbolic links when Confine is called: a rule is about what
// the path leads to then, and a path that leads there through other folders works too. /proc/self includes the state of the
// network, /proc/self/net and /proc/self/task/N/net: name its files one by one.
type Rules struct {
	Read  []string // files and folders that may be read; code in them may be mapped. What does not exist is skipped.
	Write []string // folders in which files and folders may be made, changed and removed, and files that may be written. A link
	// made there could lead another program elsewhere, so none can be made.
	Own     []string // folders in which links and pipes may be made, too
	Devices []string // device files, or folders of them: read, write, ioctl
	Exec    []string // files that may be executed: the program itself and its ELF interpreter
	// The program that is executed gets the descriptors below Files, and 0 to 2. All others are closed, but for those that
	// Confine opens to keep rules of files in /proc; they name these files, and can do nothing else (O_PATH).
	Files int

	NoLandlock bool // every file remains: for kernels without landlock
}
