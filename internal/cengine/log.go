// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"context"
	"log/slog"
	"sync"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// logs has the logs of the open engines by number, because C must not keep a pointer to Go memory.
var logs = struct {
	sync.Mutex
	last uintptr
	byID map[uintptr]nativelog.Log
}{byID: map[uintptr]nativelog.Log{}}

func registerLog(log nativelog.Log) uintptr {
	logs.Lock()
	defer logs.Unlock()
	logs.last++
	logs.byID[logs.last] = log
	return logs.last
}

func unregisterLog(id uintptr) {
	logs.Lock()
	defer logs.Unlock()
	delete(logs.byID, id)
}

// logCallback returns the function log of anyinfer_host: void (*)(void* user, int32_t level, const char* line).
var logCallback = sync.OnceValue(func() uintptr {
	return dylib.Callback(func(user, level, text uintptr) uintptr {
		logs.Lock()
		log, ok := logs.byID[user]
		logs.Unlock()
		if ok {
			log.Log(context.Background(), slog.Level(int32(level)), dylib.GoString(text))
		}
		return 0
	})
})
