// SPDX-License-Identifier: Apache-2.0

// Package sandbox confines the process that calls it, for good: a child process that runs native code on a stranger's data.
// It works in two stages. The process calls Confine on a locked thread and executes itself again: limits and landlock hold
// for the program that a thread executes, so then they hold for every thread of it. The new program calls Filter.
//
// What is left to an attacker who runs code of his own in the process: the memory and the descriptors that it has, the files of
// Rules, processor time, threads, and what Filter's list does not refuse. SECURITY.md says it for users.
package sandbox

// Rules say which files remain after Confine. Landlock follows symbolic links when Confine is called: a rule is about what
// the path leads to then, and a path that leads there through other folders works too.
type Rules struct {
	Read    []string // files and folders that may be read; code in them may be mapped. What does not exist is skipped.
	Write   []string // folders in which everything may be made, changed and removed, and files that may be written
	Devices []string // device files, or folders of them: read, write, ioctl
	Exec    []string // files that may be executed: the program itself and its ELF interpreter
	Data    uint64   // RLIMIT_DATA in bytes; 0: none
	Files   int      // the program that is executed gets the descriptors below Files, and 0 to 2; all others are closed

	NoLandlock bool // every file remains: for kernels without landlock
}
