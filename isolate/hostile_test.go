// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"golang.org/x/sys/unix"
)

// HostileVariable selects what a child does instead of its work: "FAULT OP" dies, stops or lies at that call.
const HostileVariable = "ANYINFER_TEST_HOSTILE"

// Variable is set in children.
const Variable = variable

// Ops are the calls that a child answers.
var Ops = []string{opOpen, opDevices, opProperty, opLoad, opSession, opBind, opStrings, opResults, opFailure, opCancel, opEnd, opClose}

// lies are answers that are none, by the call. They are sent instead of the real child's.
var lies = map[string]map[string]string{
	opOpen:     {"number": `7`, "null": `null`},
	opDevices:  {"number": `7`, "null": `null`},
	opProperty: {"number": `7`},
	opLoad: {
		"number": `7`, "null": `null`, "none": `{"Signatures":[]}`,
		"huge":       load(`"DType":12,"Shape":[4611686018427387904,4]`),
		"much":       load(`"DType":12,"Shape":[1125899906842624]`),
		"negative":   load(`"DType":12,"Shape":[-5]`),
		"dtype":      load(`"DType":"float32","Shape":[1]`),
		"dtypecode":  load(`"DType":99,"Shape":[1]`),
		"quant":      load(`"DType":6,"Shape":[1],"Quant":{"Scale":[1],"ZeroPoint":[]}`),
		"axis":       load(`"DType":6,"Shape":[1],"Quant":{"Scale":[1,2],"ZeroPoint":[0,0],"Axis":77}`),
		"deep":       load(`"DType":12,"Shape":[` + strings.Repeat("1,", 1<<16) + `1]`),
		"same names": `{"Signatures":[{"Inputs":[],"Outputs":[]},{"Inputs":[],"Outputs":[]}]}`,
		"sessions":   `{"Info":{"Sessions":-7,"Threads":-9,"State":1},"Signatures":[{"Inputs":[],"Outputs":[]}]}`,
		"state":      `{"Info":{"State":99},"Signatures":[{"Inputs":[],"Outputs":[]}]}`,
	},
	opSession: {"number": `7`},
	opBind: {
		"number": `7`, "null": `null`, "few": `[null]`, "many": `[null,null,null]`, "huge": `[[4611686018427387904,4],null]`,
		"much": `[[1125899906842624],null]`, "negative": `[[-1],null]`, "less": `[[-9223372036854775808],null]`, "deep": `[[` + strings.Repeat("1,", 1<<16) + `1],null]`,
	},
	opStrings: {"number": `{`},
	opResults: {"null": `null`},
	opFailure: {"null": `null`},
	opEnd:     {"number": `7`},
	opClose:   {"number": `7`},
}

// load is the answer of a model with one output.
func load(output string) string {
	return `{"Signatures":[{"Inputs":[{"Name":"action","DType":14,"Shape":[]},{"Name":"x","DType":12,"Shape":[-1]}],"Outputs":[{"Name":"y",` + output + `}]}]}`
}

