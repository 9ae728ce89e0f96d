// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"encoding/json"
	"log/slog"

	"github.com/anyinfer/anyinfer/common"
)

// The calls of the program: name, arguments, result. The child's are "file" and "log".
const (
	opOpen     = "open"     // openArgs, common.EngineInfo
	opDevices  = "devices"  // nothing, []common.Device
	opProperty = "property" // propertyArgs, string
	opLoad     = "load"     // loadArgs and the files, loadResult
	opSession  = "session"  // sessionArgs and the control memory, sessionResult
	opBind     = "bind"     // bindArgs and the memory of the tensors, []common.Shape: of the outputs, null if it is not known
	opStrings  = "strings"  // stringsArgs, nothing: sets an input of strings
	opResults  = "results"  // memoryArgs and the memory, nothing: writes the results without a place to it
	opFailure  = "failure"  // memoryArgs without a size, nothing: the error is that of the last Run
	opProfile  = "profile"  // memoryArgs without a size, []common.LayerTime
	opCancel   = "cancel"   // cancelArgs, nothing: when the Run has ended
	opEnd      = "end"      // memoryArgs without a size, nothing: closes the session
	opClose    = "close"    // nothing, nothing: closes everything

	opFile = "file" // string: a name; the file
	opLog  = "log"  // logRecord; no answer
)

type openArgs struct {
	Protocol int
	Version  string // of this module
	Engine   string
	Library  string
	Native   json.RawMessage `json:",omitempty"`
	Level    slog.Level      // records below it are not wanted
}

type propertyArgs struct {
	OfModel bool
	Key     string
}

type loadArgs struct {
	Options common.Options  // without Native
	Native  json.RawMessage `json:",omitempty"`
	Format  string
	Names   []string   // of the files; nil: they have none
	Folder  string     // the model is this folder, and no files come
	Level   slog.Level // as in openArgs
}

type loadResult struct {
	Info       common.ModelInfo
	Signatures []common.Signature
}

type sessionID uint32

type sessionArgs struct {
	ID        sessionID
	Signature int
}

type sessionResult struct{ Resets bool } // the session implements common.Resetter

type bindArgs struct {
	ID      sessionID
	Size    int
	In, Out []place // without an Offset: an input of strings; without a Shape: an output of strings or of a shape not known yet
}

type stringsArgs struct {
	ID     sessionID
	Input  int
	Values [][]byte // JSON strings cannot hold all bytes
}

type memoryArgs struct {
	ID   sessionID
	Size int
}

type cancelArgs struct {
	ID  sessionID
	Run uint32
}

// logRecord is a line of the engine's log.
type logRecord struct {
	Level   slog.Level
	Message string
	Attrs   map[string]string `json:",omitempty"`
}
