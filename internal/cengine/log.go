// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"context"
	"log/slog"
	"sync"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// The engines that may log, by number: C has no pointer to Go memory.
var logs = struct {
	sync.Mutex
	last uintptr
	to   map[uintptr]nativelog.Log
}{to: map[uintptr]nativelog.Log{}}

// queue has the lines that the goroutine of nativelog is to log.
var queue = nativelog.Queue[line]{Do: line.log}

type line struct {
	to    nativelog.Log
	level slog.Level
	text  string
}

func (l line) log() { l.to.Log(context.Background(), l.level, l.text) }

func hear(log nativelog.Log) uintptr {
	logs.Lock()
	defer logs.Unlock()
	logs.last++
	logs.to[logs.last] = log
	return logs.last
}

func forget(id uintptr) {
	logs.Lock()
	defer logs.Unlock()
	delete(logs.to, id)
}

// logCallback is the log of anyinfer_host: void (*)(void* user, int32_t level, const char* line).
var logCallback = sync.OnceValue(func() uintptr {
	return dylib.Callback(func(user, level, text uintptr) uintptr {
		logs.Lock()
		log, ok := logs.to[user]
		logs.Unlock()
		if ok {
			queue.Add(line{log, slog.Level(int32(level)), dylib.GoString(text)})
		}
		return 0
	})
})
