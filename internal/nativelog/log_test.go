// SPDX-License-Identifier: Apache-2.0

package nativelog

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSay(t *testing.T) {
	for line, want := range map[string]string{
		"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.":                 "level=INFO msg=\"Created TensorFlow Lite XNNPACK delegate for CPU.\"",
		"WARNING: All log messages before absl::InitializeLog() is called":        "level=WARN msg=\"All log messages before absl::InitializeLog() is called\"",
		"VERBOSE: Replacing 3 out of 3 node(s)":                                   "level=DEBUG msg=\"Replacing 3 out of 3 node(s)\"",
		"ERROR: [cpu_registry.cc:78] no":                                          "level=ERROR msg=\"[cpu_registry.cc:78] no\"",
		"E0000 00:00:1795476835.650945    4202 text_format.cc:417] Error parsing": "level=ERROR msg=\"text_format.cc:417] Error parsing\"",
		"[libprotobuf ERROR google/protobuf/text.cc:335] Expected":                "level=ERROR msg=\"google/protobuf/text.cc:335] Expected\"",
		"[23:45:08.6134]D[plugin.cpp:289][AUTO] deviceNameWithID:CPU":             "level=DEBUG msg=\"[plugin.cpp:289][AUTO] deviceNameWithID:CPU\"",
		"something else: INFO: it is":                                             "level=INFO msg=\"something else: INFO: it is\"",
	} {
		var out bytes.Buffer
		New(logger(&out), "tflite").Say(line)
		require.Equal(t, want+" engine=tflite\n", out.String())
	}
}

func logger(out *bytes.Buffer) *slog.Logger {
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: noTime}))
}

func TestDuringReturnsTheError(t *testing.T) {
	var out bytes.Buffer
	err := errors.New("failed")
	require.Equal(t, err, New(logger(&out), "tflite").During(func() error { return err }))
	require.Empty(t, out.String())
}

// TestQueue: lines come in their order, one at a time, and Add does not wait.
func TestQueue(t *testing.T) {
	release := make(chan struct{})
	var lines []string
	done := make(chan struct{})
	q := Queue[string]{Do: func(line string) {
		<-release
		if lines = append(lines, line); len(lines) == 5 {
			close(done)
		}
	}}
	for _, line := range strings.Fields("a b c d") {
		q.Add(line)
	}
	close(release)
	time.Sleep(time.Millisecond) // it may have come to rest
	q.Add("e")
	<-done
	require.Equal(t, strings.Fields("a b c d e"), lines)
}