// writes are what a child writes to the control memory of a session, after a Run was requested and before it says that
// it ended.
var writes = map[string]func(*header, *result){
	"status":       func(h *header, _ *result) { h.status = 77 },
	"failed":       func(h *header, _ *result) { h.status = failed },
	"needs all":    func(h *header, _ *result) { h.status, h.needed = tooSmall, math.MaxUint64 },
	"needs most":   func(h *header, _ *result) { h.status, h.needed = tooSmall, math.MaxInt64 },
	"needs 2^50":   func(h *header, _ *result) { h.status, h.needed = tooSmall, 1<<50 },
	"no place":     func(_ *header, r *result) { r.unplaced = 0 },
	"no results":   func(_ *header, r *result) { *r = result{unplaced: 1, rank: 1, size: 4, dims: [maxRank]int64{1}} },
	"offset":       func(_ *header, r *result) { r.unplaced, r.offset = 1, 1<<40 },
	"offset wraps": func(_ *header, r *result) { r.unplaced, r.offset, r.size = 1, math.MaxUint64, 8 },
	"size":         func(_ *header, r *result) { r.unplaced, r.size = 1, math.MaxUint64 },
	"rank":         func(_ *header, r *result) { r.unplaced, r.rank = 1, maxRank+1 },
	"most rank":    func(_ *header, r *result) { r.unplaced, r.rank = 1, math.MaxUint32 },
	"negative":     func(_ *header, r *result) { *r = result{unplaced: 1, rank: 1, dims: [maxRank]int64{-1}} },
	"overflow":     func(_ *header, r *result) { *r = result{unplaced: 1, rank: 2, dims: [maxRank]int64{1 << 32, 1 << 32}} },
	"many of none": func(_ *header, r *result) { *r = result{unplaced: 1, rank: 2, dims: [maxRank]int64{0, 1 << 62}} },
	"beyond results": func(h *header, r *result) {
		h.status, h.needed = tooSmall, 64
		*r = result{unplaced: 1, rank: 1, offset: 1 << 40, size: 4, dims: [maxRank]int64{1}}
	},
	"over the end of results": func(h *header, r *result) {
		h.status, h.needed = tooSmall, 64
		*r = result{unplaced: 1, rank: 1, offset: 60, size: 1 << 30, dims: [maxRank]int64{1 << 28}}
	},
	"all ones":       func(h *header, r *result) { fill(h, r, 0xff) },
	"seven times 11": func(h *header, r *result) { fill(h, r, 77) },
}

func fill(h *header, r *result, b byte) {
	h.status, h.needed = uint32(b)*0x01010101, uint64(b)*0x0101010101010101
	r.unplaced, r.rank, r.offset, r.size = h.status, h.status, h.needed, h.needed
	for i := range r.dims {
		r.dims[i] = int64(h.needed)
	}
}

// floods are what a child does forever, from the call on.
var floods = map[string]func(*conn){
	"logs": func(c *conn) { c.send(opLog, logRecord{Message: strings.Repeat("flood", 5000)}) },
	"prints": func(*conn) {
		os.Stderr.Write(bytes.Repeat([]byte("flood"), 100000))
	},
	"unknown answers": func(c *conn) { c.write(frame{ID: 12345, Body: json.RawMessage(`7`)}) },
	"files asked": func(c *conn) {
		c.write(frame{ID: 1, Op: opFile, Body: json.RawMessage(`"/etc/passwd"`)})
	},
	"files sent": func(c *conn) {
		null, _ := os.Open("/dev/null")
		c.write(frame{Op: opLog, files: []*os.File{null, null, null}})
		null.Close()
	},
	"unknown calls": func(c *conn) { c.write(frame{ID: 1, Op: "unknown", Body: json.RawMessage(`7`)}) },
	"length 4 GB":   func(c *conn) { sendRaw(c, 0xffffffff, 0, nil) },
	"half a frame":  func(c *conn) { sendRaw(c, maxAnswer, 0, []byte("{")); select {} },
	"no files":      func(c *conn) { sendRaw(c, 2, 64, []byte("{}")) },
	"no JSON":       func(c *conn) { sendRaw(c, 5, 0, []byte("hello")) },
	"closed":        func(c *conn) { unix.Shutdown(int(c.socket.Fd()), unix.SHUT_RDWR); c.socket.Close(); select {} },
	"deaf":          func(*conn) { select {} },
	"memory":        func(*conn) { hog = append(hog, bytes.Repeat([]byte{1}, 1<<24)) },
	"processor":     func(*conn) {},
}

var hog [][]byte

func sendRaw(c *conn, length, files uint32, text []byte) {
	b := binary.LittleEndian.AppendUint32(nil, length)
	c.socket.Write(append(binary.LittleEndian.AppendUint32(b, files), text...))
}

