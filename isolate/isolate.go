// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Options are the settings of an isolated engine. The zero Options and nil are good defaults: one child for each model,
// in a sandbox.
type Options struct {
	// Command is the program that runs as a child, and its arguments: it must call Main and import the engine. If it is
	// empty, the program itself is used if it calls Main, else the anyinfer command in PATH.
	Command []string
	// Children is the number of processes that run each model; its sessions are shared out among them. If one crashes,
	// only its own requests fail. 0: one.
	Children int
	// Restarts is how often, in a minute, another process may take the place of each of a model's children. Further calls
	// that need it return ErrCrashed until the minute is over. 0: ten; negative: never.
	Restarts int
	// LoadTime is the longest time that a child may take to load a model, or to prepare a session or new shapes, which some
	// engines compile for. Then it is killed. 0: one hour. Starting a child and opening the engine may take a minute of it.
	LoadTime time.Duration
	// Grace is how long a Run may go on after it was cancelled, by its context, by Close or by Shutdown. Then its child
	// is killed, with all of the child's requests. An engine that cannot be interrupted needs all of it. 0: one second.
	Grace time.Duration
	// Memory is the largest size in bytes of each child: of its resident memory, and of the memory that it allocates
	// (RLIMIT_DATA). A child that needs more is killed, or its allocation fails, which few SDKs survive. Go and a small
	// SDK need 100 MB, and the stack of each thread counts 8 MB. It is also the largest size of a Run's tensors. 0: no
	// limit, except that a Run's tensors have a quarter of the machine's memory. Only on Linux.
	Memory int64
	// CPUTime is the longest processor time, of all threads, that a child may use while a Load or a Run executes. Then it
	// is killed. 0: no limit. Only on Linux.
	CPUTime time.Duration
	// Sandbox selects what a child is kept from.
	Sandbox Sandbox
	// Read are further files and folders that children may read, and Write folders and files that they may change. They
	// must exist. The model, the engine's libraries, Options.CacheDir and the paths in Native options are known.
	Read, Write []string
	// Env are environment variables, as "KEY=value" or the KEY of one of the program's, that children get besides those
	// for the loader, for this module and for the engines' libraries. A program's other variables may hold secrets.
	Env []string

	folder string // the current one when the engine was opened
}

// Sandbox is what a child process is kept from. SECURITY.md has the details.
type Sandbox int

const (
	// FullSandbox is landlock and seccomp: no network, no other processes, no files but those that the model needs. A
	// kernel without landlock (before Linux 5.13, or where it is off) is an error. On systems other than Linux there is
	// no sandbox.
	FullSandbox Sandbox = iota
	// SystemCalls is seccomp alone: no network and no other processes, but files can be read and changed.
	SystemCalls
	// NoSandbox only keeps a crash from ending the program.
	NoSandbox
)

// complaint begins what Main prints if it cannot serve the program.
const complaint = "anyinfer: isolate:"

// ErrNoSandbox is in the chain of Open's error if the kernel lacks what the Sandbox needs. The kind is
// common.ErrNotAvailable.
var ErrNoSandbox = errors.New("no sandbox")

// hasMain is set if the program calls Main, so that it can be its own child.
var hasMain atomic.Bool

// Main is the first line of the main function, and of TestMain, of a program that runs as its own children. In a child it
// does the child's work and ends the process. In the program itself it does nothing else than to permit that: without
// Main, no second process of the program is started, because its init functions may do what should not happen twice.
func Main() {
	settings := os.Getenv(variable)
	if settings == "" {
		hasMain.Store(true)
		return
	}
	if err := runChild(settings); err != nil {
		fmt.Fprintln(os.Stderr, complaint, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (o *Options) children() int { return max(o.Children, 1) }

func (o *Options) restarts() int { return max(cmp.Or(o.Restarts, 10), 0) }

func (o *Options) loadTime() time.Duration { return cmp.Or(o.LoadTime, time.Hour) }

func (o *Options) startTime() time.Duration { return min(o.loadTime(), time.Minute) }

func (o *Options) grace() time.Duration { return cmp.Or(o.Grace, time.Second) }
