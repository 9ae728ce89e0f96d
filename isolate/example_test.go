// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/isolate"
)

// The engine of this example ends its process when its first input is "crash". The program and its model go on.
func ExampleOptions() {
	ctx := context.Background()
	engine, err := isolate.Open("fake", nil, &isolate.Options{
		Children: 2,           // a crash fails the Runs in one of them
		Memory:   2 << 30,     // of each
		CPUTime:  time.Minute, // of a Load or a Run
	})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	model, err := engine.Load(ctx, common.Bytes([]byte("model")).As("fake"), nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, action := range []string{"work", "crash", "work"} {
		text, err := common.FromSlice([]string{action}, common.Shape{}...)
		if err != nil {
			log.Fatal(err)
		}
		numbers, err := common.FromSlice([]float32{1, 2})
		if err != nil {
			log.Fatal(err)
		}
		out, err := model.Run(ctx, common.Tensors{"action": text, "x": numbers})
		if errors.Is(err, common.ErrCrashed) {
			fmt.Println("it has crashed")
			continue
		} else if err != nil {
			log.Fatal(err)
		}
		y, err := common.Get[float32](out, "y")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(y)
	}
	// Output:
	// [2 4]
	// it has crashed
	// [2 4]
}

// A server that prefers a weaker sandbox to none where the kernel or the container forbids landlock.
func ExampleSandbox() {
	var o isolate.Options // with FullSandbox
	engine, err := isolate.Open("fake", nil, &o)
	if errors.Is(err, isolate.ErrNoSandbox) {
		o.Sandbox = isolate.SystemCalls
		engine, err = isolate.Open("fake", nil, &o)
	}
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	fmt.Println(engine.Info().Name)
	// Output: fake
}

// A model that crashes its engine while it is loaded. It is not loaded in this process.
func ExampleProbeOptions() {
	dir, err := os.MkdirTemp("", "verdicts")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	src := common.Bytes([]byte("load")).As("probed")
	err = isolate.Probe(context.Background(), "probed", src, &isolate.ProbeOptions{
		Load:     &common.Options{Threads: 1}, // as it is loaded later
		CacheDir: dir,                         // the next Probe of this model finds the verdict there
	})
	fmt.Println(errors.Is(err, common.ErrModel), errors.Is(err, common.ErrCrashed))
	fmt.Println(err)
	// Output:
	// true true
	// probed: probe: model not usable: the engine's process has ended in load: SIGABRT: abort; its last words: the SDK asserts loading; if you need it, run it with isolate.Open
}