// Hostile is the main function of a child with a fault.
func Hostile(text string) {
	fault, at, _ := strings.Cut(text, " at ")
	unix.CloseOnExec(socketFD)
	unix.SetNonblock(socketFD, true)
	c := &child{sessions: map[sessionID]*childSession{}}
	var once sync.Once
	handle := func(op string, body json.RawMessage, files []*os.File) (any, []*os.File, error) {
		if op == at {
			switch {
			case fault == "kill":
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			case fault == "stop":
				syscall.Kill(os.Getpid(), syscall.SIGSTOP)
				select {}
			case fault == "exit":
				os.Exit(0)
			case floods[fault] != nil:
				once.Do(func() {
					go func() {
						for {
							floods[fault](c.conn)
						}
					}()
				})
				time.Sleep(100 * time.Millisecond)
			case fault == "kill after":
				time.AfterFunc(2*time.Millisecond, func() { syscall.Kill(os.Getpid(), syscall.SIGKILL) })
			case op == opSession && (writes[fault] != nil || fault == "flicker"):
				go lie(fault, files[0])
				return sessionResult{}, nil, nil
			default:
				lie, ok := lies[op][fault]
				if !ok {
					panic("there is no fault " + text)
				}
				c.do(op, body, files)
				closeAll(files)
				return json.RawMessage(lie), nil, nil
			}
		} else if at == opSession && op == opBind && writes[fault] != nil {
			return []common.Shape{nil, nil}, nil, nil // of a session that is none
		} else if at == opSession && fault == "flicker" && op == opBind {
			return []common.Shape{nil, nil}, nil, nil
		} else if at == opSession && (writes[fault] != nil || fault == "flicker") && (op == opStrings || op == opResults || op == opEnd || op == opFailure) {
			return nil, nil, nil
		}
		return c.handle(op, body, files)
	}
	c.conn = newConn(os.NewFile(socketFD, "socket"), handle, fault != "deaf", maxCall)
	for fault == "deaf" { // it answers the call, and reads no other one
		f, err := c.conn.read()
		if err != nil {
			os.Exit(0)
		}
		if c.conn.take(f); f.Op == at {
			select {}
		}
	}
	c.conn.serve()
	os.Exit(0)
}

// lie answers Runs with what is no result.
func lie(fault string, control *os.File) {
	fd, err := unix.Dup(int(control.Fd()))
	if err != nil {
		panic(err)
	}
	m, err := mapShared(os.NewFile(uintptr(fd), ""), controlSize(2))
	if err != nil {
		panic(err)
	}
	h, r := m.header(), m.result(0)
	for last, n := uint32(0), uint64(1); ; n++ {
		if fault == "flicker" {
			*r = result{unplaced: 1, rank: uint32(n*2654435761) >> (n % 32), offset: n >> (n % 64), size: n * 2654435761 >> (n % 64)}
			for i := range r.dims {
				r.dims[i] = int64(n * 11400714819323198485 >> (n % 64))
			}
			h.status, h.needed = uint32(n%4), n&0xffff
			h.reply.Store(h.request.Load())
			if n%1024 == 0 {
				wake(&h.reply)
			}
			continue
		}
		if request := h.request.Load(); request != last {
			h.status = succeeded
			r.unplaced = 1
			writes[fault](h, r)
			last = request
			h.reply.Store(last)
			wake(&h.reply)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// Faults are all faults of children, as values of HostileVariable.
func Faults() (all []string) {
	add := func(fault, at string) { all = append(all, fmt.Sprintf("%s at %s", fault, at)) }
	for _, op := range Ops {
		for _, fault := range []string{"kill", "kill after", "stop", "exit"} {
			add(fault, op)
		}
		for lie := range lies[op] {
			add(lie, op)
		}
	}
	for write := range writes {
		add(write, opSession)
	}
	add("flicker", opSession)
	for flood := range floods {
		if flood != "memory" && flood != "processor" {
			add(flood, opLoad)
			add(flood, opBind)
		}
	}
	return all
}
