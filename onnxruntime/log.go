// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"context"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// These are values of OrtLoggingLevel.
const (
	logInfo    = 1
	logWarning = 2
	logFatal   = 4
)

// A process has one environment, which logs to the function of whoever made it: this
// package or another user of the library. So each session is given a function of its
// own. Its parameter is the driver's key in loggers; 0, the environment's, stands
// for the engine that was opened last.
var (
	loggers  sync.Map // *nativelog.Log by key
	lastKey  atomic.Uintptr
	receiver atomic.Pointer[nativelog.Log]
	onLog    = sync.OnceValue(func() uintptr {
		// OrtLoggingFunction: void (*)(void* param, OrtLoggingLevel severity, const char* category, const char* logid, const char* code_location, const char* message)
		return dylib.Callback(func(key, severity, category, id, place, message uintptr) uintptr {
			log := receiver.Load()
			if l, ok := loggers.Load(key); ok {
				log = l.(*nativelog.Log)
			}
			text := shorten(dylib.GoString(message))
			level := slog.LevelDebug
			switch s := int32(severity); {
			case s > logWarning:
				level = slog.LevelError
			case s == logWarning && !notWarnings.MatchString(text):
				level = slog.LevelWarn
			}
			log.Log(context.Background(), level, text)
			return 0
		})
	})
)

// notWarnings match warnings that are no news to a program: that an optimized model
// is for this kind of processor, which the cache's key has, and, once for each weight,
// that inputs could replace it, as in old models, or that nothing uses it.
var notWarnings = regexp.MustCompile(`^Serializing optimized model with Graph Optimization level|^Initializer .* appears in graph inputs|^Removing initializer `)

// listen makes d's log. Messages below a warning, of which there are many, are only
// asked for if the program logs at Debug.
func (d *driver) listen(cfg common.Config) {
	d.log = nativelog.New(cfg, engine, false)
	d.logKey = lastKey.Add(1)
	loggers.Store(d.logKey, &d.log)
	receiver.Store(&d.log)
	d.severity = logWarning
	if cfg.Logger.Enabled(context.Background(), slog.LevelDebug) {
		d.severity = logInfo
	}
}
